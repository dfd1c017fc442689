"""Changing rows of a table that is there: merge by key, delete by condition, and the same rows in better files.

Belongs here: files rewritten by Larmor's own writer, so that rows keep the contract, voxels their layout and files
their digests, and committed in one transaction of removed and added files through deltalake. Replacing a delivery is
`LakeTable.replace`.
"""

import datetime as dt
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import RemoveAction

from lake.tables.checkpoint import File
from lake.tables.formats import Made, require_current
from lake.tables.parts import Part, recorded
from lake.tables.protocol import opened
from lake.tables.select import Condition
from lake.tables.table import Conflict, LakeTable
from lake.voxels import index

TRIES = 30
"""Tries of a change that other writers overtook; measured with writers that never pause, none needed more."""

_PAUSE_S = 0.02
"""Pause after the first try that failed; it grows with every other, and is drawn by chance."""

_TEST: Mapping[str, Callable[..., pa.ChunkedArray]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "in": lambda column, values: pc.is_in(column, pa.array(list(values), column.type)),
}


class Sealed(ValueError):
    """A table is sealed: every byte of it is accounted for, so nothing may rewrite or remove its files."""


@dataclass(frozen=True)
class Swap:
    """Files that others take the place of, in one commit."""

    removed: Sequence[File]
    added: Sequence[Part]


def unsealed(table: LakeTable, operation: str) -> None:
    """Refuse to rewrite a sealed table.

    Raises:
        Sealed: if it is one.
    """
    if table.contract.sealed:
        raise Sealed(
            f"table {table.contract.path}: found it sealed, needed one that may be rewritten for {operation}; a sealed "
            "table is only ever appended to, larmor verify accounts for its bytes"
        )


def stored(table: LakeTable, delta: DeltaTable) -> list[File]:
    """Part files of an opened version, sorted by path."""
    actions = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all().to_pylist()
    names = table.contract.partition_by
    found = [
        File(unquote(row["path"]), {name: row[f"partition.{name}"] for name in names}, row["size_bytes"])
        for row in actions
    ]
    return sorted(found, key=lambda file: file.path)


def rows_of(table: LakeTable, file: File, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of a part file, partition columns included, in the order of the contract, older ones completed.

    Args:
        table: the table.
        file: one of its part files.
        columns: which; None: all.
    """
    names = [name for name in table.contract.arrow_schema.names if columns is None or name in columns]
    inside = [name for name in names if name not in table.contract.partition_by]
    rows = table.source.parquet(file.path).read(columns=inside or table.contract.file_schema.names[:1])
    rows = table.contract.completed(rows, inside) if inside else rows
    arrays = [
        pa.array([file.partition[name]] * rows.num_rows, pa.string()) if name in file.partition else rows[name]
        for name in names
    ]
    return pa.Table.from_arrays(arrays, names=names)


def merge(table: LakeTable, rows: pa.Table | Sequence[Mapping[str, object]]) -> int:
    """Rows by key: those whose key is there take the place of what is there, the others are added.

    Args:
        table: the table.
        rows: rows of the contract, partition columns included.

    Returns:
        The table's new version.

    Raises:
        ValueError: if two rows have one key, or rows do not keep the contract.
        Sealed: if the table may not be rewritten.
        TableOutdated, TableNewer: if it is of another format.
        Conflict: if others committed first on every try.
    """
    unsealed(table, "a merge")
    contract = table.contract
    given = keyed(table, rows)
    keys = _keys(given, contract.key)
    if not table.exists():
        table.append([])
    groups = _by_partition(given, contract.partition_by)
    added = [table.write(group, dict(zip(contract.partition_by, values, strict=True))) for values, group in groups]
    wanted, within = set(keys), {values for values, _ in groups}

    def swap(delta: DeltaTable) -> Swap:
        removed: list[File] = []
        parts = list(added)
        for file in stored(table, delta):
            if tuple(file.partition.values()) not in within:
                continue
            matched = [key in wanted for key in _keys(rows_of(table, file, contract.key), contract.key)]
            parts += _without(table, file, pa.array(matched, pa.bool_()), removed)
        return Swap(removed, parts)

    return _changed(table, swap, "MERGE")


def delete(table: LakeTable, where: Sequence[Condition]) -> int:
    """Rows that fulfil all conditions are deleted; files that hold none of them stay as they are.

    Returns:
        The table's version after it; the same where no row was found.

    Raises:
        ValueError: without a condition; `LakeTable.replace` empties a partition.
        Sealed: if the table may not be rewritten.
        Conflict: if others committed first on every try.
    """
    if not where:
        raise ValueError(f"table {table.contract.path}: found no condition, needed one; every row would be deleted")

    def matched(rows: pa.Table) -> pa.ChunkedArray:
        mask = pa.chunked_array([pa.array([True] * rows.num_rows, pa.bool_())])
        for name, operator, value in where:
            mask = pc.and_(mask, pc.fill_null(_TEST[operator](rows[name], value), False))
        return mask

    return remove(table, [name for name, _, _ in where], matched)


def remove(table: LakeTable, columns: Sequence[str], matched: Callable[[pa.Table], pa.Array | pa.ChunkedArray]) -> int:
    """Rows that a function finds are deleted; files that hold none of them stay as they are.

    Args:
        table: the table.
        columns: what the function needs of a row.
        matched: from rows with these columns to a boolean for each: whether it goes.

    Returns:
        The table's version after it; the same where no row was found.

    Raises:
        Sealed: if the table may not be rewritten.
        Conflict: if others committed first on every try.
    """
    unsealed(table, "a deletion")

    def swap(delta: DeltaTable) -> Swap:
        removed: list[File] = []
        parts: list[Part] = []
        for file in stored(table, delta):
            parts += _without(table, file, matched(rows_of(table, file, columns)), removed)
        return Swap(removed, parts)

    return _changed(table, swap, "DELETE")


def swapped(table: LakeTable, swaps: Sequence[Swap], operation: str) -> int:
    """Commit files with the same rows in the place of others; readers of changes see nothing of it.

    A swap whose files another writer took away meanwhile is left out; what it wrote is for a clean-up.
    """

    def still(delta: DeltaTable) -> Swap:
        there = {file.path for file in stored(table, delta)}
        valid = [swap for swap in swaps if there.issuperset(file.path for file in swap.removed)]
        return Swap([f for swap in valid for f in swap.removed], [part for swap in valid for part in swap.added])

    return _changed(table, still, operation, data_change=False)


def _changed(table: LakeTable, swap: Callable[[DeltaTable], Swap], operation: str, *, data_change: bool = True) -> int:
    """Commit what `swap` makes of the newest version, made anew wherever another writer was faster."""
    for attempt in range(TRIES):
        delta = opened(table.location, table.contract.path)
        require_current(table.contract, Made.opened(delta))
        change = swap(delta)
        if not change.removed and not change.added:
            return int(delta.version())
        try:
            return _commit(table, delta, change, operation, data_change)
        except CommitFailedError:
            time.sleep(random.uniform(0, _PAUSE_S * (attempt + 1)))  # noqa: S311  # no secret, a pause
    raise Conflict(f"table {table.contract.name!r}: found {TRIES} commits by others in a row, try again")


def _commit(table: LakeTable, delta: DeltaTable, change: Swap, operation: str, data_change: bool) -> int:
    now = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
    actions = [part.action() for part in change.added]
    for action in actions:
        action.data_change = data_change
    removals = [RemoveAction(file.path, data_change, now, file.bytes, dict(file.partition)) for file in change.removed]
    contract = table.contract
    delta.create_write_transaction(
        [*actions, *removals],
        "append",
        delta.schema(),
        partition_by=list(contract.partition_by) or None,
        commit_properties=CommitProperties(
            custom_metadata=recorded(change.added) | {"larmor.operation": operation}, max_commit_retries=0
        ),
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False),
    )
    delta.update_incremental()
    if contract.payload:
        index.renew(table.source, contract)
    return int(delta.version())


def _without(table: LakeTable, file: File, matched: pa.Array, removed: list[File]) -> Iterator[Part]:
    """The rest of a file without the matched rows, written anew; a file without matched rows stays."""
    number = pc.sum(matched).as_py() or 0
    if not number:
        return
    removed.append(file)
    if number < len(matched):
        yield table.write(rows_of(table, file).filter(pc.invert(matched)), file.partition)


def keyed(table: LakeTable, rows: pa.Table | Sequence[Mapping[str, object]]) -> pa.Table:
    """Rows of a merge in the contract's columns, partition columns included.

    Raises:
        ValueError: if two rows have one key, or rows do not keep the contract.
    """
    contract = table.contract
    inside = contract.conform(rows if isinstance(rows, pa.Table) else list(rows))
    outside = (
        rows.select(list(contract.partition_by)).to_pydict()
        if isinstance(rows, pa.Table)
        else {name: [row.get(name) for row in rows] for name in contract.partition_by}
    )
    if empty := [name for name, values in outside.items() if None in values]:
        raise ValueError(f"table {contract.path}: found rows without {empty}, needed the partition of every row")
    given = pa.Table.from_arrays(
        [
            pa.array(outside[name], pa.string()) if name in outside else inside[name]
            for name in contract.arrow_schema.names
        ],
        schema=contract.arrow_schema,
    )
    keys = _keys(given, contract.key)
    if len(set(keys)) != len(keys):
        raise ValueError(f"table {contract.path}: found rows of the same key in one merge, needed each key once")
    return given


def _keys(rows: pa.Table, key: Sequence[str]) -> list[tuple[object, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in key), strict=True))


def _by_partition(rows: pa.Table, names: Sequence[str]) -> list[tuple[tuple[str, ...], pa.Table]]:
    if not names:
        return [((), rows)]
    values = _keys(rows, names)
    found = []
    for value in dict.fromkeys(values):
        mask = pa.array([each == value for each in values], pa.bool_())
        found.append((tuple(map(str, value)), rows.filter(mask)))
    return found


def described(file: File) -> str:
    """A part file as JSON, for a unit of work."""
    return json.dumps({"path": file.path, "partition": dict(file.partition), "bytes": file.bytes})


def read_described(text: str) -> File:
    """A part file from JSON."""
    return File(**json.loads(text))
