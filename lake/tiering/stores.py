"""What a mover asks of the place where files lie: a verified copy on another tier, then the change of place.

Belongs here: the shape that folders and S3 share, and which of them a table has.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from lake.tables.table import LakeTable
from schemas.prices import PriceBook, StorageClass


class MoveFailed(OSError):
    """A file could not be moved; nothing was removed, and the message says what to do."""


class NotYet(OSError):
    """A file is on its way back from an archive; ask again later."""


class Store(Protocol):
    """Tiers of one table. Both steps may be done again after a crash at any point."""

    def prepare(self, path: str, source: StorageClass, target: StorageClass, sha256: str | None) -> str:
        """Make sure that a whole copy is on its way to the tier, or that the file is what it should be.

        Args:
            path: the file, relative to the table.
            source: class it is in.
            target: class it is to be in.
            sha256: digest that it must have; None: nobody has recorded one.

        Returns:
            SHA-256 of the copy, read back.

        Raises:
            FileNotFoundError: if there is no such file any more.
            MoveFailed: if its bytes are not what they should be.
            NotYet: if it must be restored first.
        """

    def finish(self, path: str, source: StorageClass, target: StorageClass, sha256: str) -> None:
        """Change places: the file is read from its new tier from now on, and no other copy is left."""

    def ask(self, path: str, source: StorageClass, way: str) -> bool:
        """Ask for an archived file to be restored; returns whether it can be read already.

        Args:
            path: the file.
            source: class it is in.
            way: name of the way to restore (`schemas.prices.Restore`).
        """


def store_of(table: LakeTable, tiers: Mapping[str, Path], book: PriceBook) -> Store:
    """The tiers of a table: storage classes where it lies on S3, folders where it is local.

    Args:
        table: the table.
        tiers: storage class to folder (`LARMOR_TIERS`).
        book: prices; its first class is the table's own place.
    """
    from lake.tiering.folders import FolderStore
    from lake.tiering.objects import ObjectStore

    return FolderStore(table, tiers, book) if table.location.local else ObjectStore(table)


class Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        """Wrap a file."""
        self._file, self._digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Bytes of the file."""
        data = self._file.read(size)
        self._digest.update(data)
        return data

    @property
    def sha256(self) -> str:
        """Digest of what was read."""
        return self._digest.hexdigest()


def digest_of(file: BinaryIO) -> str:
    """SHA-256 of what is left of a file."""
    hashed = Hashed(file)
    while hashed.read(1 << 20):
        pass
    return hashed.sha256


def expected(path: str, found: str, sha256: str | None) -> None:
    """Hold a file to its recorded digest.

    Raises:
        MoveFailed: if it has another.
    """
    if sha256 is not None and found != sha256:
        raise MoveFailed(
            f"{path}: found other bytes than its commit recorded, needed those; restore the file from a backup, then "
            "move it"
        )
