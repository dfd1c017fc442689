"""What changed in a table between two versions: rows that came and rows that went.

Belongs here: the change feed, the same whichever engine wrote or reads. Engines tell a changed row in different ways
(an update, or a file taken away and written anew); here it is a row that went and one that came, and what is in both
of them for one version did not change.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import pyarrow as pa
from deltalake.exceptions import DeltaError

from lake.tables.formats import Made
from lake.tables.protocol import opened
from lake.tables.select import chosen, shaped, there
from lake.tables.table import LakeTable
from schemas.contract import Table

PROPERTY = "delta.enableChangeDataFeed"
"""Delta's property of tables that tell their changes; set when a table is made."""

TYPE, VERSION = "_change_type", "_commit_version"
"""Delta's columns of a change feed."""

_CAME = ("insert", "update_postimage")


class ChangesMissing(ValueError):
    """A table did not tell its changes in these versions, or they were cleaned away; the message says what to do."""


def changes(
    table: LakeTable, after: int = -1, until: int | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """Rows that came and went, by version.

    Args:
        table: the table.
        after: version that is known already; -1: from the beginning.
        until: last version that is told; None: newest.
        columns: which; None: all but the payload. A row that only changed in other columns did not change.

    Returns:
        The columns, then `version` and `change` (`insert` or `delete`), by version, deletes first.

    Raises:
        TableMissing: if the table has no commit yet.
        ChangesMissing: if the table does not tell its changes in these versions.
    """
    names = chosen(table.contract, columns)
    delta = opened(table.location, table.contract.path)
    last = delta.version() if until is None else min(until, delta.version())
    if after >= last:
        return net(table.contract, names, None)
    try:
        stored = there(table.contract, names, Made.opened(delta))
        feed = delta.load_cdf(after + 1, last, columns=[*stored, TYPE, VERSION])
        return net(table.contract, names, pa.RecordBatchReader.from_stream(feed).read_all())
    except DeltaError:
        raise missing(table) from None


def missing(table: LakeTable) -> ChangesMissing:
    """The error of a table that cannot tell."""
    return ChangesMissing(
        f"table {table.contract.path}: found no change feed over these versions, needed one; read both versions and "
        "compare, and call lake.tables.changes.keep so that the table tells from now on"
    )


def keep(table: LakeTable) -> int:
    """Let a table that was made without a change feed tell its changes from now on.

    Returns:
        The table's version after it.
    """
    delta = opened(table.location, table.contract.path)
    if delta.metadata().configuration.get(PROPERTY) != "true":
        delta.alter.set_table_properties({PROPERTY: "true"})
    return int(delta.version())


def net(contract: Table, names: Sequence[str], feed: pa.Table | None) -> pa.Table:
    """A feed of Delta's as rows that came and rows that went; see `changes`."""
    if feed is None:
        empty = pa.schema([contract.arrow_schema.field(name) for name in names]).empty_table()
        return _marked(shaped(contract, names, empty), [], [])
    rows = shaped(contract, names, feed)
    versions, kinds = feed[VERSION].to_pylist(), feed[TYPE].to_pylist()
    told = range(len(kinds))
    order = sorted(told, key=lambda place: (versions[place], kinds[place] in _CAME))
    kept: list[int] = []
    for _, group in groupby(order, key=versions.__getitem__):
        places = list(group)
        came = [place for place in places if kinds[place] in _CAME]
        went = [place for place in places if kinds[place] not in _CAME]
        kept += places if not (came and went) else _uncancelled(rows, went, came)
    return _marked(
        rows.take(kept) if kept else rows.slice(0, 0),
        [versions[place] for place in kept],
        ["insert" if kinds[place] in _CAME else "delete" for place in kept],
    )


def _uncancelled(rows: pa.Table, went: list[int], came: list[int]) -> list[int]:
    """Rows that are not in both of what went and what came."""
    gone = {place: repr(row) for place, row in zip(went, rows.take(went).to_pylist(), strict=True)}
    new = {place: repr(row) for place, row in zip(came, rows.take(came).to_pylist(), strict=True)}
    both = Counter(gone.values()) & Counter(new.values())
    return [*_less(gone, both.copy()), *_less(new, both.copy())]


def _less(rows: dict[int, str], both: Counter[str]) -> list[int]:
    kept = []
    for place, row in rows.items():
        if both[row] > 0:
            both[row] -= 1
        else:
            kept.append(place)
    return kept


def _marked(rows: pa.Table, versions: list[int], kinds: list[str]) -> pa.Table:
    told = rows.append_column("version", pa.array(versions, pa.int64()))
    return told.append_column("change", pa.array(kinds, pa.string()))
