"""Tiers of a local table: folders, one a storage class.

Belongs here: copies between folders. A file on a tier that can be read at once leaves a symbolic link at its place, so
that every reader goes on as before; an archived one leaves nothing, and the record beside the table says where it is.
"""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

from lake.stores.storage import Location
from lake.tables.table import LakeTable
from lake.tiering.stores import Hashed, MoveFailed, digest_of, expected
from schemas.prices import PriceBook, StorageClass


class FolderStore:
    """See `lake.tiering.stores.Store`."""

    def __init__(self, table: LakeTable, tiers: Mapping[str, Path], book: PriceBook) -> None:
        """Set a table and the folders of its tiers; nothing is read."""
        self._table, self._tiers, self._first = table.location, tiers, book.classes[0].name
        self._name = table.contract.path

    def prepare(self, path: str, source: StorageClass, target: StorageClass, sha256: str | None) -> str:
        """Copy a file to its tier and read the copy back."""
        where, name = self._copy(path, target)
        if sha256 is not None and (self._has(where, name, sha256) or self._is_back(path, target, sha256)):
            return sha256
        place, origin = self._origin(path, source)
        with (place.path / origin).open("rb") as file:
            hashed = Hashed(file)
            where.stream(name, cast(BinaryIO, hashed))
        if not self._has(where, name, hashed.sha256):
            where.delete(name)
            raise MoveFailed(
                f"{path}: found a copy that differs from its file, needed the same bytes; look at the disk"
            )
        try:
            expected(path, hashed.sha256, sha256)
        except MoveFailed:
            where.delete(name)
            raise
        return hashed.sha256

    def finish(self, path: str, source: StorageClass, target: StorageClass, sha256: str) -> None:
        """Put a link, the file or nothing at its place, and remove the old copy."""
        del sha256
        place, (where, name) = self._table.path / path, self._copy(path, target)
        if target.name == self._first:
            with contextlib.suppress(FileNotFoundError):  # it was done before a crash
                (where.path / name).replace(place)
        elif target.immediate:
            link = place.with_name(f".{secrets.token_hex(8)}.tmp")
            link.symlink_to(where.path / name)
            link.replace(place)
        else:
            place.unlink(missing_ok=True)
        _sync(place.parent)
        if source.name != self._first and source.name != target.name:
            old, name = self._copy(path, source)
            old.delete(name)

    def ask(self, path: str, source: StorageClass, way: str) -> bool:
        """Folders answer at once."""
        return True

    def _origin(self, path: str, source: StorageClass) -> tuple[Location, str]:
        if source.name != self._first:
            return self._copy(path, source)
        if (self._table.path / path).is_symlink():
            raise MoveFailed(f"{path}: found a link in its place, needed the file; say which tier it is on")
        return self._table, path

    def _copy(self, path: str, tier: StorageClass) -> tuple[Location, str]:
        """Where a file lies on a tier; in its own place it lies under another name until the places change."""
        if tier.name == self._first:
            folder, _, name = path.rpartition("/")
            return self._table, f"{folder}/.{name}.back" if folder else f".{name}.back"
        if tier.name not in self._tiers:
            raise MoveFailed(
                f"found no folder for the tier {tier.name}, needed one; name it in LARMOR_TIERS, for example "
                f'LARMOR_TIERS=\'{{"{tier.name}": "/mnt/cold"}}\''
            )
        return Location(self._tiers[tier.name], self._table.private).join(self._name), path

    def _is_back(self, path: str, target: StorageClass, sha256: str) -> bool:
        """Whether a file that is to be in its own place was put there before a crash."""
        inside = target.name == self._first and not (self._table.path / path).is_symlink()
        return inside and self._has(self._table, path, sha256)

    def _has(self, where: Location, name: str, sha256: str) -> bool:
        try:
            with (where.path / name).open("rb") as file:
                return digest_of(file) == sha256
        except FileNotFoundError:
            return False


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
