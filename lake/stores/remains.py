"""What writers that died leave behind: files and folders on their way to another name.

Belongs here: their names, and their removal once they are surely dead. No reader sees them. Part files that no commit
names are told by `lake.tables.files` and removed by a clean-up (VACUUM); those of the ledger are
`lineage.ledger.leftovers`'.
"""

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lake.stores.storage import Location
from lake.zones import Lake
from schemas.contract import Zone

SURELY_DEAD = dt.timedelta(days=1)
"""Age from which a half-written file is nobody's: writing a large one takes minutes, unpacking an archive hours."""

_TEMPORARY = re.compile(
    r"\.[0-9a-f]{16}\.tmp"  # lake.stores.folders
    r"|_commit_[0-9a-f-]{36}\.json\.tmp"  # deltalake, a commit
    r"|.+#[0-9]+"  # deltalake's object store, a file in writing
    r"|\..+\.partial"  # a delivery or a restored file on its way
)


@dataclass(frozen=True)
class Remains:
    """A file that a writer left, or has not finished.

    Attributes:
        location: the zone, or landing.
        name: its path there.
        age: since it was last changed.
    """

    location: Location
    name: str
    age: dt.timedelta


def is_temporary(name: str) -> bool:
    """Whether a name is that of a file or folder on its way to another name."""
    return _TEMPORARY.fullmatch(name) is not None


def remains(lake: Lake) -> Iterator[Remains]:
    """What lies in the zones and in landing on its way to another name, dead or not."""
    now = dt.datetime.now(dt.UTC)
    for location in (*(lake.location(zone) for zone in Zone), lake.landed()):
        for found in location.files():
            if any(map(is_temporary, found.name.split("/"))):
                yield Remains(location, found.name, now - found.changed)


def sweep(lake: Lake, older_than: dt.timedelta = SURELY_DEAD) -> int:
    """Remove what is surely dead; returns how many files.

    A clock that was turned back makes files young, never old; one that leapt ahead is why the age is a day.

    Args:
        lake: the lake.
        older_than: age from which a file is nobody's.
    """
    removed = 0
    for left in list(remains(lake)):
        if left.age > older_than:
            left.location.delete(left.name)
            _prune(left)
            removed += 1
    return removed


def _prune(left: Remains) -> None:
    """Remove the temporary folders that a file was the last of."""
    parts = left.name.split("/")
    first = next(i for i, part in enumerate(parts) if is_temporary(part))
    with contextlib.suppress(OSError):  # it is not empty yet
        for depth in range(len(parts) - 1, first, -1) if left.location.local else ():
            left.location.join(*parts[:depth]).path.rmdir()
