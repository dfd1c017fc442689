"""Which files of a table lie on another tier, and which of them must be restored before anybody can read them.

Belongs here: the record beside the table, `_tiers/places.json`, and the error that a reader gets before it fails. Who
writes the record is `lake.tiering.mover`. Delta's readers and its clean-up leave names that begin with _ alone.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

from lake.stores.storage import Location
from lake.voxels.sources import Source

FOLDER, PLACES = "_tiers", "places.json"


class Archived(FileNotFoundError):
    """Files are on a tier that cannot be read at once; the message says how to have them back and how long it takes."""


@dataclass(frozen=True)
class Place:
    """Where a file lies that is not in the class that it was written to.

    Attributes:
        tier: storage class.
        sha256: digest of its bytes.
        bytes: its size.
        moved: day it came there, ISO.
        hours: hours until it can be read; 0: at once.
    """

    tier: str
    sha256: str
    bytes: int
    moved: str
    hours: float


Places = Mapping[str, Place]
"""Path of a file, relative to its table, to its place."""


def places(source: Source) -> dict[str, Place]:
    """The files of a table that lie elsewhere."""
    try:
        raw, _ = source.read(f"{FOLDER}/{PLACES}")
    except FileNotFoundError:
        return {}
    return {path: Place(**said) for path, said in json.loads(raw).items()}


def keep(location: Location, found: Places) -> None:
    """Write the record, all of it or nothing."""
    said = {path: asdict(found[path]) for path in sorted(found)}
    location.join(FOLDER).write_bytes(PLACES, json.dumps(said, indent=0).encode())


def check(source: Source, table: str, paths: Callable[[], Iterable[str]]) -> None:
    """Say that files are archived before a reader opens them.

    Args:
        source: the table's files.
        table: its path, `<zone>/<table>`.
        paths: gives the files that are to be read, relative to the table; asked only where some are archived.

    Raises:
        Archived: if some are.
    """
    waiting = {path: place for path, place in places(source).items() if place.hours}
    missing = waiting.keys() & set(paths()) if waiting else ()
    if missing:
        hours = max(waiting[path].hours for path in missing)
        tiers = ", ".join(sorted({waiting[path].tier for path in missing}))
        raise Archived(
            f"table {table}: found {len(missing)} of its files archived on {tiers}, needed them readable; restore them "
            f"with larmor tiers restore {table}, which takes about {hours:g} hours"
        )
