"""What a killed writer may leave in the ledger's folders, told apart from what nobody should have put there.

Belongs here: the names of such files, and their removal once they are surely dead. A left-over belongs to no commit, so
no reader sees it; anything else that no commit names is a finding (`lineage.ledger.verify`).
"""

import re
import time

import pyarrow as pa

from lake.stores.storage import Location
from lake.tables.parquet import rows_of
from lake.tables.table import LakeTable
from lineage.ledger.commits import Log

_PART = re.compile(r"part-[0-9a-f]{32}\.parquet")
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp|_commit_[0-9a-f-]{36}\.json\.tmp|\d{20}\.json#\d+")

_SURELY_DEAD_S = 3600.0
"""Age from which a half-written file is nobody's: writing one takes milliseconds."""


def is_part(name: str) -> bool:
    """Whether a name is that of a part file, committed or not."""
    return _PART.fullmatch(name) is not None


def is_temporary(name: str) -> bool:
    """Whether a name is that of a file on its way to another name."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep(log: Log, table: LakeTable, size: int) -> int:
    """Remove what can no longer become part of the log; returns how many files.

    Args:
        log: where the files lie.
        table: the ledger's table.
        size: entries of the log, read before this call: a part that begins earlier has lost its place for good, while
            one that begins here may be committed at any moment.
    """
    committed = set(table.names())
    removed = 0
    for name in log.ledger.list():
        if is_part(name) and name not in committed and (_begins(log, name, size) < size or _old(log.ledger, name)):
            log.ledger.delete(name)
            removed += 1
    for location in (log.ledger, log.commits, log.seals):
        for name in location.list():
            if is_temporary(name) and _old(location, name):
                location.delete(name)
                removed += 1
    return removed


def _begins(log: Log, name: str, unknown: int) -> int:
    try:
        data = log.ledger.read_bytes(name)
        column = rows_of(data, ["sequence"])["sequence"]
        return int(column[0].as_py()) if len(column) else unknown
    except (pa.ArrowException, OSError):
        return unknown


def _old(location: Location, name: str) -> bool:
    try:
        return time.time() - location.about(name).changed.timestamp() > _SURELY_DEAD_S
    except FileNotFoundError:
        return False
