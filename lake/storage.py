"""Files of a zone: atomic writes, exclusive creation, private modes.

Belongs here: single small files (keys, manifests, seals). Tables are `lake.table`'s business. Zones lie in local
folders; other stores get an implementation with the same promises here.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700
_OPEN_FILE, _OPEN_FOLDER = 0o644, 0o755


@dataclass(frozen=True)
class Location:
    """A folder that holds files of a zone.

    Attributes:
        path: the folder; it is made by the first write.
        private: whether files and folders are for the owner only (0600, 0700), as in the restricted zone.
    """

    path: Path
    private: bool = False

    @property
    def uri(self) -> str:
        """The folder as a string that deltalake, pyarrow and DuckDB take."""
        return str(self.path)

    def join(self, *parts: str) -> "Location":
        """A folder below this one."""
        return Location(self.path.joinpath(*parts), self.private)

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of this name."""
        return (self.path / name).exists()

    def list(self) -> list[str]:
        """Names of the files and folders here, sorted; empty where the folder is not there yet."""
        return sorted(p.name for p in self.path.iterdir()) if self.path.is_dir() else []

    def read_bytes(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: if there is none of this name.
        """
        return (self.path / name).read_bytes()

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a file atomically: a reader sees the old content or the new, also after a crash."""
        with self._temporary(data) as temporary:
            temporary.replace(self.path / name)
            _sync_folder(self.path)

    def create(self, name: str, data: bytes) -> None:
        """Create a file atomically, if nobody has done so yet.

        Raises:
            FileExistsError: if there is one of this name; its content is untouched.
        """
        with self._temporary(data) as temporary:
            # a hard link fails where the name is taken, whoever took it, and never shows a half-written file
            os.link(temporary, self.path / name)
            _sync_folder(self.path)

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is no error."""
        (self.path / name).unlink(missing_ok=True)

    def make(self) -> None:
        """Make the folder, with the zone's mode for every folder that was missing."""
        missing = [p for p in (self.path, *self.path.parents) if not p.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=_PRIVATE_FOLDER if self.private else _OPEN_FOLDER, exist_ok=True)

    @contextlib.contextmanager
    def _temporary(self, data: bytes) -> Iterator[Path]:
        self.make()
        temporary = self.path / f".{secrets.token_hex(8)}.tmp"
        mode = _PRIVATE_FILE if self.private else _OPEN_FILE
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
