"""Where the files of a table lie: a folder of this machine, mapped into memory, or a prefix of S3, read by byte ranges.

Belongs here: bytes of files by name. What they mean is said elsewhere. Nothing here outlives a process: an opened
source can be sent to others, forked or spawned, and each opens files on its own.
"""

import contextlib
import mmap
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import Buffer

from lake.stores import aws
from lake.stores.storage import Location

_KEPT_FILES, _KEPT_FOOTERS = 256, 16
"""Files kept open and footers kept parsed; a mapping costs a descriptor, a footer up to some megabytes."""

_SURELY_DEAD_S = 3600.0
"""Age from which a half-written file is nobody's."""

_T = TypeVar("_T")


class UnreadableFile(OSError):
    """A file is cut off or damaged, so that nobody can tell what it held."""


class Source(Protocol):
    """A folder of files; paths are relative to it, with slashes."""

    @property
    def uri(self) -> str:
        """The folder as deltalake takes it."""

    @property
    def options(self) -> dict[str, str] | None:
        """What deltalake must be told to reach it."""

    def names(self, folder: str) -> list[str]:
        """Names in a folder; empty where there is none."""

    def read(self, path: str, length: int | None = None) -> tuple[bytes, int]:
        """The first bytes of a file, or all, and its size.

        Raises:
            FileNotFoundError: if there is none.
        """

    def part(self, path: str, offset: int, length: int) -> Buffer:
        """Bytes of a file; fewer where it ends before.

        Raises:
            FileNotFoundError: if there is none.
            UnreadableFile: if it is empty.
        """

    def parquet(self, path: str) -> pq.ParquetFile:
        """A Parquet file; its footer is kept for the next call.

        Raises:
            FileNotFoundError: if there is none.
            UnreadableFile: if it has no whole footer.
        """

    def write(self, path: str, data: bytes) -> None:
        """Write a file, all of it or nothing."""

    def delete(self, path: str) -> None:
        """Delete a file; one that is not there is no error."""


class _Kept(dict[str, Any]):
    """Opened things by name, the oldest dropped; several threads at worst open one twice."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def of(self, name: str, make: Callable[[], _T]) -> _T:
        found: _T | None = self.get(name)
        if found is None:
            found = self[name] = make()
            while len(self) > self._limit:
                # views of a mapping may still be in use: it closes when they are gone
                with contextlib.suppress(RuntimeError, StopIteration):
                    self.pop(next(iter(self)), None)
        return found


class LocalFiles:
    """A folder of this machine."""

    def __init__(self, location: Location) -> None:
        """Set a folder; nothing is read."""
        self._location = location
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"_location": self._location}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    @property
    def location(self) -> Location:
        """The folder as a location."""
        return self._location

    @property
    def uri(self) -> str:
        """The folder."""
        return self._location.uri

    @property
    def options(self) -> dict[str, str] | None:
        """Nothing."""
        return None

    def names(self, folder: str) -> list[str]:
        """Names in a folder; those of files on their way to another name are left out."""
        return [name for name in self._location.join(folder).list() if not name.startswith(".")]

    def read(self, path: str, length: int | None = None) -> tuple[bytes, int]:
        """The first bytes of a file, or all, and its size."""
        with (self._location.path / path).open("rb") as file:
            return file.read(length), os.fstat(file.fileno()).st_size

    def part(self, path: str, offset: int, length: int) -> Buffer:
        """A view of the mapped file."""
        return memoryview(self._mapped.of(path, lambda: self._map(path)))[offset : offset + length]

    def parquet(self, path: str) -> pq.ParquetFile:
        """A Parquet file."""
        file = self._location.path / path
        changed = file.stat().st_mtime_ns
        return _parquet(pa.memory_map(str(file)), self._footers, f"{path}@{changed}")

    def write(self, path: str, data: bytes) -> None:
        """Write a file atomically, and remove what a killed writer left beside it."""
        where = self._location.join(str(PurePosixPath(path).parent))
        for name in where.list():
            if name.endswith(".tmp") and _age(where.path / name) > _SURELY_DEAD_S:
                where.delete(name)
        where.write_bytes(PurePosixPath(path).name, data)

    def delete(self, path: str) -> None:
        """Delete a file."""
        self._location.delete(path)

    def _map(self, path: str) -> mmap.mmap:
        with (self._location.path / path).open("rb") as file:
            try:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:
                raise UnreadableFile("found an empty file") from None

    def _forget(self) -> None:
        self._mapped, self._footers = _Kept(_KEPT_FILES), _Kept(_KEPT_FOOTERS)


class ObjectFiles:
    """A prefix of S3, or of a store that speaks its protocol.

    Read by Arrow, which needs no Python for it; written and deleted through `lake.stores.storage`, as all of a zone is.
    """

    def __init__(self, location: Location | str) -> None:
        """Set a prefix; nothing is read.

        Args:
            location: where it is; a URI is reached by the ordinary chain of AWS credentials.
        """
        self._location = Location(location) if isinstance(location, str) else location
        self._store: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_location": self._location, "_store": None}

    @property
    def uri(self) -> str:
        """The prefix."""
        return self._location.uri

    @property
    def options(self) -> dict[str, str] | None:
        """The caller, the place and the key."""
        return self._location.options

    def names(self, folder: str) -> list[str]:
        """Names below a prefix."""
        return self._location.join(folder).list()

    def read(self, path: str, length: int | None = None) -> tuple[bytes, int]:
        """The first bytes of an object, or all, and its size."""
        with self._told(path):
            file = self._open(path)
            size = int(file.size())
            return bytes(file.read_at(size if length is None else min(length, size), 0)), size

    def part(self, path: str, offset: int, length: int) -> Buffer:
        """A byte range of an object, in one request."""
        with self._told(path):
            self._connect()
            file = self._files.of(path, lambda: self._open(path))
            return memoryview(file.read_at(length, offset))

    def parquet(self, path: str) -> pq.ParquetFile:
        """A Parquet file."""
        with self._told(path):
            return _parquet(self._open(path), self._footers, path)

    def write(self, path: str, data: bytes) -> None:
        """Write an object; a reader sees all of it or nothing."""
        self._location.write_bytes(path, data)

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._location.delete(path)

    def _open(self, path: str) -> Any:
        self._connect()
        return self._store.open_input_file(f"{self.uri.removeprefix('s3://')}/{path}")

    def _connect(self) -> None:
        # a process that was forked has connections of its own, and so has a caller whose credentials were renewed
        store = aws.filesystem(self._location.access)
        if store is not self._store:
            self._store, self._files, self._footers = store, _Kept(_KEPT_FILES), _Kept(_KEPT_FOOTERS)

    @contextlib.contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, UnreadableFile):
            raise
        except OSError as error:
            # Arrow often has no more to say than a number: asked another way, the store says why
            self._location.about(path)
            raise aws.translated(error, f"{self.uri}/{path}") from None


def files_of(location: Location) -> Source:
    """The files of a location, for reading by byte ranges."""
    return LocalFiles(location) if location.local else ObjectFiles(location)


def source_of(uri: str | Path) -> Source:
    """The files at an `s3://` URI or in a local folder.

    Raises:
        ValueError: if it is a URI of another kind.
    """
    text = str(uri)
    if text.startswith("s3://"):
        return ObjectFiles(text)
    if "://" in text:
        raise ValueError(f"found a URI of the kind {text.partition('://')[0]}, needed a local folder or s3://")
    return LocalFiles(Location(Path(text).expanduser().absolute()))


def _parquet(file: Any, footers: _Kept, name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, metadata=footers.of(name, lambda: pq.read_metadata(file)))
    except pa.ArrowInvalid:
        raise UnreadableFile("found a file that is no whole Parquet file") from None


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
