"""What a worker hands back: part files it wrote, and small rows for the driver to write.

Belongs here: the one shape of every stage's results, as an Arrow record batch that any engine can carry.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from lake.tables.parts import Part
from lake.tables.table import LakeTable
from schemas.contract import Table

SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("path", pa.string()),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("statistics", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("handed", pa.binary()),
    ]
)
"""Rows without a path carry small rows in `handed`, an Arrow IPC stream; the others name a part file."""


@dataclass
class Written:
    """What a worker made, or what a driver has collected of all workers."""

    parts: list[Part] = field(default_factory=list)
    handed: dict[str, list[pa.Table]] = field(default_factory=dict)

    def hand(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        """Hand small rows to the driver, which writes those of all workers into one file."""
        if rows:
            self.handed.setdefault(table.path, []).append(table.conform(list(rows)))

    def add(self, other: "Written") -> None:
        """Take over what another worker made."""
        self.parts.extend(other.parts)
        for path, tables in other.handed.items():
            self.handed.setdefault(path, []).extend(tables)

    def rows(self, table: Table) -> list[dict[str, object]]:
        """The rows handed for a table."""
        return [row for rows in self.handed.get(table.path, []) for row in rows.to_pylist()]

    def count(self, table: Table) -> int:
        """Rows for a table, written and handed."""
        written = sum(part.rows for part in self.parts if part.table == table.path)
        return written + sum(int(rows.num_rows) for rows in self.handed.get(table.path, []))

    def commit(self, table: LakeTable, partition: Mapping[str, str]) -> int:
        """Make everything for a table the whole content of a partition, in one commit.

        Args:
            table: the table.
            partition: the partition, all of its columns.

        Returns:
            The table's new version.
        """
        contract = table.contract
        parts = [part for part in self.parts if part.table == contract.path]
        if handed := self.handed.get(contract.path):
            # workers finish in any order; sorted by key, the rows are the same in every run
            rows = pa.concat_tables(handed)
            keys = [(name, "ascending") for name in contract.key if name in rows.column_names]
            parts.append(table.write(rows.sort_by(keys) if keys else rows, partition))
        return table.replace(partition, parts)

    def batch(self) -> pa.RecordBatch:
        """As a record batch of `SCHEMA`."""
        rows = [
            {
                "table": part.table,
                "path": part.path,
                "bytes": part.bytes,
                "rows": part.rows,
                "partition": json.dumps(dict(part.partition)),
                "statistics": part.statistics,
                "sha256": part.sha256,
                "handed": None,
            }
            for part in self.parts
        ]
        for path, tables in self.handed.items():
            for table in tables:
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, table.schema) as stream:
                    stream.write_table(table)
                rows.append(
                    {
                        "table": path,
                        "path": None,
                        "bytes": 0,
                        "rows": table.num_rows,
                        "partition": "{}",
                        "statistics": "",
                        "sha256": "",
                        "handed": sink.getvalue().to_pybytes(),
                    }
                )
        return pa.RecordBatch.from_pylist(rows, SCHEMA)

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> "Written":
        """From a record batch of `SCHEMA`."""
        written = cls()
        for row in batch.to_pylist():
            if row["path"] is None:
                written.handed.setdefault(row["table"], []).append(pa.ipc.open_stream(row["handed"]).read_all())
            else:
                told = {name: row[name] for name in ("table", "path", "bytes", "rows", "statistics", "sha256")}
                written.parts.append(Part(partition=json.loads(row["partition"]), **told))
        return written
