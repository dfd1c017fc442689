"""Which part files of a table hold a value of a column, at a cost that does not grow with the lake.

Belongs here: a sorted list of hashes for each column that is asked for, beside the data. It is never the truth: what it
leads to is read from the data files. It learns of files that commits added when it is asked the next time, forgets
those that are gone, and is made again from the data where it is lost. Lists are merged as they grow, so that many
small ones never gather and a large one is seldom written.
"""

import contextlib
import hashlib
import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lake.tables.checkpoint import File, mark
from lake.tables.table import LakeTable
from lake.voxels.sources import LocalFiles, Source, UnreadableFile

FOLDER = "_index/keys"
"""Beside the partitions; Delta's readers and its clean-up leave names that begin with _ alone."""

_GROWTH = 4
"""A list is merged with those that are up to so many times as long: each entry is then written a few times at most."""

_KEPT_LISTS = 64
"""Lists in memory: those of the columns that the stations of a delivery ask for, some 200 bytes a file."""

_SCHEMA = pa.schema([pa.field("hash", pa.uint64()), pa.field("file", pa.int32())])


@dataclass(frozen=True)
class _List:
    """Hashes of some files, sorted.

    Attributes:
        name: its file; empty: not kept yet.
        files: the files it knows of, also those without a value.
        hashes: (n,) sorted.
        places: (n,) number of each hash's file.
    """

    name: str
    files: tuple[str, ...]
    hashes: NDArray[np.uint64]
    places: NDArray[np.int32]

    def of(self, value: str | None) -> NDArray[np.int32]:
        """Numbers of the files that hold a value."""
        wanted = np.uint64(_hash(value))
        first, last = np.searchsorted(self.hashes, wanted, "left"), np.searchsorted(self.hashes, wanted, "right")
        return self.places[first:last]

    @cached_property
    def known(self) -> frozenset[str]:
        """The files it knows of."""
        return frozenset(self.files)

    @cached_property
    def order(self) -> NDArray[np.uint64]:
        """(n,) place of each file's partition in an order by chance, which is the same in every run."""
        digests = (hashlib.sha256(file.rpartition("/")[0].encode()).digest() for file in self.files)
        return np.array([int.from_bytes(digest[:8], "big") for digest in digests], np.uint64)


@dataclass(frozen=True)
class Holders:
    """Where the values of a column are, in the newest version as it was when this was opened."""

    _live: Mapping[str, File]
    _lists: Sequence[_List]

    @classmethod
    def open(cls, table: LakeTable, column: str) -> "Holders":
        """Look at a column.

        Args:
            table: the table.
            column: a column of strings; not one of the partition.

        Raises:
            FileNotFoundError, UnreadableFile: if a file that was added cannot be read.
        """
        live = table.live()
        return cls(live, _renewed(table.source, column, live))

    def of(self, value: str | None) -> list[File]:
        """Part files that hold a value, sorted by path.

        Values are compared without case and surrounding blanks, and by a hash, which in a lake of any size is wrong
        less than once in a million questions: whoever acts on it reads the rows.

        Args:
            value: what is looked for; None: no value, as an empty one.
        """
        found = {one.files[place] for one in self._lists for place in one.of(value).tolist()}
        return [self._live[path] for path in sorted(found)]

    def some(self, value: str | None, number: int) -> list[File]:
        """At most so many of the part files that hold a value, at a cost that does not grow with the lake.

        The choice goes by a hash of the partition, so that it neither prefers old nor new files, and is the same again.
        """
        found = dict[str, int]()
        for one in self._lists:
            places = one.of(value)
            order = one.order[places]
            least = np.argpartition(order, number - 1)[:number] if len(order) > number else np.arange(len(order))
            found |= {one.files[places[at]]: int(order[at]) for at in least.tolist()}
        return [self._live[path] for path in heapq.nsmallest(number, found, key=lambda path: (found[path], path))]


def _renewed(source: Source, column: str, live: Mapping[str, File]) -> list[_List]:
    """Lists that know of all files that there are and no other; what had to be made is kept."""
    folder = f"{FOLDER}/{column}"
    kept = [one for one in (_load(source, folder, name) for name in source.names(folder)) if one is not None]
    there = set(live)
    added = sorted(there.difference(*(one.known for one in kept)))
    outdated = [one for one in kept if not one.known <= there]
    if not added and not outdated:
        return kept
    fresh = _read(source, column, added)
    merged, rest = (
        [fresh, *outdated],
        sorted((one for one in kept if one not in outdated), key=lambda one: len(one.files)),
    )
    while rest and len(rest[0].files) <= _GROWTH * sum(len(one.files) for one in merged):
        merged.append(rest.pop(0))
    made = _merged(merged, live)
    with contextlib.suppress(OSError):  # a lake that cannot be written to is asked as well
        _keep(source, folder, made)
        for one in merged:
            if one.name and one.name != made.name:
                source.delete(f"{folder}/{one.name}")
    return [made, *rest]


def _once(lists: Iterable[_List]) -> list[_List]:
    """Lists without files that an earlier one knows: two processes may have learned of a file at once."""
    seen: set[str] = set()
    found = []
    for one in lists:
        again = [number for number, file in enumerate(one.files) if file in seen]
        keep = ~np.isin(one.places, again) if again else np.ones(len(one.places), bool)
        found.append(_List(one.name, one.files, one.hashes[keep], one.places[keep]))
        seen.update(one.files)
    return found


def _read(source: Source, column: str, files: list[str]) -> _List:
    hashes: list[int] = []
    places: list[int] = []
    for number, file in enumerate(files):
        rows = source.parquet(file).read([column], use_threads=False)
        # in a part file that is older than the column every row has an empty value
        values = rows[column].unique().to_pylist() if column in rows.column_names else [None]
        found = sorted({_hash(value) for value in values})
        hashes += found
        places += [number] * len(found)
    return _List("", tuple(files), np.array(hashes, np.uint64), np.array(places, np.int32))


def _merged(lists: Iterable[_List], live: Mapping[str, File]) -> _List:
    """One list of several, without files that are gone."""
    numbers: dict[str, int] = {}
    hashes, places = [], []
    for one in _once(lists):
        moved = np.array([numbers.setdefault(f, len(numbers)) if f in live else -1 for f in one.files], np.int32)
        there = moved[one.places] if len(one.places) else one.places
        hashes.append(one.hashes[there >= 0])
        places.append(there[there >= 0])
    joined, where = np.concatenate(hashes), np.concatenate(places)
    order = np.argsort(joined, kind="stable")
    return _named(_List("", tuple(numbers), joined[order], where[order]))


def _named(one: _List) -> _List:
    digest = hashlib.sha256("\n".join(one.files).encode()).hexdigest()[:32]
    return _List(f"{digest}.arrow", one.files, one.hashes, one.places)


def _keep(source: Source, folder: str, one: _List) -> None:
    schema = _SCHEMA.with_metadata({"files": json.dumps(one.files)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_table(pa.table([pa.array(one.hashes), pa.array(one.places)], schema=schema))
    body = sink.getvalue().to_pybytes()
    source.write(f"{folder}/{one.name}", hashlib.sha256(body).digest() + body)


def _load(source: Source, folder: str, name: str) -> _List | None:
    """A kept list; None where it is gone, or not as it was written."""
    try:
        if isinstance(source, LocalFiles):
            path = source.location.join(folder).path / name
            return _local(path, *mark(path))
        return _parsed(name, source.read(f"{folder}/{name}")[0])
    except (OSError, UnreadableFile):
        return None


@lru_cache(_KEPT_LISTS)
def _local(path: Path, *_: int) -> _List | None:
    """A list in a folder, read once as long as the file is the same."""
    return _parsed(path.name, path.read_bytes())


def _parsed(name: str, data: bytes) -> _List | None:
    body = memoryview(data)[32:]
    if hashlib.sha256(body).digest() != data[:32]:
        return None
    rows = pa.ipc.open_stream(pa.py_buffer(body)).read_all()
    files = tuple(json.loads(rows.schema.metadata[b"files"]))
    return _List(name, files, rows["hash"].to_numpy(), rows["file"].to_numpy())


def _hash(value: str | None) -> int:
    plain = (value or "").strip().casefold().encode()
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "big")
