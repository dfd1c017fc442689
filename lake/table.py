"""A Delta table under its contract: part files written by anybody, commits by one path.

Belongs here: writing part files that keep the contract, committing them, reading them back. Workers call `write` and
return the parts; only the driver calls `replace` or `append`. Every commit goes through deltalake, on every engine
(docs/decisions/0002-one-commit-path.md).
"""

import datetime as dt
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction

from lake import index
from lake.errors import TableMissing, TableOutdated
from lake.sources import LocalFiles
from lake.storage import Location
from schemas.contract import Table

_COMMIT_TRIES = 30
"""Tries of a commit that another writer overtook; a commit takes milliseconds, so 30 outlast any burst seen."""

_STATISTICS_WIDTH = 64
"""Longest string that goes into a file's statistics; longer ones would only bloat the log."""

_CHECKPOINT_INTERVAL = "100"
"""Commits between Delta checkpoints; opening a table then reads at most this many small JSON files."""

_NEVER = "1000000000"
"""Checkpoint interval of sealed tables, for every engine that may write them."""


class Conflict(RuntimeError):
    """Another writer committed first; read again, then try again."""


@dataclass(frozen=True)
class Part:
    """A part file that is written and waits for its commit.

    Attributes:
        table: the contract's path, `<zone>/<table>`.
        path: the file, relative to the table.
        bytes: its size.
        rows: its rows.
        partition: value of each partition column.
        statistics: Delta statistics as JSON.
    """

    table: str
    path: str
    bytes: int
    rows: int
    partition: Mapping[str, str]
    statistics: str

    def action(self) -> AddAction:
        """The Delta action that adds the file."""
        now = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
        return AddAction(self.path, self.bytes, dict(self.partition), now, True, self.statistics)


@dataclass(frozen=True)
class LakeTable:
    """One table of the lake."""

    contract: Table
    location: Location

    def write(self, rows: Sequence[Mapping[str, object]] | pa.Table, partition: Mapping[str, str]) -> Part:
        """Write rows into one part file, durable but not yet part of the table.

        Args:
            rows: rows that keep the contract; partition columns may be left out.
            partition: value of each partition column.

        Raises:
            ValueError: if rows or partition do not keep the contract.
        """
        if set(partition) != set(self.contract.partition_by):
            raise ValueError(
                f"table {self.contract.name!r}: found partition {sorted(partition)}, "
                f"needed {sorted(self.contract.partition_by)}"
            )
        table = self.contract.conform(rows if isinstance(rows, pa.Table) else list(rows))
        folder = "/".join(f"{name}={quote(partition[name], safe='')}" for name in self.contract.partition_by)
        name = f"part-{uuid.uuid4().hex}.parquet"
        path = f"{folder}/{name}" if folder else name
        target = self.location.join(folder) if folder else self.location
        target.make()
        _write_parquet(table, target.path / name, self.contract.payload, private=target.private)
        size = (target.path / name).stat().st_size
        return Part(self.contract.path, path, size, table.num_rows, dict(partition), _statistics(table))

    def replace(
        self, partition: Mapping[str, str], parts: Sequence[Part], metadata: Mapping[str, str] | None = None
    ) -> int:
        """Make `parts` the whole content of a partition, in one commit.

        Args:
            partition: partition columns and values; may name fewer columns than the table has.
            parts: files that `write` made; none empties the partition.
            metadata: kept in the commit.

        Returns:
            The table's new version.
        """
        filters = [(name, "=", value) for name, value in partition.items()]
        for _ in range(_COMMIT_TRIES):
            try:
                return self._commit(self._created(), parts, "overwrite", metadata, filters)
            except CommitFailedError:
                continue
        raise Conflict(f"table {self.contract.name!r}: found {_COMMIT_TRIES} commits by others in a row, try again")

    def append(
        self,
        parts: Sequence[Part],
        metadata: Mapping[str, str] | None = None,
        expected_version: int | None = None,
    ) -> int:
        """Add `parts` to the table, in one commit.

        Args:
            parts: files that `write` made.
            metadata: kept in the commit.
            expected_version: the version this append builds on; None: whichever is newest.

        Returns:
            The table's new version.

        Raises:
            Conflict: if `expected_version` was given and is not the newest.
        """
        table = self._created()
        if expected_version is None:
            return self._commit(table, parts, "append", metadata, None)
        if table.version() != expected_version:
            raise Conflict(f"table {self.contract.name!r}: found version {table.version()}, needed {expected_version}")
        try:
            return self._commit(table, parts, "append", metadata, None, retries=0)
        except CommitFailedError:
            raise Conflict(f"table {self.contract.name!r}: another writer committed first; read again") from None

    @property
    def source(self) -> LocalFiles:
        """The table's files."""
        return LocalFiles(self.location)

    def exists(self) -> bool:
        """Whether the table has a commit."""
        return DeltaTable.is_deltatable(self.location.uri)

    def version(self) -> int:
        """Newest version; -1 where there is no table yet."""
        return self._delta().version() if self.exists() else -1

    def files(self, partition: Mapping[str, str] | None = None, version: int | None = None) -> list[Path]:
        """Part files of a partition or of the whole table, in a stable order.

        Raises:
            TableMissing: if the table has no commit yet.
        """
        return [self.location.path / path for path, _ in self._adds(partition, version)]

    def partitions(self, version: int | None = None) -> list[dict[str, str]]:
        """Values of the partition columns that have rows; empty where there is no table yet."""
        if not self.exists():
            return []
        seen = {tuple(sorted(values.items())) for _, values in self._adds(None, version)}
        return [dict(values) for values in sorted(seen)]

    def read(
        self,
        columns: Sequence[str] | None = None,
        partition: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows as an Arrow table.

        Args:
            columns: which; None: all but the payload.
            partition: only rows of this partition.
            version: the table as of this version; None: newest.

        Raises:
            TableMissing: if the table has no commit yet.
            TableOutdated: if it has not all columns of the contract.
        """
        names = list(columns or (c.name for c in self.contract.columns if c.name != self.contract.payload))
        self._require(names, version)
        schema = pa.schema([self.contract.arrow_schema.field(name) for name in names])
        stored = [name for name in names if name not in self.contract.partition_by]
        tables = []
        for path, values in self._adds(partition, version):
            # without a stored column there is still a number of rows to know
            rows = pq.read_table(self.location.path / path, columns=stored or self.contract.file_schema.names[:1])
            arrays = [
                pa.array([values[n]] * rows.num_rows, pa.string()) if n in values else rows[n].combine_chunks()
                for n in names
            ]
            tables.append(pa.Table.from_arrays(arrays, names=names).cast(schema))
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def rows(
        self,
        columns: Sequence[str] | None = None,
        partition: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> list[dict[str, Any]]:
        """Rows as dictionaries; empty where there is no table yet."""
        return self.read(columns, partition, version).to_pylist() if self.exists() else []

    def _delta(self, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self.location.uri, version=version)
        except TableNotFoundError:
            raise TableMissing(
                f"found no table {self.contract.path} in this lake, needed one; materialize the asset "
                f"{self.contract.path} first (larmor run DELIVERY)"
            ) from None

    def _require(self, names: Sequence[str], version: int | None) -> None:
        there = {field.name for field in self._delta(version).schema().fields}
        if missing := [name for name in names if name not in there]:
            raise TableOutdated(
                f"table {self.contract.path}: found no columns {missing} in it, needed them; it was made by another "
                "version of Larmor, so use that one, or move the table away and materialize its deliveries again"
            )

    def _adds(self, partition: Mapping[str, str] | None, version: int | None) -> list[tuple[str, dict[str, str]]]:
        # asking pyarrow for a table of it would import pandas
        actions = pa.RecordBatchReader.from_stream(self._delta(version).get_add_actions(flatten=True)).read_all()
        found = [
            (unquote(row["path"]), {name: row[f"partition.{name}"] for name in self.contract.partition_by})
            for row in actions.to_pylist()
        ]
        wanted = (partition or {}).items()
        return sorted((f for f in found if all(f[1][k] == v for k, v in wanted)), key=lambda f: (str(f[1]), f[0]))

    def _created(self) -> DeltaTable:
        if not self.exists():
            self.location.make()
            # another process may create it at the same time: both then use the one that is there
            try:
                return DeltaTable.create(
                    self.location.uri,
                    self.contract.arrow_schema,
                    mode="error",
                    name=self.contract.name,
                    description=self.contract.meaning,
                    partition_by=list(self.contract.partition_by) or None,
                    # without it delta-rs commits a second creation as version 1, schema and all
                    commit_properties=CommitProperties(max_commit_retries=0),
                    configuration={
                        "delta.checkpointInterval": _NEVER if self.contract.sealed else _CHECKPOINT_INTERVAL
                    },
                )
            except DeltaError:
                if not self.exists():
                    raise
        return self._delta()

    def _commit(
        self,
        table: DeltaTable,
        parts: Sequence[Part],
        mode: str,
        metadata: Mapping[str, str] | None,
        filters: list[tuple[str, str, str]] | None,
        retries: int | None = None,
    ) -> int:
        if strangers := {part.table for part in parts} - {self.contract.path}:
            raise ValueError(f"table {self.contract.path}: found parts of {sorted(strangers)}, needed its own")
        table.create_write_transaction(
            [part.action() for part in parts],
            mode,
            self.contract.arrow_schema,
            partition_by=list(self.contract.partition_by) or None,
            partition_filters=filters,
            commit_properties=CommitProperties(custom_metadata=dict(metadata or {}), max_commit_retries=retries),
            post_commithook_properties=PostCommitHookProperties(
                create_checkpoint=not self.contract.sealed, cleanup_expired_logs=False
            ),
        )
        table.update_incremental()
        if self.contract.payload:
            index.renew(self.source, self.contract)
        return table.version()


def _write_parquet(table: pa.Table, path: Path, payload: str | None, *, private: bool) -> None:
    """Write one file; a payload column lies uncompressed and alone in its page, one row group a row."""
    others = [name for name in table.column_names if name != payload]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    try:
        # Arrow writes by itself: through a file object of Python every byte would be copied once more
        pq.write_table(
            table,
            str(path),
            row_group_size=1 if payload else 256,
            compression=dict.fromkeys(others, "zstd") | ({payload: "none"} if payload else {}),
            compression_level=dict.fromkeys(others, 1),
            use_dictionary=False if payload else [n for n in others if pa.types.is_string(table.schema.field(n).type)],
            write_statistics=False
            if payload
            else [n for n in others if not pa.types.is_binary(table.schema.field(n).type)],
            data_page_version="1.0",
            store_schema=True,
        )
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _statistics(table: pa.Table) -> str:
    """Delta statistics: rows, and the range of short scalar columns, which is what data skipping needs."""
    import pyarrow.compute as pc

    low: dict[str, object] = {}
    high: dict[str, object] = {}
    nulls: dict[str, int] = {}
    for field in table.schema:
        scalar = pa.types.is_string(field.type) or pa.types.is_integer(field.type)
        if not scalar or not table.num_rows:
            continue
        nulls[field.name] = table[field.name].null_count
        bounds = pc.min_max(table[field.name]).as_py()
        values = (bounds["min"], bounds["max"])
        if None not in values and all(not isinstance(v, str) or len(v) <= _STATISTICS_WIDTH for v in values):
            low[field.name], high[field.name] = values
    return json.dumps({"numRecords": table.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls})
