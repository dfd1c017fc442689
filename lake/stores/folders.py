"""Files of a zone in a folder of this machine: atomic writes, exclusive creation, private modes.

Belongs here: the local half of `lake.stores.storage`; whoever uses a zone's files goes through
`lake.stores.storage.Location`.
"""

import contextlib
import datetime as dt
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lake.stores.found import Found

_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700
_OPEN_FILE, _OPEN_FOLDER = 0o644, 0o755


def unwritable(place: Path) -> str | None:
    """Why nothing can be written at a place that is not there yet, found and needed; None: it can.

    Asked before work whose result goes there, which would be lost, or on the record and nowhere.
    """
    above = next(folder for folder in place.absolute().parents if folder.exists())
    if not above.is_dir():
        return "found a file where the output's folder is to be, needed a folder"
    if not os.access(above, os.W_OK | os.X_OK):
        return "found an output's folder that may not be written to, needed one that may"
    return None


@dataclass(frozen=True)
class Folder:
    """A folder; see `lake.stores.storage.Location` for what each method promises."""

    path: Path
    private: bool

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of this name."""
        return (self.path / name).exists()

    def list(self) -> list[str]:
        """Names of the files and folders here."""
        return sorted(p.name for p in self.path.iterdir()) if self.path.is_dir() else []

    def files(self) -> Iterator[Found]:
        """Every file below; one that goes while this looks is left out."""
        for folder, _, names in os.walk(self.path):
            # once a folder: of every file by itself it would take longer than to ask for its size
            below = "" if folder == str(self.path) else f"{Path(folder).relative_to(self.path).as_posix()}/"
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    about = os.stat(f"{folder}/{name}")  # noqa: PTH116
                    yield Found(below + name, about.st_size, dt.datetime.fromtimestamp(about.st_mtime, dt.UTC))

    def about(self, name: str) -> Found:
        """One file."""
        about = (self.path / name).stat()
        return Found(name, about.st_size, dt.datetime.fromtimestamp(about.st_mtime, dt.UTC))

    def read(self, name: str) -> bytes:
        """Content of a file."""
        return (self.path / name).read_bytes()

    def put(self, name: str, data: bytes, *, settled: bool = True) -> None:
        """Write a file atomically."""
        with self._temporary(name) as (file, temporary):
            file.write(data)
            self._finish(file, temporary, name, settled=settled)

    def create(self, name: str, data: bytes) -> None:
        """Create a file, if nobody has done so yet."""
        with self._temporary(name) as (file, temporary):
            file.write(data)
            _sync(file)
            # a hard link fails where the name is taken, whoever took it, and never shows a half-written file
            os.link(temporary, self.path / name)
            _sync_folder((self.path / name).parent)

    def upload(self, name: str, source: Path) -> None:
        """Copy a file in, atomically."""
        with source.open("rb") as given:
            self.stream(name, given)

    def stream(self, name: str, given: BinaryIO) -> None:
        """Write what a file object gives, atomically."""
        with self._temporary(name) as (file, temporary):
            shutil.copyfileobj(given, file, 1 << 20)
            self._finish(file, temporary, name)

    def download(self, name: str, target: Path) -> None:
        """Copy a file out."""
        shutil.copyfile(self.path / name, target)

    def delete(self, name: str) -> None:
        """Delete a file."""
        (self.path / name).unlink(missing_ok=True)

    def make(self) -> None:
        """Make the folder, with the zone's mode for every folder that was missing."""
        self._make(self.path)

    def _make(self, path: Path) -> None:
        missing = [p for p in (path, *path.parents) if not p.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=_PRIVATE_FOLDER if self.private else _OPEN_FOLDER, exist_ok=True)

    def _finish(self, file: BinaryIO, temporary: Path, name: str, *, settled: bool = True) -> None:
        _sync(file)
        temporary.replace(self.path / name)
        if settled:
            _sync_folder((self.path / name).parent)

    @contextlib.contextmanager
    def _temporary(self, name: str) -> Iterator[tuple[BinaryIO, Path]]:
        beside = (self.path / name).parent
        self._make(beside)
        temporary = beside / f".{secrets.token_hex(8)}.tmp"
        mode = _PRIVATE_FILE if self.private else _OPEN_FILE
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                yield file, temporary
        finally:
            temporary.unlink(missing_ok=True)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
