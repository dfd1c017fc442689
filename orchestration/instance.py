"""Dagster's home: where its storage and settings lie for a lake.

Belongs here: making the home. Settings are in dagster.yaml at the top and, for other set-ups, in deploy/.
"""

import contextlib
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lake.settings import Settings
from orchestration.processes import end_lost_runs

if TYPE_CHECKING:
    import dagster as dg

_SETTINGS = "dagster.yaml"


def prepare(settings: Settings) -> Path:
    """Dagster's home of this lake: what DAGSTER_HOME says, or `<root>/dagster` with our settings."""
    if given := os.environ.get("DAGSTER_HOME"):
        return Path(given)
    home = settings.root / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / _SETTINGS).exists():
        (home / _SETTINGS).write_text(files("orchestration").joinpath(_SETTINGS).read_text("utf-8"), encoding="utf-8")
    return home


@contextlib.contextmanager
def instance(settings: Settings) -> Iterator["dg.DagsterInstance"]:
    """Dagster's instance of this lake, the one that `larmor dev` shows."""
    import dagster as dg

    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    home = prepare(settings)
    with dg.DagsterInstance.from_config(str(home)) as opened:
        end_lost_runs(opened)
        yield opened
