"""Where files of a zone lie: a folder of this machine, or a prefix of S3, with the same promises.

Belongs here: the one shape that every zone's files are reached through: small files (keys, manifests, seals), folders
of them, and their names. Tables are `lake.tables.table`'s business, byte ranges of large files `lake.voxels.sources`';
how each promise is kept is said in `lake.stores.folders` and `lake.stores.objects`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lake.errors import NotLocal
from lake.stores import aws
from lake.stores.aws import ORDINARY, SCHEME, Access
from lake.stores.folders import Folder
from lake.stores.found import Found
from lake.stores.objects import Prefix


@dataclass(frozen=True)
class Location:
    """A folder, or a prefix of S3, that holds files of a zone. Names may name files in folders below, with slashes.

    Attributes:
        root: the folder, or the URI `s3://bucket/prefix`; it is made by the first write.
        private: whether files and folders are for the owner only (0600, 0700), as in the restricted zone; on S3 the
            bucket's policy says who reads.
        access: how the bucket is reached; of no meaning in a folder.
    """

    root: Path | str
    private: bool = False
    access: Access = ORDINARY

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        return not str(self.root).startswith(SCHEME)

    @property
    def path(self) -> Path:
        """The folder, where it is local.

        Raises:
            NotLocal: if it is not.
        """
        if not self.local:
            raise NotLocal(f"{self.uri}: found a prefix of S3, needed a local folder for this step")
        return Path(self.root)

    @property
    def uri(self) -> str:
        """The place as a string that deltalake, pyarrow and DuckDB take."""
        return str(self.root).rstrip("/")

    @property
    def options(self) -> dict[str, str] | None:
        """What deltalake must be told to reach it; None: nothing."""
        return None if self.local else aws.delta_options(self.access)

    def join(self, *parts: str) -> "Location":
        """A folder below this one."""
        if self.local:
            return Location(self.path.joinpath(*parts), self.private, self.access)
        names = [name for part in parts for name in part.split("/") if name not in ("", ".")]
        if ".." in names:
            raise ValueError("found '..' in a name below a prefix of S3, needed names of folders")
        return Location("/".join([self.uri, *names]), self.private, self.access)

    def address(self, name: str) -> str:
        """Where a file is, for a person: its path, or its URI."""
        return f"{self.uri}/{name}"

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of this name."""
        return self._files.exists(name)

    def files(self) -> list[Found]:
        """Every file below, with its size and age, sorted by name; empty where the folder is not there yet."""
        return sorted(self._files.files())

    def walk(self) -> list[str]:
        """Names of all files below, sorted; see `files`."""
        return [found.name for found in self.files()]

    def list(self) -> list[str]:
        """Names of the files and folders here, sorted; empty where the folder is not there yet."""
        return self._files.list()

    def about(self, name: str) -> Found:
        """Size and age of a file.

        Raises:
            FileNotFoundError: if there is none of this name.
        """
        return self._files.about(name)

    def size(self, name: str) -> int:
        """Bytes of a file; see `about`."""
        return self.about(name).bytes

    def read_bytes(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: if there is none of this name.
        """
        return self._files.read(name)

    def sha256(self, name: str) -> str | None:
        """SHA-256 of a file as it is now, hexadecimal; None where it is gone. One on S3 is in memory once."""
        try:
            if not self.local:
                return hashlib.sha256(self.read_bytes(name)).hexdigest()
            with (self.path / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def write_bytes(self, name: str, data: bytes, *, settled: bool = True) -> None:
        """Write a file atomically: a reader sees the old content or the new, also after a crash.

        Args:
            name: the file.
            data: its new content.
            settled: whether it is the new one once this returns, also if the machine then loses power; False: after
                that it may be the old one again, whole.
        """
        self._files.put(name, data, settled=settled)

    def create(self, name: str, data: bytes) -> None:
        """Create a file atomically, if nobody has done so yet.

        Raises:
            FileExistsError: if there is one of this name; its content is untouched.
            lake.stores.objects.UnsafeStore: if the store cannot promise this.
        """
        self._files.create(name, data)

    def upload(self, name: str, source: Path) -> None:
        """Copy a local file here, of any size, atomically."""
        self._files.upload(name, source)

    def stream(self, name: str, file: BinaryIO) -> None:
        """Write what a file object gives, of any size, atomically."""
        self._files.stream(name, file)

    def download(self, name: str, target: Path) -> None:
        """Copy a file from here to a local path, of any size.

        Raises:
            FileNotFoundError: if there is none of this name.
        """
        self._files.download(name, target)

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is no error."""
        self._files.delete(name)

    def make(self) -> None:
        """Get ready for writing: make the folder, with the zone's mode for every folder that was missing.

        Raises:
            lake.stores.objects.UnsafeStore: if it is on a store that cannot tell which of two writers came first.
        """
        self._files.make()

    @property
    def _files(self) -> Folder | Prefix:
        return Folder(self.path, self.private) if self.local else Prefix(self.uri, self.access)
