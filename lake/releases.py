"""Releases as readers see them: a frozen list of volumes with splits, and the table versions they are pinned to.

Belongs here: opening a release. Choosing and freezing one is `stages.release`.
"""

import hashlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from lake.volumes import Volumes
from lake.zones import Lake
from schemas.contract import Zone
from schemas.naming import checked_name
from schemas.release import ReleaseManifest
from schemas.tables import LABELS, VOLUMES

MANIFEST, MEMBERS, CARD = "manifest.json", "members.parquet", "card.html"
SPLITS = ("train", "validation", "test")


class ReleaseError(ValueError):
    """A release is not there, was changed after it was frozen, or a part of it is sealed."""


@dataclass(frozen=True)
class Member:
    """One volume of a release."""

    delivery: str
    subject: str
    study: str
    series: str
    volume: str
    split: str
    label: str | None
    licence: str
    pixel_digest: str


@dataclass(frozen=True)
class Release:
    """A frozen release.

    Attributes:
        manifest: what was frozen.
        sha256: digest of the manifest file, which names the release for ever.
    """

    lake: Lake
    manifest: ReleaseManifest
    sha256: str
    _members: tuple[Member, ...]

    @classmethod
    def open(cls, lake: Lake, name: str) -> "Release":
        """The release of this name.

        Raises:
            ReleaseError: if there is none, or its list of members is not the frozen one.
        """
        location = lake.location(Zone.CURATED, "releases", checked_name(name))
        if not location.exists(MANIFEST):
            there = ", ".join(names(lake)) or "none"
            raise ReleaseError(
                f"found no release {name}, needed one of: {there}; freeze one with larmor releases freeze SPEC"
            )
        raw = location.read_bytes(MANIFEST)
        manifest = ReleaseManifest.model_validate_json(raw)
        members = location.read_bytes(MEMBERS)
        if hashlib.sha256(members).hexdigest() != manifest.members_sha256:
            raise ReleaseError(
                f"release {name}: found a list of members with another digest than the manifest's, needed the frozen "
                "one; restore it from a backup or freeze a new release"
            )
        rows = pq.read_table(pa.BufferReader(members)).to_pylist()
        return cls(lake, manifest, hashlib.sha256(raw).hexdigest(), tuple(Member(**row) for row in rows))

    @property
    def name(self) -> str:
        """Name of the release."""
        return self.manifest.name

    def members(self, split: str, *, sealed_ok: bool = False) -> list[Member]:
        """Volumes of a split.

        Args:
            split: train, validation or test.
            sealed_ok: said by the one who records the opening of the sealed test set.

        Raises:
            ReleaseError: if there is no such split, or test is asked for without `sealed_ok`.
        """
        if split not in SPLITS:
            raise ReleaseError(f"found split {split!r}, needed one of {', '.join(SPLITS)}")
        if split == "test" and not sealed_ok:
            raise ReleaseError(
                f"release {self.name}: the test set is sealed, needed an evaluation that records its opening; "
                "use larmor evaluate"
            )
        return [member for member in self._members if member.split == split]

    def volumes(self) -> Volumes:
        """The volumes, at the version of the table that was frozen."""
        return Volumes(self.lake, VOLUMES, self.manifest.tables[VOLUMES.path])

    def labels(self) -> Volumes:
        """The label maps, at the version of the table that was frozen.

        Raises:
            ReleaseError: if the release has none.
        """
        if LABELS.path not in self.manifest.tables:
            raise ReleaseError(
                f"release {self.name}: found no labels in it, needed a spec with label_task; freeze a new release"
            )
        return Volumes(self.lake, LABELS, self.manifest.tables[LABELS.path])


def names(lake: Lake) -> list[str]:
    """Releases of a lake."""
    location = lake.location(Zone.CURATED, "releases")
    return [name for name in location.list() if location.exists(f"{name}/{MANIFEST}")]
