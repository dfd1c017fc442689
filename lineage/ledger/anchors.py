"""Anchors: places outside the lake that keep a copy of each seal, so that nobody can cut the log back unseen.

Belongs here: where they are, and copying seals there. An anchor is a folder or a bucket that whoever writes to the lake
may add to and may not change; it keeps the seals of one log, and its public key. Comparing the log with them is
`lineage.ledger.anchored`.
"""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from lake.settings import Settings
from lake.stores.storage import Location
from lineage.ledger import keys
from lineage.ledger.commits import Log

_KEPT = re.compile(rf"\d{{8}}\.json|{re.escape(keys.PUBLIC_NAME)}")


def places(settings: Settings) -> list[Location]:
    """The configured anchors."""
    roots = (settings.anchor or "").split()
    return [Location(root if "://" in root else Path(root).expanduser().absolute()) for root in roots]


def copy(log: Log, anchors: Sequence[Location]) -> int:
    """Copy the public key and the seals that anchors lack, and change nothing there; returns how many files.

    One that fails keeps none of the others from getting theirs; one that holds another public key keeps another log's
    seals, and gets none of these.

    Raises:
        OSError: if an anchor cannot be reached or written; what it lacks is copied the next time.
    """
    copied, failed = 0, None
    for anchor in anchors:
        try:
            copied += _copied(log, anchor)
        except OSError as error:
            failed = error
    if failed:
        raise failed
    return copied


def _copied(log: Log, anchor: Location) -> int:
    there, copied = set(anchor.list()), 0
    if keys.PUBLIC_NAME in there and anchor.read_bytes(keys.PUBLIC_NAME) != log.seals.read_bytes(keys.PUBLIC_NAME):
        return 0
    for name in log.seals.list():
        if _KEPT.fullmatch(name) and name not in there:
            with contextlib.suppress(FileExistsError):  # another process copied it at the same moment
                anchor.create(name, log.seals.read_bytes(name))
                copied += 1
    return copied
