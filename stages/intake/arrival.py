"""A delivery on its way into landing: seen by nobody until it is complete.

Belongs here: the place where files gather, and the step that makes a delivery of them. In a folder it gathers under a
name with a dot before it and is renamed; in a bucket, where nothing can be renamed, it gathers in place, and the
manifest comes last, without which there is no delivery.
"""

import datetime as dt
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from lake.stores.storage import Location
from lake.zones import Lake
from schemas.delivery import MANIFEST_NAME, Delivery
from schemas.licence import Licence
from schemas.naming import checked_name
from stages.intake.landed import paths_of


class IntakeError(ValueError):
    """The input cannot become a delivery; the message says what was found and what is needed."""


def drafted(name: str, licence: Licence, facts: dict[str, object]) -> Delivery:
    """What is known of a delivery before its files are: enough to ask whether the licence allows it.

    Raises:
        DocumentError: if a fact is none that a manifest knows.
    """
    now = dt.datetime.now(dt.UTC)
    defaults = {"name": name, "licensor": licence.licensor, "licence": licence.id, "purpose": licence.purposes[0]}
    stated = {key: value for key, value in facts.items() if value is not None}
    return Delivery.parse(defaults | {"received": now.date(), "arrived": now} | stated, MANIFEST_NAME)


@dataclass(frozen=True)
class Arrival:
    """A delivery that gathers.

    Attributes:
        name: name of the delivery.
        landing: where deliveries lie.
        place: where its files gather.
    """

    name: str
    landing: Location
    place: Location

    @classmethod
    def open(cls, lake: Lake, name: str, kind: str) -> "Arrival":
        """Begin a delivery, or go on with one that was stopped.

        Args:
            lake: the lake.
            name: name of the delivery.
            kind: ending of the folder it gathers in, one for each way in.

        Raises:
            IntakeError: if there is a delivery of that name.
        """
        landing = lake.landed()
        if landing.join(checked_name(name)).exists(MANIFEST_NAME):
            raise IntakeError(
                f"found a delivery {name} in landing already, needed a new name; to run it again use larmor run {name}"
            )
        place = landing.join(f".{name}{kind}" if landing.local else name)
        place.make()
        if landing.local:
            for left in place.path.rglob(".*.tmp"):
                left.unlink(missing_ok=True)  # half of a file, of a call that was killed
        return cls(name, landing, place)

    def has(self, path: str) -> bool:
        """Whether a file is there, whole."""
        return self.place.exists(path)

    def holds(self, path: str, size: int) -> bool:
        """Whether a file of this size is there, whole."""
        try:
            return self.place.size(path) == size
        except FileNotFoundError:
            return False

    def copy(self, path: str, origin: Location) -> None:
        """Copy a file from another location, all or nothing."""
        if origin.local:
            self.place.upload(path, origin.path / path)
        elif self.place.local:
            target = self.place.path / path
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            half = target.parent / f".{secrets.token_hex(8)}.tmp"
            origin.download(path, half)
            half.chmod(0o600)
            half.replace(target)
        else:
            self.place.write_bytes(path, origin.read_bytes(path))

    def write(self, path: str, data: bytes) -> None:
        """Write a file of it, all or nothing."""
        self.place.write_bytes(path, data)

    def finish(self, manifest: Delivery, facts: Mapping[str, object] | None = None, *, count: bool = True) -> Delivery:
        """Make a delivery of what gathered.

        Args:
            manifest: what is known of it.
            facts: further fields.
            count: whether the number of files that gathered is the one there should be.

        Returns:
            The manifest as written.
        """
        now = dt.datetime.now(dt.UTC)
        own: dict[str, object] = {"arrived": now}
        if count:
            own |= {"received": now.date(), "expected_files": len(paths_of(self.place))}
        manifest = Delivery.parse(manifest.model_dump() | own | dict(facts or {}), MANIFEST_NAME)
        self.place.write_bytes(MANIFEST_NAME, manifest.text().encode())
        if self.landing.local:
            self.place.path.replace(self.landing.path / self.name)
        return manifest

    def abandon(self) -> None:
        """Throw away what gathered."""
        if self.landing.local:
            shutil.rmtree(self.place.path, ignore_errors=True)
            return
        for path in self.place.walk():
            self.place.delete(path)
