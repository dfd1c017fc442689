"""One file into the staging folder: by byte ranges at once, resumed where a killed process left it, checked at the end.

Belongs here: copying and checking a file. Which files and whether there is room is said by others.
"""

import errno
import hashlib
import os
import threading
import time
import zlib
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lake.staging.cache import Cache
from lake.staging.errors import StagingError
from lake.staging.leases import claimed
from lake.voxels.sources import Source, UnreadableFile

RANGE = 8 << 20
"""Bytes asked for at once: large enough that a request's delay is small beside it, small enough to be many at once."""

TRUSTED_S = 3600.0
"""A digest computed within it is not computed again: ranks of one training start at about the same time."""

_END = " ."
"""End of a line in a journal."""


@dataclass(frozen=True)
class File:
    """A file of a table that a release needs.

    Attributes:
        table: path of the table.
        path: the file, relative to the table.
        size: bytes.
        digest: SHA-256 of its content, hexadecimal; None where nothing says it.
        key: see `lake.staging.cache`.
        stated: whether a commit says the digest, and not an earlier copy.
    """

    table: str
    path: str
    size: int
    digest: str | None
    key: str
    stated: bool


def file_of(cache: Cache | None, uri: str, table: str, path: str, size: int, stated: str | None) -> File:
    """A file with its key, and the digest that a commit states, or that was found when it was copied before."""
    name = hashlib.sha256(f"{uri}\n{path}\n{size}".encode()).hexdigest()
    found = stated or (cache.named(name) if cache else None)
    return File(table, path, size, found, found or name, stated is not None)


def fetch(cache: Cache, sources: Iterable[Source], file: File, ranges: Executor) -> tuple[str, int]:
    """Have a file in the cache, whole and checked; another thread or process that copies it is waited for.

    Args:
        cache: the cache, where the caller has reserved room for it.
        sources: where it can be read, the first one first; the next ones are asked if its content is not right.
        file: the file.
        ranges: reads byte ranges.

    Returns:
        The file's digest, and the bytes that were copied now.

    Raises:
        StagingError: if no source has the content that was committed.
        FileNotFoundError: if it is gone.
        UnreadableFile: if it is cut off.
    """
    tries = list(sources)
    with claimed(cache.partial(file.key)) as descriptor:
        journal = _Journal(cache.partial(file.key).with_suffix(".ranges"))
        found = file.digest or cache.named(file.key)
        if found and _sound(cache, found):
            cache.partial(file.key).unlink()
            journal.forget()
            return found, 0
        copied = 0
        # what an earlier process left may be what is wrong, so the last source is asked twice
        for number, source in enumerate((*tries, tries[-1])):
            try:
                copied += _copy(source, file, descriptor, journal, ranges)
            except (FileNotFoundError, UnreadableFile):
                if number < len(tries) - 1:
                    continue
                raise
            found = _digest(cache.partial(file.key))
            if file.digest in (None, found):
                _publish(cache, file, found, descriptor)
                journal.forget()
                return found, copied
            journal.forget()
        cache.partial(file.key).unlink()
    raise StagingError(
        f"table {file.table}: found a part file with another content than was committed, needed it as it was; restore "
        "it from a backup or materialize its delivery again"
    )


def matches(source: Source, file: File, ranges: Executor) -> bool:
    """Whether a file is at a source with its size and, where it is known, its digest; reads all of it."""
    found = hashlib.sha256()
    try:
        if source.read(file.path, 0)[1] != file.size:
            return False
        for part in ranges.map(lambda start: source.part(file.path, start, _length(file, start)), _starts(file)):
            found.update(part)
    except (FileNotFoundError, UnreadableFile):
        return False
    return file.digest in (None, found.hexdigest())


def _sound(cache: Cache, digest: str) -> bool:
    """Whether an object is there with the content it should have; one with another content is removed."""
    there = cache.object(digest)
    if not there.exists():
        return False
    checked = cache.checked(digest)
    if checked is not None and 0 <= time.time() - checked < TRUSTED_S:
        return True
    if _digest(there) != digest:
        there.unlink()
        return False
    cache.check(digest)
    return True


def _copy(source: Source, file: File, descriptor: int, journal: "_Journal", ranges: Executor) -> int:
    """Read the ranges that are not there yet into the descriptor; gives their bytes."""
    there = journal.there(descriptor, file)
    _take_room(descriptor, file.size)

    def copy(start: int) -> int:
        part = memoryview(source.part(file.path, start, _length(file, start)))
        if part.nbytes != _length(file, start):
            raise UnreadableFile(
                f"table {file.table}: found a part file that ends before its {file.size} bytes, needed it whole; "
                "restore it from a backup or materialize its delivery again"
            )
        written = 0
        while written < part.nbytes:
            written += os.pwrite(descriptor, part[written:], start + written)
        journal.note(start, zlib.crc32(part))
        return part.nbytes

    return sum(ranges.map(copy, [start for start in _starts(file) if start not in there]))


def _take_room(descriptor: int, size: int) -> None:
    """Give a file its size, with room on the disk, which is then not found missing in the middle."""
    try:
        if size:
            os.posix_fallocate(descriptor, 0, size)
        os.ftruncate(descriptor, size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise StagingError(
            f"found the disk of the staging folder full, needed {size} bytes; make room and stage the release again, "
            "what was copied is kept"
        ) from None


def _publish(cache: Cache, file: File, digest: str, descriptor: int) -> None:
    os.fsync(descriptor)
    os.fchmod(descriptor, 0o400)
    if file.digest is None:
        cache.name(file.key, digest)
    there = cache.object(digest)
    there.parent.mkdir(parents=True, exist_ok=True)
    cache.partial(file.key).replace(there)
    cache.check(digest)


def _starts(file: File) -> range:
    return range(0, file.size, RANGE)


def _length(file: File, start: int) -> int:
    return min(RANGE, file.size - start)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class _Journal:
    """Which ranges of a partial file are there, each with a checksum: a power cut may keep the note, not the range."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def there(self, descriptor: int, file: File) -> set[int]:
        """Starts of the ranges that are there as they were noted."""
        try:
            lines = self._path.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return set()
        whole = (line.split() for line in lines if line.endswith(_END))
        return {
            int(start)
            for start, checksum, _ in whole
            if str(zlib.crc32(os.pread(descriptor, _length(file, int(start)), int(start)))) == checksum
        }

    def note(self, start: int, checksum: int) -> None:
        """Note a range that was just written; a line that a kill cut short lacks its end mark."""
        with self._lock, self._path.open("a", encoding="ascii") as file:
            file.write(f"{start} {checksum}{_END}\n")

    def forget(self) -> None:
        """Forget all of it."""
        with suppress(FileNotFoundError):
            self._path.unlink()
