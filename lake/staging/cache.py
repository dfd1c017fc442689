"""The staging folder: files by the digest of their content, which releases are whole, who uses what, and how much fits.

Belongs here: the layout of the folder, room and eviction. Copying into it is `lake.staging.copying`.

    objects/<ab>/<sha256>        a whole file, its digest checked
    partial/<key>                one that is being copied, and `<key>.ranges`, what is there of it
    names/<key>                  digest of a file whose commit states none, found when it was copied
    checked/<sha256>             when the digest of an object was last computed, and of which state
    releases/<sha256>/           indexes of a staged release and, written last, its manifest
    leases/<random>              what a live process uses
    lock                         held for a moment by whoever makes room or takes a lease

The key of a file is its digest where a commit states it, and otherwise the digest of where it comes from: part files
never change, so a name and a size stand for one content.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lake.settings import Settings
from lake.staging.errors import StagingError
from lake.staging.leases import Lease, claimed, leased
from lake.stores.storage import Location

MANIFEST = "manifest.json"

_KEPT_FREE = 1 << 28
"""Bytes of the disk that are left to others: a full disk breaks more than a training."""


@dataclass(frozen=True)
class Staged:
    """What is staged of a release.

    Attributes:
        tables: table path to the digest of each of its files, by path.
    """

    tables: Mapping[str, Mapping[str, str]]

    @property
    def digests(self) -> set[str]:
        """Of all files."""
        return {digest for files in self.tables.values() for digest in files.values()}


@dataclass(frozen=True)
class Cache:
    """A staging folder; cheap to open, safe to send to other processes.

    Attributes:
        folder: the folder, made by the first use.
        bound: most bytes of files in it; None: what the disk has.
    """

    folder: Path
    bound: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Cache | None":
        """The configured one; None where staging is not set."""
        return cls(settings.staging, settings.staging_bytes) if settings.staging else None

    def object(self, digest: str) -> Path:
        """Where the file of a digest lies, or would."""
        return self.folder / "objects" / digest[:2] / digest

    def partial(self, key: str) -> Path:
        """Where a file lies while it is copied."""
        return self.folder / "partial" / key

    def named(self, key: str) -> str | None:
        """The digest that was found for a key when its file was copied."""
        try:
            return (self.folder / "names" / key).read_text(encoding="ascii")
        except FileNotFoundError:
            return None

    def name(self, key: str, digest: str) -> None:
        """Remember the digest of a key."""
        Location(self.folder / "names", private=True).write_bytes(key, digest.encode("ascii"))

    def place(self, release: str) -> Location:
        """Where a release's manifest and indexes lie, by its digest."""
        return Location(self.folder / "releases" / release, private=True)

    def staged(self, release: str) -> Staged | None:
        """What is staged of a release; None where it is not whole."""
        try:
            found = Staged(json.loads(self.place(release).read_bytes(MANIFEST))["tables"])
        except FileNotFoundError:
            return None
        return found if all(self.object(digest).exists() for digest in found.digests) else None

    def complete(self, release: str, staged: Staged) -> None:
        """Say that all files of a release are here."""
        content = json.dumps({"tables": {table: dict(files) for table, files in staged.tables.items()}}, indent=1)
        self.place(release).write_bytes(MANIFEST, content.encode())

    def use(self, release: str) -> tuple[Staged, Lease] | None:
        """What is staged of a release, which is then safe from eviction while the lease lives; None where it is not."""
        if not self.folder.is_dir():
            return None
        with self._locked():
            staged = self.staged(release)
            if staged is None:
                return None
            return staged, self._lease(dict.fromkeys(staged.digests, 0))

    def reserve(self, files: Mapping[str, int]) -> Lease:
        """Make room for files, the least recently used ones of others first, and lease them.

        Args:
            files: key of each file to its bytes.

        Raises:
            StagingError: if there is not enough room, even without everything that nobody uses; nothing is removed.
        """
        Location(self.folder, private=True).make()
        with self._locked():
            others = leased(self.folder / "leases")
            protected = others | dict(files)
            # a file is known by its key until it is copied, by its digest afterwards
            safe = {*protected, *filter(None, map(self.named, protected))}
            held = self._held()
            promised = sum(max(size - self._there(key), 0) for key, size in protected.items())
            beyond = sum(size for _, _, size in held) + promised - self._limit(held)
            spare = [(path, size) for _, path, size in sorted(held) if path.name.partition(".")[0] not in safe]
            if beyond > sum(size for _, size in spare):
                raise self._full(files, others, beyond - sum(size for _, size in spare))
            for path, size in spare:
                if beyond <= 0:
                    break
                self._evict(path)
                beyond -= size
            return self._lease(files)

    def drop(self, release: str) -> int:
        """Remove what is staged of a release and of no other; what a live process reads stays until it is gone.

        Returns:
            Files removed.
        """
        with self._locked():
            staged = self.staged(release)
            shutil.rmtree(self.place(release).path, ignore_errors=True)
            kept = {digest for _, other in self._manifests() for digest in other.digests}
            busy = leased(self.folder / "leases")
            gone = [d for d in (staged.digests if staged else ()) if d not in kept and d not in busy]
            for digest in gone:
                self._evict(self.object(digest))
            return len(gone)

    def checked(self, digest: str) -> float | None:
        """When the digest of an object was last computed, if nobody has written to it since; seconds since 1970."""
        stamp = self.folder / "checked" / digest
        try:
            unchanged = stamp.read_text(encoding="ascii") == str(self.object(digest).stat().st_mtime_ns)
            return stamp.stat().st_mtime if unchanged else None
        except FileNotFoundError:
            return None

    def check(self, digest: str) -> None:
        """Note that the digest of an object was just computed, and is right."""
        state = str(self.object(digest).stat().st_mtime_ns)
        Location(self.folder / "checked", private=True).write_bytes(digest, state.encode("ascii"))

    def _lease(self, files: Mapping[str, int]) -> Lease:
        now = time.time_ns()
        for key in files:
            path = self.object(self.named(key) or key)
            with contextlib.suppress(FileNotFoundError):
                # the time of access is that of the last use, the time of change stays that of the copy
                os.utime(path, ns=(now, path.stat().st_mtime_ns))
        return Lease(self.folder / "leases", files)

    def _held(self) -> list[tuple[float, Path, int]]:
        """Last use, path and bytes of every file, whole or not."""
        found = []
        for path in (*self.folder.glob("objects/*/*"), *self.folder.glob("partial/*")):
            with contextlib.suppress(FileNotFoundError):
                about = path.stat()
                found.append((max(about.st_atime, about.st_mtime), path, about.st_size))
        return found

    def _there(self, key: str) -> int:
        for path in (self.object(self.named(key) or key), self.partial(key)):
            with contextlib.suppress(FileNotFoundError):
                return path.stat().st_size
        return 0

    def _limit(self, held: list[tuple[float, Path, int]]) -> int:
        disk = sum(size for _, _, size in held) + shutil.disk_usage(self.folder).free - _KEPT_FREE
        return disk if self.bound is None else min(self.bound, disk)

    def _full(self, files: Mapping[str, int], others: Mapping[str, int], short: int) -> StagingError:
        needed = sum(files.values())
        used = " while other processes use what is there" if others else ""
        return StagingError(
            f"found room for {max(needed - short, 0)} bytes in the staging folder{used}, needed {needed}; raise "
            "LARMOR_STAGING_BYTES, name a larger disk in LARMOR_STAGING, or unset it and read by byte ranges"
        )

    def _evict(self, path: Path) -> None:
        # without the manifest first, a crash here would leave a release that says it is whole
        for place, staged in self._manifests():
            if path.name in staged.digests:
                (place / MANIFEST).unlink()
                shutil.rmtree(place)
        path.unlink(missing_ok=True)
        (self.folder / "checked" / path.name).unlink(missing_ok=True)

    def _manifests(self) -> Iterator[tuple[Path, Staged]]:
        for manifest in self.folder.glob(f"releases/*/{MANIFEST}"):
            yield manifest.parent, Staged(json.loads(manifest.read_bytes())["tables"])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with claimed(self.folder / "lock"):
            yield
