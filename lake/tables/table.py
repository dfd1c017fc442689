"""A Delta table under its contract: part files written by anybody, commits by one path.

Belongs here: writing part files that keep the contract, committing them, reading them back. Workers call `write` and
return the parts; only the driver calls `replace` or `append`. Commits are made in one place, on every engine
(docs/decisions/0002-one-commit-path.md).
"""

import contextlib
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.errors import TableMissing
from lake.stores import aws
from lake.stores.storage import Location
from lake.tables import formats, log
from lake.tables.checkpoint import File, Unusual
from lake.tables.creation import CHECKPOINT_INTERVAL, create
from lake.tables.formats import Made
from lake.tables.parts import Part, recorded, statistics
from lake.tables.parts import write as write_part
from lake.tables.protocol import opened
from lake.tiering import archived
from lake.voxels import index
from lake.voxels.sources import Source, files_of
from schemas.contract import Table

_COMMIT_TRIES = 60
"""Tries of a commit that another writer overtook, with growing pauses: enough for tens of writers at once."""

_LONGEST_PAUSE_S = 0.5
"""Longest pause between two tries."""


class Conflict(RuntimeError):
    """Another writer committed first; read again, then try again."""


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
            TableOutdated, TableNewer: if what is written could not be committed, where that is known at once.
        """
        if not self.contract.sealed:  # whose columns are for ever
            with contextlib.suppress(Unusual):  # elsewhere the commit says it
                self._fit(log.made(self.location))
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
        size, digest = write_part(table, target, name, self.contract.payload)
        return Part(self.contract.path, path, size, table.num_rows, dict(partition), statistics(table), digest)

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

        Raises:
            TableOutdated: if the table must be brought forward first.
            TableNewer: if a newer Larmor made it.
        """
        self._create()
        if (version := self._directly(parts, metadata, partition)) is not None:
            return version
        filters = [(name, "=", value) for name, value in partition.items()]
        return self._retried(parts, "overwrite", metadata, filters)

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
            TableOutdated, TableNewer: as `replace`.
        """
        self._create()
        if expected_version is not None and not self.contract.sealed:
            self._fit(self.made())
        if (version := self._directly(parts, metadata, None, expected_version)) is not None:
            return version
        if expected_version is None:
            return self._retried(parts, "append", metadata, None)
        table = self._delta()
        if table.version() != expected_version:
            raise Conflict(f"table {self.contract.name!r}: found version {table.version()}, needed {expected_version}")
        if (version := self._commit(table, parts, "append", metadata, None)) is None:
            raise Conflict(f"table {self.contract.name!r}: another writer committed first; read again")
        return version

    @property
    def source(self) -> Source:
        """The table's files."""
        return files_of(self.location)

    def exists(self) -> bool:
        """Whether the table has a commit."""
        return log.there(self.location)

    def version(self) -> int:
        """Newest version; -1 where there is no table yet."""
        try:
            return log.newest(self.location)
        except Unusual:
            return self._delta().version() if self.exists() else -1

    def made(self) -> Made:
        """What the newest version was made as, under which contract.

        Raises:
            TableMissing: if the table has no commit yet.
        """
        with contextlib.suppress(Unusual):
            if (found := log.made(self.location)).columns:
                return found
        return Made.opened(self._delta())

    def names(self, partition: Mapping[str, str] | None = None, version: int | None = None) -> list[str]:
        """Part files of a partition or of the whole table, relative to the table, in a stable order.

        They are read through `source`, wherever the table lies.

        Raises:
            TableMissing: if the table has no commit yet.
        """
        return [path for path, _ in self._adds(self._state(partition, version))]

    def live(self, partition: Mapping[str, str] | None = None) -> Mapping[str, File]:
        """Part files of the newest version, of a partition or of the whole table; none where there is no table yet."""
        return self._state(partition, None).files if self.exists() else {}

    def files(self, partition: Mapping[str, str] | None = None, version: int | None = None) -> list[Path]:
        """Part files as `names` gives them, of a table in a local folder.

        Raises:
            TableMissing: if the table has no commit yet.
            NotLocal: if the table lies on S3.
        """
        return [self.location.path / path for path in self.names(partition, version)]

    def partitions(self, version: int | None = None) -> list[dict[str, str]]:
        """Values of the partition columns that have rows; empty where there is no table yet."""
        if not self.exists():
            return []
        seen = {tuple(sorted(values.items())) for _, values in self._adds(self._state(None, version))}
        return [dict(values) for values in sorted(seen)]

    def read(
        self,
        columns: Sequence[str] | None = None,
        partition: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Rows as an Arrow table; those written before a column was have what its contract says of older rows.

        Args:
            columns: which; None: all but the payload.
            partition: only rows of this partition.
            version: the table as of this version; None: newest.

        Raises:
            TableMissing: if the table has no commit yet.
            TableOutdated: if it lacks a column that the contract cannot complete.
            lake.tiering.archived.Archived: if files must be restored first.
        """
        names = list(columns or (c.name for c in self.contract.columns if c.name != self.contract.payload))
        found = self._state(partition, version)
        formats.require_readable(self.contract, found.made, names)
        schema = pa.schema([self.contract.arrow_schema.field(name) for name in names])
        stored = [name for name in names if name not in self.contract.partition_by]
        tables, source = [], self.source
        archived.check(source, self.contract.path, lambda: found.files)
        for path, values in self._adds(found):
            # without a stored column there is still a number of rows to know
            rows = source.parquet(path).read(columns=stored or self.contract.file_schema.names[:1])
            rows = self.contract.completed(rows, stored) if stored else rows
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
            return opened(self.location, self.contract.path, version)
        except TableMissing:
            raise
        except OSError as error:
            raise aws.translated(error, self.location.uri) from None

    def _state(self, partition: Mapping[str, str] | None, version: int | None) -> log.State:
        """A version with its files in a partition; the newest is read at a cost that does not grow with the lake."""
        if version is None:
            try:
                found = log.state(self.location, partition)
            except Unusual:
                pass
            else:
                return found if found.version >= 0 else self._opened(partition, version)
        return self._opened(partition, version)

    def _opened(self, partition: Mapping[str, str] | None, version: int | None) -> log.State:
        delta = self._delta(version)
        # asking pyarrow for a table of it would import pandas
        actions = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all()
        columns = {name: f"partition.{name}" for name in self.contract.partition_by}
        rows = actions.select(["path", "size_bytes", *columns.values()]).to_pylist()
        files = [File(unquote(row["path"]), {n: row[c] for n, c in columns.items()}, row["size_bytes"]) for row in rows]
        wanted = (partition or {}).items()
        inside = {file.path: file for file in files if all(file.partition[k] == v for k, v in wanted)}
        return log.State(delta.version(), inside, len(files), Made.opened(delta))

    def _fit(self, made: Made) -> None:
        if made.columns:
            formats.require_current(self.contract, made)

    def _adds(self, found: log.State) -> list[tuple[str, dict[str, str]]]:
        names = self.contract.partition_by
        files = [(path, {name: file.partition[name] for name in names}) for path, file in found.files.items()]
        return sorted(files, key=lambda f: (str(f[1]), f[0]))

    def _create(self) -> None:
        if not self.location.local:
            self.location.make()  # asked of the store once a process, before anything is committed
        if not self.exists():
            create(self.contract, self.location)

    def _directly(
        self,
        parts: Sequence[Part],
        metadata: Mapping[str, str] | None,
        partition: Mapping[str, str] | None,
        expected: int | None = None,
    ) -> int | None:
        """Commit without opening the table; None where only a Delta library may write to its log."""
        self._own(parts)
        said = recorded(parts) | dict(metadata or {})
        try:
            if partition is None:
                done = log.append(self.location, parts, said, self._fit, expected)
            else:
                done = log.replace(self.location, partition, parts, said, self._fit)
        except Unusual:
            return None
        except FileExistsError:
            raise Conflict(f"table {self.contract.name!r}: another writer committed first; read again") from None
        if done.since_checkpoint >= CHECKPOINT_INTERVAL and not self.contract.sealed:
            with contextlib.suppress(DeltaError, OSError):  # without it the next commit makes one
                self._delta().create_checkpoint()
        if self.contract.payload:
            index.renew(self.source, self.contract, None if done.removed else done.files, len(parts))
        return done.version

    def _commit(
        self,
        table: DeltaTable,
        parts: Sequence[Part],
        mode: str,
        metadata: Mapping[str, str] | None,
        filters: list[tuple[str, str, str]] | None,
    ) -> int | None:
        """Commit after the version that was opened; None where another writer came first."""
        self._own(parts)
        self._fit(Made.opened(table))
        before = table.version()
        try:
            table.create_write_transaction(
                [part.action() for part in parts],
                mode,
                table.schema(),  # the contract's would take back what a column gained later may be: empty
                partition_by=list(self.contract.partition_by) or None,
                partition_filters=filters,
                # what it would do again is done here, where a commit of our own whose answer was lost is known
                commit_properties=CommitProperties(
                    custom_metadata=recorded(parts) | dict(metadata or {}), max_commit_retries=0
                ),
                post_commithook_properties=PostCommitHookProperties(
                    create_checkpoint=not self.contract.sealed, cleanup_expired_logs=False
                ),
            )
            table.update_incremental()
            version = table.version()
        except (DeltaError, OSError) as error:
            landed = self._landed(parts, before)
            if landed is None:
                if isinstance(error, CommitFailedError):
                    return None
                raise aws.translated(error, self.location.uri) from None
            version = landed
        if self.contract.payload:
            index.renew(self.source, self.contract)
        return version

    def _retried(
        self,
        parts: Sequence[Part],
        mode: str,
        metadata: Mapping[str, str] | None,
        filters: list[tuple[str, str, str]] | None,
    ) -> int:
        for attempt in range(_COMMIT_TRIES):
            if (version := self._commit(self._delta(), parts, mode, metadata, filters)) is not None:
                return version
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_S, 0.005 * 2**attempt)))  # noqa: S311  # spreads writers
        raise Conflict(f"table {self.contract.name!r}: found {_COMMIT_TRIES} commits by others in a row, try again")

    def _landed(self, parts: Sequence[Part], before: int) -> int | None:
        """The commit after a version that adds our parts, whose names are nobody else's; None where there is none."""
        commits, version = self.location.join(log.FOLDER), before + 1
        names = [part.path.rpartition("/")[2].encode() for part in parts]
        while names:
            try:
                commit = commits.read_bytes(log.name(version))
            except FileNotFoundError:
                break
            if names[0] in commit:
                return version
            version += 1
        return None

    def _own(self, parts: Sequence[Part]) -> None:
        if strangers := {part.table for part in parts} - {self.contract.path}:
            raise ValueError(f"table {self.contract.path}: found parts of {sorted(strangers)}, needed its own")
