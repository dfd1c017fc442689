"""Operations on whole tables by delta-spark, for tables that outgrow one machine.

Belongs here: what Spark does better, where its own commit is safe. Appending, replacing, cleaning up and history are
deltalake's on every engine, and so are tables of voxels, whose layout Spark would lose.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import uniform
from time import sleep
from typing import TYPE_CHECKING

import pyarrow as pa

from lake.engines.spark import SparkEngine
from lake.engines.tables import DeltaTables, Rows, require_ordinary
from lake.tables import changes as feed
from lake.tables import rewrite
from lake.tables.formats import Made, require_current
from lake.tables.protocol import opened
from lake.tables.select import Condition, chosen, shaped, sql, there
from lake.tables.table import Conflict, LakeTable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_PAUSE_S = 0.2
"""Pause after the first commit that another writer overtook; Spark's own takes a second."""

_OVERTAKEN = ("DELTA_CONCURRENT", "DELTA_METADATA_CHANGED", "DELTA_PROTOCOL_CHANGED")
"""Beginnings of Spark's words for it: another writer, or an upgrade of the table."""

_READS = ("select", "with")


class CommitUnsafe(ValueError):
    """Spark's own commit could lose data where the table lies; the message says why and what does it instead."""


@dataclass(frozen=True)
class SparkTables(DeltaTables):
    """Through delta-spark where that is better and safe.

    Attributes:
        engine: the Spark engine.
    """

    engine: SparkEngine

    def merge(self, table: LakeTable, rows: Rows) -> int:
        """Rows by key, by Spark's MERGE; tables of voxels by Larmor's own writer.

        Raises:
            CommitUnsafe: if the table lies on S3.
        """
        rewrite.unsealed(table, "a merge")
        if table.contract.payload:
            return super().merge(table, rows)
        _require_safe(table)
        given = rewrite.keyed(table, rows)
        if not table.exists():
            table.append([])
        opened(table.location, table.contract.path)
        source = self._spark.createDataFrame(given)
        on = " AND ".join(f"t.{name} <=> s.{name}" for name in table.contract.key)

        def run() -> None:
            self._spark.sql(
                f"MERGE INTO {_name(table)} t USING {{source}} s ON {on} "
                "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
                source=source,
            )

        return self._committed(table, run)

    def delete(self, table: LakeTable, where: Sequence[Condition]) -> int:
        """Delete rows, by Spark's DELETE; from tables of voxels by Larmor's own writer.

        Raises:
            CommitUnsafe: if the table lies on S3.
        """
        rewrite.unsealed(table, "a deletion")
        if table.contract.payload or not where:
            return super().delete(table, where)
        _require_safe(table)
        condition = sql(table.contract, where, backslashes=True)
        return self._committed(table, lambda: self._run(f"DELETE FROM {_name(table)} WHERE {condition}"))  # noqa: S608

    def select(
        self,
        table: LakeTable,
        columns: Sequence[str] | None = None,
        where: Sequence[Condition] = (),
        partition: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows under conditions."""
        contract, names = table.contract, chosen(table.contract, columns)
        conditions = [*where, *((name, "=", value) for name, value in (partition or {}).items())]
        made = Made.opened(opened(table.location, contract.path, version))
        condition, stored = sql(contract, conditions, made.columns, backslashes=True), there(contract, names, made)
        frame = self._frame(table, version)
        return shaped(contract, names, (frame.where(condition) if condition else frame).select(*stored).toArrow())

    def changes(
        self, table: LakeTable, after: int = -1, until: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Rows that came and went."""
        from pyspark.errors import PySparkException

        names = chosen(table.contract, columns)
        delta = opened(table.location, table.contract.path)
        newest, stored = int(delta.version()), there(table.contract, names, Made.opened(delta))
        last = newest if until is None else min(until, newest)
        if after >= last:
            return feed.net(table.contract, names, None)
        reader = self._spark.read.format("delta").option("readChangeFeed", "true")
        reader = reader.option("startingVersion", after + 1).option("endingVersion", last)
        try:
            rows = reader.load(_uri(table)).select(*stored, feed.TYPE, feed.VERSION).toArrow()
        except PySparkException:
            raise feed.missing(table) from None
        return feed.net(table.contract, names, rows)

    def query(self, question: str, tables: Mapping[str, LakeTable]) -> pa.Table:
        """A question in SQL.

        Raises:
            ValueError: if it does more than ask.
        """
        if not question.lstrip().lower().startswith(_READS):
            raise ValueError(
                "found a statement that is no question, needed SELECT or WITH; tables change by operations"
            )
        for name, table in tables.items():
            self._frame(table, None).createOrReplaceTempView(name)
        return self._spark.sql(question).toArrow()

    def optimize(self, table: LakeTable) -> int:
        """The same rows in better files, by Spark's OPTIMIZE; files of voxels by Larmor's own writer on the executors.

        Raises:
            CommitUnsafe: if the table lies on S3.
        """
        rewrite.unsealed(table, "compaction")
        if table.contract.payload:
            return super().optimize(table)
        _require_safe(table)
        return self._committed(table, lambda: self._run(f"OPTIMIZE {_name(table)}"))

    def z_order(self, table: LakeTable, columns: Sequence[str]) -> int:
        """The same rows, close ones together, by Spark's OPTIMIZE.

        Raises:
            CommitUnsafe: if the table lies on S3.
        """
        require_ordinary(table, "a Z-order")
        _require_safe(table)
        listed = ", ".join(columns)
        return self._committed(table, lambda: self._run(f"OPTIMIZE {_name(table)} ZORDER BY ({listed})"))

    @property
    def _spark(self) -> "SparkSession":
        return self.engine.spark

    def _run(self, statement: str) -> None:
        # what it answers, counts in a type of their own, is not asked for in Arrow, which cannot hold it
        self._spark.sql(statement).collect()

    def _frame(self, table: LakeTable, version: int | None) -> "DataFrame":
        opened(table.location, table.contract.path, version)
        reader = self._spark.read.format("delta")
        return (reader if version is None else reader.option("versionAsOf", version)).load(_uri(table))

    def _committed(self, table: LakeTable, run: Callable[[], None]) -> int:
        """The version after a statement, run again wherever another writer committed first."""
        from pyspark.errors import PySparkException

        require_current(table.contract, Made.opened(opened(table.location, table.contract.path)))
        for attempt in range(rewrite.TRIES):
            try:
                run()
                return table.version()
            except PySparkException as error:
                if not (error.getCondition() or "").startswith(_OVERTAKEN):
                    raise ValueError(
                        f"table {table.contract.path}: found that Spark could not do it "
                        f"({error.getCondition() or type(error).__name__}), needed a table and rows of the contract"
                    ) from None
                sleep(uniform(0, _PAUSE_S * (attempt + 1)))  # noqa: S311  # no secret, a pause
        raise Conflict(f"table {table.contract.name!r}: found {rewrite.TRIES} commits by others in a row, try again")


def _require_safe(table: LakeTable) -> None:
    if not table.location.local:
        raise CommitUnsafe(
            f"table {table.contract.path}: found it on S3, needed a file system for a commit by Spark; beside other "
            "writers Spark loses commits there without an error. The operations of lake.engines.tables.DeltaTables are "
            "safe there, on either engine"
        )


def _uri(table: LakeTable) -> str:
    uri = table.location.uri
    return "s3a" + uri.removeprefix("s3") if uri.startswith("s3://") else uri


def _name(table: LakeTable) -> str:
    return f"delta.`{_uri(table)}`"
