"""Part files as the checkpoint and the commits of a Delta log in a local folder name them, kept in memory by a process.

Belongs here: reading either file, once as long as it is the same. A checkpoint names every file that a lake of any size
has, and every station asks for those of one delivery many times: so it is kept as columns, and a file is made of them
when it is asked for. What a log means, and writing to it, is `lake.tables.log`.

Sources: Delta transaction protocol, "Checkpoints", "Actions", "Protocol Evolution" (github.com/delta-io/delta,
PROTOCOL.md).
"""

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.errors import RESTORE, TableDamaged
from lake.tables.formats import Made
from lake.tables.protocol import FEATURES, NAMED, READER, WRITER

_KEPT_CHECKPOINTS = 16
"""Checkpoints in memory, some 120 bytes a file: those of the tables that the stations of a delivery ask for."""

_KEPT_COMMITS = 2048
"""Commits in memory: of each of these tables those since its checkpoint."""

_COLUMNS = ["add.path", "add.partitionValues", "add.size", "protocol", "metaData.schemaString",
            "metaData.partitionColumns", "metaData.configuration"]  # fmt: skip


class Unusual(RuntimeError):
    """A log that only a whole Delta library reads or may write to."""


@dataclass(frozen=True)
class File:
    """A part file of the newest version.

    Attributes:
        path: relative to the table.
        partition: value of each partition column.
        bytes: its size.
    """

    path: str
    partition: Mapping[str, str]
    bytes: int


@dataclass(frozen=True, eq=False)
class Checkpoint(Mapping[str, File]):
    """Part files at a checkpoint, by path.

    Attributes:
        paths: (n,) as the log writes them.
        sizes: (n,) bytes.
        partitions: (n,) values of each partition column.
        made: what the table was made as.
    """

    paths: pa.StringArray
    sizes: pa.Int64Array
    partitions: Mapping[str, pa.StringArray]
    made: Made

    def inside(self, partition: Mapping[str, str]) -> dict[str, File]:
        """Part files of a partition; it may name fewer columns than the table has."""
        if not partition.keys() <= self.partitions.keys():
            return {}
        mask = reduce(pc.and_, (pc.equal(self.partitions[column], value) for column, value in partition.items()))
        files = (self._file(place) for place in pc.indices_nonzero(mask).to_pylist())
        return {file.path: file for file in files}

    def __getitem__(self, path: str) -> File:
        return self._file(self._places[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self.paths)

    def __contains__(self, path: object) -> bool:
        return path in self._places

    @cached_property
    def _places(self) -> dict[str, int]:
        return {unquote(path): place for place, path in enumerate(self.paths.to_pylist())}

    def _file(self, place: int) -> File:
        partition = {column: values[place].as_py() for column, values in self.partitions.items()}
        return File(unquote(self.paths[place].as_py()), partition, self.sizes[place].as_py())


# pa.array would import pandas, a fifth of a second of every command
EMPTY = Checkpoint(pa.nulls(0, pa.string()), pa.nulls(0, pa.int64()), {}, Made())
"""Before the first commit."""


@dataclass(frozen=True, eq=False)
class Changed(Mapping[str, File]):
    """Part files at a checkpoint, less those that later commits removed or named again, and with those they added.

    Attributes:
        before: those at the checkpoint.
        gone: paths of `before` that are not there any more, or stand in `after`.
        after: those that were added, in the order of their commits.
    """

    before: Mapping[str, File]
    gone: Set[str]
    after: Mapping[str, File]

    def __getitem__(self, path: str) -> File:
        if path in self.gone:
            return self.after[path]
        return self.after.get(path) or self.before[path]

    def __iter__(self) -> Iterator[str]:
        return chain((path for path in self.before if path not in self.gone), self.after)

    def __len__(self) -> int:
        return len(self.before) - len(self.gone) + len(self.after)

    def __contains__(self, path: object) -> bool:
        return path in self.after or (path in self.before and path not in self.gone)


@dataclass(frozen=True)
class Change:
    """What a commit says.

    Attributes:
        removed: paths of part files that it removes.
        added: part files that it adds.
        made: what the table is from here on; None where it does not say.
    """

    removed: tuple[str, ...]
    added: tuple[File, ...]
    made: Made | None


def checkpoint(path: Path) -> Checkpoint:
    """What a checkpoint of one file holds.

    Raises:
        FileNotFoundError: if it is not there.
        TableDamaged: if it is not whole.
        Unusual: if it has features of other engines.
    """
    return _checkpoint(path, *mark(path))


def change(path: Path) -> Change:
    """What a commit says.

    Raises:
        FileNotFoundError: if it is not there.
        TableDamaged: if it is not whole.
        Unusual: if it has features of other engines.
    """
    return _change(path, *mark(path))


def mark(path: Path) -> tuple[int, int, int]:
    """What tells a file from another of the same name, which a table that was made again has."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(_KEPT_CHECKPOINTS)
def _checkpoint(path: Path, *_: int) -> Checkpoint:
    data = pa.BufferReader(path.read_bytes())
    try:
        with pq.ParquetFile(data) as parquet:
            rows = parquet.read(columns=_COLUMNS, use_threads=False).combine_chunks()
    except (pa.ArrowInvalid, OSError):
        raise damaged(path) from None
    for protocol in rows["protocol"].drop_null().to_pylist():
        _require(protocol)
    metadata = rows["metaData"].drop_null().to_pylist()[0]
    adds = rows["add"].combine_chunks().drop_null()
    values = adds.field("partitionValues")
    partitions = {name: pc.map_lookup(values, name, "first").cast(pa.string()) for name in metadata["partitionColumns"]}
    return Checkpoint(adds.field("path"), adds.field("size"), partitions, _made(metadata))


@lru_cache(_KEPT_COMMITS)
def _change(path: Path, *_: int) -> Change:
    removed, added = [], []
    made = None
    for action in _actions(path):
        if protocol := action.get("protocol"):
            _require(protocol)
        if metadata := action.get("metaData"):
            made = _made(metadata)
        if file := action.get("remove"):
            removed.append(unquote(file["path"]))
        if file := action.get("add"):
            if file.get("deletionVector"):
                raise Unusual
            added.append(File(unquote(file["path"]), file["partitionValues"], file["size"]))
    return Change(tuple(removed), tuple(added), made)


def _actions(path: Path) -> list[dict[str, Any]]:
    """Of a commit; there is always one that says who made it, or what the table is."""
    try:
        found = [json.loads(line) for line in path.read_bytes().splitlines() if line]
    except ValueError:
        found = []
    if not found:
        raise damaged(path)
    return found


def damaged(path: Path) -> TableDamaged:
    """The error that a file of a log is not whole.

    Args:
        path: the file, `<zone>/<table>/_delta_log/<name>` below wherever its zone lies.
    """
    return TableDamaged(f"{'/'.join(path.parts[-4:])}: found a file that is not whole, needed it as written; {RESTORE}")


def _require(protocol: Mapping[str, Any]) -> None:
    writer = protocol["minWriterVersion"]
    known = writer <= WRITER or (writer == NAMED and FEATURES.issuperset(protocol.get("writerFeatures") or []))
    if protocol["minReaderVersion"] > READER or not known:
        raise Unusual


def _made(metadata: Mapping[str, Any]) -> Made:
    if dict(metadata.get("configuration") or {}).get("delta.appendOnly") == "true":
        raise Unusual
    return Made.of(metadata)
