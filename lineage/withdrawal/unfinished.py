"""Trainings that were begun and not finished, and saw what is to be withdrawn: they may be gone on with any day.

Belongs here: finding them by the exposures of what they saved. Dropping them is `stages.withdrawal.withdrawing`'s,
their files are `training.running.resumable`'s.
"""

import json
from collections.abc import Iterator

from lake.stores.storage import Location
from lake.zones import Lake
from lineage.withdrawal.belonging import Scope, columns, inside
from lineage.withdrawal.holdings import Held
from schemas.contract import Zone
from schemas.tables import VOLUMES

RUNS = ".runs"
"""Folder beside the models in which trainings keep what they go on from, a folder a model."""

_RECORDS = "resume/"
"""Where records of resumable checkpoints lie, `step-000000200.json` and so on."""


def unfinished(lake: Lake, scope: Scope, found: Held) -> list[Location]:
    """Folders of unfinished trainings that saw volumes of a scope, or do not say what they saw.

    One that has saved nothing yet has seen nothing that lasts. Where the models zone is on S3, this machine's desk is
    looked at too.
    """
    runs = [place for root in _roots(lake) for name in root.list() if _saved(place := root.join(name))]
    if not runs:
        return []
    volumes = _volumes(lake, scope, found)
    return [place for place in runs if any(saw is None or saw & volumes for saw in _exposures(place))]


def is_record(name: str) -> bool:
    """Whether a file of such a folder says what a training saw; it must outlast the rest of them."""
    return name.startswith(_RECORDS) and name.endswith(".json")


def _roots(lake: Lake) -> list[Location]:
    zone = lake.location(Zone.MODELS, RUNS)
    return [zone] if zone.local else [zone, Location(lake.desk / RUNS)]


def _saved(place: Location) -> bool:
    return any(is_record(name) for name in place.walk())


def _exposures(place: Location) -> Iterator[set[str] | None]:
    """Volumes that each resumable checkpoint had seen; None where it is not told."""
    for name in filter(is_record, place.walk()):
        exposure = json.loads(place.read_bytes(name)).get("exposure")
        yield None if exposure is None else set(exposure)


def _volumes(lake: Lake, scope: Scope, found: Held) -> set[str]:
    table = lake.table(VOLUMES)
    if not table.exists():
        return set()
    rows = table.read(list(dict.fromkeys([*columns(VOLUMES), "volume"])))
    return set(rows.filter(inside(rows, scope, found.keys))["volume"].to_pylist())
