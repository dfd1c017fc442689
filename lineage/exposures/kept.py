"""Adding rows to the tables of exposures, which grow by a few rows at a time, and keeping their files few.

Belongs here: appends that build on what was read, and small files put together. What the rows say is said elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from lake.tables.protocol import opened
from lake.tables.rewrite import Swap, rows_of, stored, swapped
from lake.tables.table import Conflict, LakeTable

_TRIES = 100
"""Tries of an addition that others overtook; a training is recorded in a second, and few end at the same time."""

_MOST_FILES = 64
"""Small files of a table before they are put together: a question opens each of them, in half a millisecond."""

_SMALL = 16 * 2**20
"""Bytes from which a file is opened seldom enough to stay as it is."""

_BATCH = 256
"""Rows in memory at once, each of up to some tens of kilobytes."""

Rows = Sequence[Mapping[str, Any]]


def add(table: LakeTable, rows: Callable[[], Rows]) -> None:
    """Add rows that build on what the table holds.

    Args:
        table: a table without partitions.
        rows: from the table as it is now to the rows to add; called again where another writer was faster.

    Raises:
        Conflict: if others were faster on every try.
    """
    if not table.exists():
        table.append([])
    for _ in range(_TRIES):
        version = table.version()
        new = rows()
        if not new:
            return None
        try:
            table.append([table.write(new, {})], expected_version=version)
        except Conflict:
            continue
        return _put_together(table)
    raise Conflict(f"table {table.contract.name!r}: found {_TRIES} commits by others in a row, try again")


def read(table: LakeTable, columns: Sequence[str]) -> pa.Table:
    """Rows of a table, empty where it is not there yet."""
    if table.exists():
        return table.read(columns)
    return pa.schema([table.contract.arrow_schema.field(name) for name in columns]).empty_table()


def batches(table: LakeTable, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The same, some rows at a time, of a table that is too large to be in memory at once."""
    for name in table.names() if table.exists() else ():
        with table.source.parquet(name) as parquet:
            yield from parquet.iter_batches(_BATCH, columns=list(columns), use_threads=False)


def _put_together(table: LakeTable) -> None:
    """The rows of small files in one file."""
    if len(table.live()) <= _MOST_FILES:
        return
    small = [file for file in stored(table, opened(table.location, table.contract.path)) if file.bytes < _SMALL]
    if len(small) > _MOST_FILES:
        rows = pa.concat_tables([rows_of(table, file) for file in small])
        swapped(table, [Swap(small, [table.write(rows, {})])], "OPTIMIZE")
