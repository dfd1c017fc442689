"""Dagster's home: where its storage and settings lie for a lake.

Belongs here: making the home. Settings are in dagster.yaml at the top and, for other set-ups, in deploy/.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lake.settings import Settings
from lake.stores.storage import Location
from orchestration.processes import end_lost_runs

if TYPE_CHECKING:
    import dagster as dg

_SETTINGS = "dagster.yaml"

_MAKING = ".making"
"""Stands while Dagster's databases are made for the first time."""

_DATABASES = ("history", "schedules")
"""Folders of the home that hold them."""


def prepare(settings: Settings) -> Path:
    """Dagster's home of this lake: what DAGSTER_HOME says, or `<root>/dagster` with our settings."""
    if given := os.environ.get("DAGSTER_HOME"):
        return Path(given)
    home = settings.root / "dagster"
    if not (home / _SETTINGS).exists():
        # whole or not at all: with an empty one Dagster would take its own defaults, telemetry among them
        Location(home).write_bytes(_SETTINGS, files("orchestration").joinpath(_SETTINGS).read_bytes())
    return home


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time: two that make Dagster's databases at once fail; the lock ends with its process."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".opening").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _whole(home: Path) -> Iterator[None]:
    """Databases are made to the end, or made anew.

    Dagster makes its tables one by one and takes a file that is there for complete, so a home whose first process was
    killed in between could never be opened again.
    """
    mark = home / _MAKING
    if mark.exists():
        for name in _DATABASES:
            shutil.rmtree(home / name, ignore_errors=True)
    if not any((home / name).exists() for name in _DATABASES):
        mark.touch()
    yield
    mark.unlink(missing_ok=True)


@contextlib.contextmanager
def instance(settings: Settings) -> Iterator["dg.DagsterInstance"]:
    """Dagster's instance of this lake, the one that `larmor dev` shows."""
    import dagster as dg

    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    home = prepare(settings)
    with _alone(home), _whole(home):
        made = dg.DagsterInstance.from_config(str(home))
        end_lost_runs(made)
    with made as opened:
        yield opened
