"""Where an export appears: a new folder, or an empty prefix of S3.

Belongs here: which targets are taken, and how an export appears at once and whole. A folder is renamed; in a bucket
nothing can be, so the list of checksums comes last, without which there is no export.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lake.stores.aws import SCHEME
from lake.stores.folders import unwritable
from lake.stores.storage import Location
from lake.zones import Lake
from schemas.contract import Zone

CHECKSUMS = "SHA256SUMS"
"""Every file with its digest, as `sha256sum --check` reads it."""

_SCRATCH = ("scratch", "exports")
"""Below the root: exports on their way to a bucket; they hold no PHI."""


class ExportError(ValueError):
    """An export cannot be written as asked."""


@dataclass(frozen=True)
class Target:
    """A place where nothing is yet.

    Attributes:
        location: the folder or prefix.
        scratch: folder of this machine where an export to a bucket is made first.
    """

    location: Location
    scratch: Path

    @classmethod
    def of(cls, lake: Lake, to: Path | str) -> "Target":
        """The target of an export.

        Raises:
            ExportError: if something is there, it lies in a zone of the lake, or nothing can be written there.
        """
        location = Location(str(to).rstrip("/")) if str(to).startswith(SCHEME) else Location(Path(to))
        homes = [lake.settings.place(home) for home in (*(str(zone) for zone in Zone), "landing", "licences")]
        if any(_inside(location, home) for home in homes):
            raise ExportError("found a target inside a zone of the lake, needed one outside; name another with --to")
        if location.local and (location.path.exists() or location.path.is_symlink()):
            raise ExportError(f"found {location.path.name} there already, needed a new folder; name another with --to")
        if location.local and (why := unwritable(location.path)):
            raise ExportError(f"{why}; name another one with --to")
        if not location.local and location.list():
            raise ExportError(f"found objects below {location.uri}, needed an empty prefix; name another with --to")
        return cls(location, lake.settings.root.joinpath(*_SCRATCH))

    @property
    def place(self) -> Path | str:
        """The folder, or the URI of the prefix."""
        return self.location.path if self.location.local else self.location.uri

    @contextmanager
    def building(self) -> Iterator[Path]:
        """An empty folder to write into, gone afterwards."""
        if not self.location.local:
            self.scratch.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                yield Path(folder)
            return
        building = self.location.path.parent / f".{self.location.path.name}.partial"
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(parents=True)
            yield building
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def appear(self, building: Path) -> None:
        """Let what was built, its list of checksums among it, be the export.

        Raises:
            OSError: if the store does not take it; what was put there is deleted again.
        """
        if self.location.local:
            building.rename(self.location.path)
            return
        names = {path.relative_to(building).as_posix() for path in building.rglob("*") if path.is_file()}
        try:
            for name in [*sorted(names - {CHECKSUMS}), CHECKSUMS]:
                self.location.upload(name, building / name)
        except BaseException:
            for name in names:
                with suppress(OSError):  # a store that took nothing may let nothing go either
                    self.location.delete(name)
            raise


def _inside(target: Location, home: Path | str) -> bool:
    if isinstance(home, Path):
        return target.local and target.path.resolve().is_relative_to(home.resolve())
    return not target.local and f"{target.uri}/".startswith(f"{home.rstrip('/')}/")
