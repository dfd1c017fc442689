"""What readers of a release get instead of the zone's own files: staged copies, or a mount of the zone.

Belongs here: sources that read near files and ask the zone for all others. Having them near is `lake.staging.stage`.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq
from typing_extensions import Buffer

from lake.settings import Settings
from lake.staging.cache import Cache
from lake.staging.leases import Lease
from lake.stores.storage import Location
from lake.tiering import archived
from lake.voxels import index
from lake.voxels.sources import LocalFiles, Source, UnreadableFile
from schemas.contract import Table, Zone

_T = TypeVar("_T")


class NearFiles:
    """Files of a table of which some, or all, also lie in a folder near by; what is not there is asked of the zone."""

    def __init__(self, origin: Source, near: LocalFiles, names: Mapping[str, str] | None) -> None:
        """Set the files.

        Args:
            origin: the table's own files.
            near: the folder near by.
            names: path in the table to that in the folder, for the files that are there; None: all, by the same path.
        """
        self._origin, self._near, self._names = origin, near, names

    @property
    def uri(self) -> str:
        """The table's own folder."""
        return self._origin.uri

    @property
    def options(self) -> dict[str, str] | None:
        """What deltalake must be told to reach the table's own folder."""
        return self._origin.options

    def names(self, folder: str) -> list[str]:
        """Names in a folder of the table's own."""
        return self._origin.names(folder)

    def read(self, path: str, length: int | None = None) -> tuple[bytes, int]:
        """The first bytes of a file, or all, and its size."""
        return self._either(path, lambda name: self._near.read(name, length), lambda: self._origin.read(path, length))

    def part(self, path: str, offset: int, length: int) -> Buffer:
        """Bytes of a file."""

        def near(name: str) -> Buffer:
            found = self._near.part(name, offset, length)
            if memoryview(found).nbytes < length:
                raise UnreadableFile("found a file that ends too early")
            return found

        return self._either(path, near, lambda: self._origin.part(path, offset, length))

    def parquet(self, path: str) -> pq.ParquetFile:
        """A Parquet file."""
        return self._either(path, self._near.parquet, lambda: self._origin.parquet(path))

    def write(self, path: str, data: bytes) -> None:
        """Write a file of the table's own."""
        self._origin.write(path, data)

    def delete(self, path: str) -> None:
        """Delete a file of the table's own."""
        self._origin.delete(path)

    def _name(self, path: str) -> str | None:
        # logs and indexes change, and a mount learns of it late
        if path.startswith("_"):
            return None
        return path if self._names is None else self._names.get(path)

    def _either(self, path: str, near: Callable[[str], _T], far: Callable[[], _T]) -> _T:
        name = self._name(path)
        if name is None:
            return far()
        try:
            return near(name)
        except (FileNotFoundError, UnreadableFile):
            return far()


class StagedFiles(NearFiles):
    """Files of a table that are staged for a release; none of them is evicted while a process has it open.

    It can be sent to other processes: one that was forked shares the lease, one that was spawned takes its own.
    """

    def __init__(self, origin: Source, cache: Cache, names: Mapping[str, str], release: str, lease: Lease) -> None:
        """Set the files.

        Args:
            origin: the table's own files.
            cache: where copies lie.
            names: path in the table to that in the cache.
            release: digest of the release.
            lease: on the release's files.
        """
        super().__init__(origin, LocalFiles(Location(cache.folder, private=True)), names)
        self._cache, self._release = cache, release
        self._lease: Lease | None = lease

    def read(self, path: str, length: int | None = None) -> tuple[bytes, int]:
        """The first bytes of a file, or all, and its size; to which tier the zone has moved it does not matter."""
        if path.startswith(f"{archived.FOLDER}/"):
            raise FileNotFoundError("found no record of tiers, staged files are here")
        return super().read(path, length)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lease"}

    def _name(self, path: str) -> str | None:
        if "_lease" not in self.__dict__:
            used = self._cache.use(self._release)
            # where it was evicted in the meantime, reading goes on from the zone
            self._lease, self._names = (used[1], self._names) if used else (None, {})
        return super()._name(path)


def nearest(settings: Settings, contract: Table, origin: Source) -> Source:
    """The table's files, by way of the mount of its zone where one is set."""
    mount = mounted(settings, contract)
    return NearFiles(origin, LocalFiles(Location(mount)), None) if mount else origin


def mounted(settings: Settings, contract: Table) -> Path | None:
    """Where a table is mounted; None where its zone is not."""
    mount = settings.mount_curated if contract.zone is Zone.CURATED else None
    return mount / contract.name if mount else None


def staged(settings: Settings, release: str, contract: Table, origin: Source) -> tuple[StagedFiles, index.Index] | None:
    """The staged files of a release's table, and the index of its members; None where it is not staged.

    Args:
        settings: name the staging folder.
        release: digest of the release.
        contract: the table's.
        origin: the table's own files.
    """
    cache = Cache.of(settings)
    used = cache.use(release) if cache else None
    if cache is None or used is None:
        return None
    found, lease = used
    kept = index.kept((LocalFiles(cache.place(release)), f"{contract.name}.index"))
    if kept is None or contract.path not in found.tables:
        return None
    names = {
        path: os.fspath(cache.object(d).relative_to(cache.folder)) for path, d in found.tables[contract.path].items()
    }
    return StagedFiles(origin, cache, names, release, lease), kept
