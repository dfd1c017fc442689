"""The files behind a table: which commits name each of them, and which are still on disk.

Belongs here: files as storage costs and withdrawals see them: those of the newest version, those that only older
versions need, and those that no commit names. Rows are read through `lake.table`.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from lake.table import LakeTable

LOG = "_delta_log"


@dataclass(frozen=True)
class DataFile:
    """A part file of a table.

    Attributes:
        path: where it is, or was.
        bytes: its size.
        rows: its rows.
        written: when it was written.
        partition: value of each partition column.
        since: first version that holds it; None where no commit names it, which a crash before a commit leaves.
        until: first version that no longer holds it; None where the newest does, or no commit names it.
        on_disk: whether it is still there; a clean-up (VACUUM) removes what only older versions need.
    """

    path: Path
    bytes: int
    rows: int
    written: dt.datetime
    partition: Mapping[str, str]
    since: int | None
    until: int | None
    on_disk: bool

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
    found = _named(table)
    root = table.location.path
    for path in sorted(root.rglob("*.parquet")) if root.is_dir() else []:
        name = path.relative_to(root).as_posix()
        if name not in found and not name.startswith(LOG):
            found[name] = _orphan(path, name)
    return [found[name] for name in sorted(found)]


def log_files(table: LakeTable) -> list[Path]:
    """Files of the table's Delta log, in the order of their names; every reader needs them."""
    folder = table.location.path / LOG
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def commits(table: LakeTable) -> Iterator[tuple[int, str]]:
    """Version and text of each commit that the log still has, oldest first."""
    for path in log_files(table):
        if path.suffix == ".json" and path.stem.isdigit():
            yield int(path.stem), path.read_text(encoding="utf-8")


def _named(table: LakeTable) -> dict[str, DataFile]:
    found: dict[str, DataFile] = {}
    root, first = table.location.path, True
    for version, text in commits(table):
        if first and version:
            # another engine expired the beginning of the log: what the first version left holds is known from its state
            found |= {file.path.relative_to(root).as_posix(): file for file in _state(table, version)}
        first = False
        for action in map(json.loads, text.splitlines()):
            if removed := action.get("remove"):
                name = unquote(removed["path"])
                if name in found:
                    found[name] = replace(found[name], until=version)
            elif added := action.get("add"):
                name = unquote(added["path"])
                known = found.get(name)
                since = known.since if known else version
                found[name] = _file(root / name, added, version if since is None else since)
    return found


def _file(path: Path, added: Mapping[str, Any], since: int) -> DataFile:
    on_disk = path.is_file()
    statistics = json.loads(added.get("stats") or "{}")
    rows = statistics.get("numRecords")
    if rows is None:
        rows = pq.read_metadata(path).num_rows if on_disk else 0
    written = dt.datetime.fromtimestamp(added["modificationTime"] / 1000, dt.UTC)
    return DataFile(path, added["size"], rows, written, dict(added["partitionValues"]), since, None, on_disk)


def _state(table: LakeTable, version: int) -> Iterator[DataFile]:
    delta = DeltaTable(table.location.uri, version=version)
    for row in pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all().to_pylist():
        path = table.location.path / unquote(row["path"])
        partition = {name: row[f"partition.{name}"] for name in table.contract.partition_by}
        written = dt.datetime.fromtimestamp(row["modification_time"] / 1000, dt.UTC)
        yield DataFile(
            path, row["size_bytes"], row.get("num_records") or 0, written, partition, version, None, path.is_file()
        )


def _orphan(path: Path, name: str) -> DataFile:
    pairs = (part.partition("=") for part in name.split("/")[:-1])
    partition = {key: unquote(value) for key, mark, value in pairs if mark}
    about = path.stat()
    written = dt.datetime.fromtimestamp(about.st_mtime, dt.UTC)
    return DataFile(path, about.st_size, _rows(path), written, partition, None, None, True)


def _rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowInvalid, OSError):
        return 0  # a crash in the middle of a write leaves a file without a footer
