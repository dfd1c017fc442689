"""Operations on whole tables: one contract, and what every engine does alike through deltalake.

Belongs here: the contract and the implementation without a JVM. delta-spark's is `lake.engines.spark_tables`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import pyarrow as pa
from deltalake import QueryBuilder

from lake.engines.contract import Engine
from lake.tables import compaction, rewrite, upkeep
from lake.tables.changes import changes
from lake.tables.parts import Part
from lake.tables.protocol import opened
from lake.tables.select import Condition, select
from lake.tables.table import LakeTable

Rows: TypeAlias = pa.Table | Sequence[Mapping[str, object]]
"""Rows of a merge, partition columns included."""


class Tables(Protocol):
    """What can be done to a table; the same rows, whichever engine does it."""

    def append(self, table: LakeTable, parts: Sequence[Part]) -> int:
        """Add part files that workers wrote; see `LakeTable.append`."""

    def replace(self, table: LakeTable, partition: Mapping[str, str], parts: Sequence[Part]) -> int:
        """Make part files the whole content of a partition; see `LakeTable.replace`."""

    def merge(self, table: LakeTable, rows: Rows) -> int:
        """Rows by key; see `lake.tables.rewrite.merge`."""

    def delete(self, table: LakeTable, where: Sequence[Condition]) -> int:
        """Delete rows; see `lake.tables.rewrite.delete`."""

    def select(
        self,
        table: LakeTable,
        columns: Sequence[str] | None = None,
        where: Sequence[Condition] = (),
        partition: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows under conditions, of any version; see `lake.tables.select.select`."""

    def changes(
        self, table: LakeTable, after: int = -1, until: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Rows that came and went; see `lake.tables.changes.changes`."""

    def query(self, question: str, tables: Mapping[str, LakeTable]) -> pa.Table:
        """A question in SQL over tables by the names that it uses; it changes nothing."""

    def optimize(self, table: LakeTable) -> int:
        """The same rows in better files; see `lake.tables.compaction.optimize`."""

    def z_order(self, table: LakeTable, columns: Sequence[str]) -> int:
        """The same rows so that those close in several columns lie together.

        It makes sense for a table that is asked by other columns than its partitions, such as all accesses of a
        principal; voxels stay where they are.

        Raises:
            ValueError: if the table holds voxels.
            Sealed: if the table may not be rewritten.
        """

    def vacuum(
        self,
        table: LakeTable,
        keep: Collection[int] = (),
        hours: float = upkeep.RETENTION_HOURS,
        *,
        dry_run: bool = False,
        nobody_writes: bool = False,
    ) -> list[str]:
        """Remove files that nothing needs; see `lake.tables.upkeep.vacuum`."""

    def history(self, table: LakeTable) -> list[upkeep.Commit]:
        """Versions, newest first; see `lake.tables.upkeep.history`."""


@dataclass(frozen=True)
class DeltaTables:
    """Through deltalake, wherever the table lies.

    Attributes:
        engine: where files are rewritten.
    """

    engine: Engine

    def append(self, table: LakeTable, parts: Sequence[Part]) -> int:
        """Add part files."""
        return table.append(parts)

    def replace(self, table: LakeTable, partition: Mapping[str, str], parts: Sequence[Part]) -> int:
        """Make part files the whole content of a partition."""
        return table.replace(partition, parts)

    def merge(self, table: LakeTable, rows: Rows) -> int:
        """Rows by key."""
        return rewrite.merge(table, rows)

    def delete(self, table: LakeTable, where: Sequence[Condition]) -> int:
        """Delete rows."""
        return rewrite.delete(table, where)

    def select(
        self,
        table: LakeTable,
        columns: Sequence[str] | None = None,
        where: Sequence[Condition] = (),
        partition: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows under conditions."""
        return select(table, columns, where, partition, version)

    def changes(
        self, table: LakeTable, after: int = -1, until: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Rows that came and went."""
        return changes(table, after, until, columns)

    def query(self, question: str, tables: Mapping[str, LakeTable]) -> pa.Table:
        """A question in SQL."""
        builder = QueryBuilder()
        for name, table in tables.items():
            builder.register(name, opened(table.location, table.contract.path))
        return pa.RecordBatchReader.from_stream(builder.execute(question)).read_all()

    def optimize(self, table: LakeTable) -> int:
        """The same rows in better files."""
        return compaction.optimize(table, self.engine)

    def z_order(self, table: LakeTable, columns: Sequence[str]) -> int:
        """The same rows, close ones together."""
        require_ordinary(table, "a Z-order")
        delta = opened(table.location, table.contract.path)
        delta.optimize.z_order(list(columns))
        return int(delta.version())

    def vacuum(
        self,
        table: LakeTable,
        keep: Collection[int] = (),
        hours: float = upkeep.RETENTION_HOURS,
        *,
        dry_run: bool = False,
        nobody_writes: bool = False,
    ) -> list[str]:
        """Remove files that nothing needs."""
        return upkeep.vacuum(table, keep, hours, dry_run=dry_run, nobody_writes=nobody_writes)

    def history(self, table: LakeTable) -> list[upkeep.Commit]:
        """Versions, newest first."""
        return upkeep.history(table)


def require_ordinary(table: LakeTable, operation: str) -> None:
    """Refuse a table whose files only Larmor's own writer may write.

    Raises:
        Sealed: if it is sealed.
        ValueError: if it holds voxels.
    """
    rewrite.unsealed(table, operation)
    if table.contract.payload:
        raise ValueError(
            f"table {table.contract.path}: found voxels in it, needed a table without for {operation}; other engines "
            "lose their layout"
        )
