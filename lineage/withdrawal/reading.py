"""The key columns of part files: which different rows each holds, and how often, without their payload.

Belongs here: reading as little as says it. Which columns decide is `lineage.withdrawal.belonging`.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from lake.tables import footer
from lake.tables.files import DataFile
from lake.voxels.sources import Source, UnreadableFile
from lake.zones import Lake
from lineage.withdrawal.belonging import Scope, columns, needed
from schemas.contract import Table

COUNT = "count"
"""Column with how often a row stands in its file."""

_AT_ONCE = 4
"""Files read at the same time; Arrow decodes them outside the interpreter's lock."""


@dataclass(frozen=True)
class Reader:
    """Reads the key columns of a table's part files.

    Attributes:
        table: the table.
        source: its files.
    """

    table: Table
    source: Source

    @classmethod
    def of(cls, lake: Lake, table: Table) -> "Reader":
        """A reader of a table of a lake."""
        return cls(table, lake.table(table).source)

    def each(self, files: Sequence[DataFile], scope: Scope) -> Iterator[tuple[DataFile, pa.Table | None]]:
        """Each file with the columns that decide whether its rows belong to a scope, as `rows`."""
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            yield from zip(files, readers.map(lambda file: self._deciding(file, scope), files), strict=True)

    def rows(self, file: DataFile, wanted: Sequence[str]) -> pa.Table | None:
        """Different rows of a file and how often each is there.

        Args:
            file: the file.
            wanted: columns, those of the partition among them.

        Returns:
            These columns and `COUNT`; None where the file was cut off in writing.
        """
        stored = [name for name in wanted if name not in file.partition]
        try:
            rows = _distinct(self._read(file, stored)) if stored else _alike(self._count(file))
        except (pa.ArrowInvalid, UnreadableFile):
            return None
        for name in wanted:
            if name in file.partition:
                rows = rows.append_column(name, pa.repeat(pa.scalar(file.partition[name]), rows.num_rows))
        return rows

    def _deciding(self, file: DataFile, scope: Scope) -> pa.Table | None:
        rows = self.rows(file, needed(self.table, scope))
        if rows is not None and scope.kind in rows.column_names and rows[scope.kind].null_count:
            return self.rows(file, columns(self.table))  # rows that do not say it themselves
        return rows

    def _read(self, file: DataFile, stored: Sequence[str]) -> pa.Table:
        schema = pa.schema([self.table.file_schema.field(name) for name in stored])
        # what another engine wrote has no digest, and may carry a footer's words of other rows along
        if self.table.payload and file.sha256:
            said = footer.read(self.source, file.path, file.bytes, schema)
            if said is not None:
                return said
        with self.source.parquet(file.path) as parquet:
            return self.table.completed(parquet.read(columns=list(stored), use_threads=False), stored)

    def _count(self, file: DataFile) -> int:
        with self.source.parquet(file.path) as parquet:
            return int(parquet.metadata.num_rows)


def _distinct(rows: pa.Table) -> pa.Table:
    """Different rows and how often each is there; rows with lists as they are, Arrow does not group by lists."""
    if any(pa.types.is_list(kind) for kind in rows.schema.types) or not rows.num_rows:
        return rows.append_column(COUNT, pa.repeat(pa.scalar(1, pa.int64()), rows.num_rows))
    grouped = rows.group_by(rows.column_names, use_threads=False)
    return grouped.aggregate([([], "count_all")]).rename_columns({"count_all": COUNT})


def _alike(count: int) -> pa.Table:
    """Rows that their partition says everything of."""
    return pa.table({COUNT: pa.array([count] if count else [], pa.int64())})
