"""Trainings that were begun and not finished, and saw what is to be withdrawn: they may be gone on with any day.

Belongs here: finding them by the exposures of what they saved. Dropping them is `stages.withdrawal.withdrawing`'s,
their files are `training.running.resumable`'s.
"""

import json
from pathlib import PurePosixPath

from lake.stores.storage import Location
from lake.zones import Lake
from lineage.withdrawal.belonging import Scope, columns, inside
from lineage.withdrawal.holdings import Held
from schemas.checkpoint import RESUMABLE, RUNS
from schemas.contract import Zone
from schemas.tables import VOLUMES


def unfinished(lake: Lake, scope: Scope, found: Held) -> list[Location]:
    """Folders of unfinished trainings that saw volumes of a scope, or do not say what they saw.

    One that has saved nothing yet has seen nothing that lasts. Where the models zone is on S3, this machine's desk is
    looked at too.
    """
    runs = {place: _records(place) for root in _roots(lake) for name in root.list() for place in [root.join(name)]}
    saved = {place: records for place, records in runs.items() if records}
    if not saved:
        return []
    volumes = _volumes(lake, scope, found)
    return [place for place, records in saved.items() if any(_saw(place, name, volumes) for name in records)]


def is_record(name: str) -> bool:
    """Whether a file of such a folder says what a training saw; it must outlast the rest of them."""
    path = PurePosixPath(name)
    return str(path.parent) == RESUMABLE and path.suffix == ".json"


def _roots(lake: Lake) -> list[Location]:
    zone = lake.location(Zone.MODELS, RUNS)
    return [zone] if zone.local else [zone, Location(lake.desk / RUNS)]


def _records(place: Location) -> list[str]:
    return [name for name in place.walk() if is_record(name)]


def _saw(place: Location, record: str, volumes: set[str]) -> bool:
    """Whether a resumable checkpoint had seen some of the volumes, or does not tell."""
    exposure = json.loads(place.read_bytes(record)).get("exposure")
    return exposure is None or not volumes.isdisjoint(exposure)


def _volumes(lake: Lake, scope: Scope, found: Held) -> set[str]:
    table = lake.table(VOLUMES)
    if not table.exists():
        return set()
    rows = table.read(list(dict.fromkeys([*columns(VOLUMES), "volume"])))
    return set(rows.filter(inside(rows, scope, found.keys))["volume"].to_pylist())
