"""The files behind a table: which commits name each of them, and which are still on disk.

Belongs here: files as storage costs and withdrawals see them: those of the newest version, those that only older
versions need, and those that no commit names. Rows are read through `lake.tables.table`.
"""

import datetime as dt
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from lake.stores.found import Found
from lake.tables.parts import FILES
from lake.tables.table import LakeTable

LOG = "_delta_log"


@dataclass(frozen=True)
class DataFile:
    """A part file of a table.

    Attributes:
        path: where it is, or was, relative to the table; its bytes are read through `LakeTable.source`.
        bytes: its size.
        rows: its rows.
        written: when it was written.
        partition: value of each partition column.
        since: first version that holds it; None where no commit names it, which a crash before a commit leaves.
        until: first version that no longer holds it; None where the newest does, or no commit names it.
        on_disk: whether it is still there; a clean-up (VACUUM) removes what only older versions need.
        sha256: digest of its bytes when it was written, hexadecimal; None where no commit says so, as of files that
            another engine wrote.
    """

    path: str
    bytes: int
    rows: int
    written: dt.datetime
    partition: Mapping[str, str]
    since: int | None
    until: int | None
    on_disk: bool
    sha256: str | None = None

    @property
    def newest(self) -> bool:
        """Whether the newest version holds it."""
        return self.since is not None and self.until is None

    @property
    def orphan(self) -> bool:
        """Whether no commit names it."""
        return self.since is None

    def in_version(self, version: int) -> bool:
        """Whether a version holds it."""
        return self.since is not None and self.since <= version and (self.until is None or version < self.until)


def data_files(table: LakeTable) -> list[DataFile]:
    """Every part file that a commit names or that lies in the table's folder, sorted by path."""
    there = {found.name: found for found in table.location.files() if found.name.endswith(".parquet")}
    named = _named(table, there)
    for name, found in there.items():
        if name not in named and not name.startswith(f"{LOG}/"):
            named[name] = _orphan(table, found)
    return [named[name] for name in sorted(named)]


def log_files(table: LakeTable) -> list[Found]:
    """Files of the table's Delta log, named relative to it and in that order; every reader needs them."""
    return [found for found in table.location.join(LOG).files() if "/" not in found.name]


def commits(table: LakeTable) -> Iterator[tuple[int, str]]:
    """Version and text of each commit that the log still has, oldest first."""
    log = table.location.join(LOG)
    for name in log.list():
        number, _, kind = name.partition(".")
        if kind == "json" and number.isdigit():
            yield int(number), log.read_bytes(name).decode("utf-8")


def _named(table: LakeTable, there: Container[str]) -> dict[str, DataFile]:
    named: dict[str, DataFile] = {}
    first = True
    for version, text in commits(table):
        if first and version:
            # another engine expired the beginning of the log: what the first version left holds is known from its state
            named |= {file.path: file for file in _state(table, version, there)}
        first = False
        actions = [json.loads(line) for line in text.splitlines()]
        digests = _digests(actions)
        for action in actions:
            if removed := action.get("remove"):
                name = unquote(removed["path"])
                if name in named:
                    named[name] = replace(named[name], until=version)
            elif added := action.get("add"):
                name = unquote(added["path"])
                known = named.get(name)
                since = known.since if known else version
                file = _file(table, name, added, version if since is None else since, on_disk=name in there)
                named[name] = replace(file, sha256=digests.get(name) or (known.sha256 if known else None))
    return named


def _digests(actions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """SHA-256 of each file that a commit adds, as far as it says so."""
    told = next((action["commitInfo"].get(FILES) for action in actions if "commitInfo" in action), None)
    return dict(json.loads(told)) if told else {}


def _file(table: LakeTable, name: str, added: Mapping[str, Any], since: int, *, on_disk: bool) -> DataFile:
    statistics = json.loads(added.get("stats") or "{}")
    rows = statistics.get("numRecords")
    if rows is None:
        rows = _rows(table, name) if on_disk else 0
    written = dt.datetime.fromtimestamp(added["modificationTime"] / 1000, dt.UTC)
    return DataFile(name, added["size"], rows, written, dict(added["partitionValues"]), since, None, on_disk)


def _state(table: LakeTable, version: int, there: Container[str]) -> Iterator[DataFile]:
    delta = DeltaTable(table.location.uri, version=version, storage_options=table.location.options)
    for row in pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all().to_pylist():
        name = unquote(row["path"])
        partition = {name: row[f"partition.{name}"] for name in table.contract.partition_by}
        written = dt.datetime.fromtimestamp(row["modification_time"] / 1000, dt.UTC)
        rows = row.get("num_records") or 0
        yield DataFile(name, row["size_bytes"], rows, written, partition, version, None, name in there)


def _orphan(table: LakeTable, found: Found) -> DataFile:
    pairs = (part.partition("=") for part in found.name.split("/")[:-1])
    partition = {key: unquote(value) for key, mark, value in pairs if mark}
    return DataFile(found.name, found.bytes, _rows(table, found.name), found.changed, partition, None, None, True)


def _rows(table: LakeTable, name: str) -> int:
    try:
        return int(table.source.parquet(name).metadata.num_rows)
    except OSError:
        return 0  # a crash in the middle of a write leaves a file without a footer
