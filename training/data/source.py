"""Where training data comes from: a frozen release as this room sees it, and what of it can be learned from.

Belongs here: the protocols that `lake.releases` fulfils, usable volumes, permission. What a step is served is
`training.data.order`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from schemas.release import ReleaseManifest
from training.data.volume import Facts, facts_of, unusable
from training.errors import TrainingError


class Member(Protocol):
    """One volume of a release, as `lake.releases.Member`."""

    @property
    def subject(self) -> str:
        """Pseudonymous person."""

    @property
    def volume(self) -> str:
        """Id of the volume."""

    @property
    def label(self) -> str | None:
        """Id of its label map."""


class Arrays(Protocol):
    """A table of arrays, as `lake.voxels.volumes.Volumes`."""

    def row(self, volume: str) -> Mapping[str, Any]:
        """The row without voxels."""

    def rows(self, volumes: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """The rows of many volumes, each file read once."""

    def array(self, volume: str) -> NDArray[Any]:
        """All stored voxels."""

    def crop(self, volume: str, start: Sequence[int], shape: Sequence[int]) -> NDArray[Any]:
        """A window of the stored voxels."""


class Source(Protocol):
    """A frozen release, as `lake.releases.Release`."""

    @property
    def manifest(self) -> ReleaseManifest:
        """What was frozen."""

    @property
    def sha256(self) -> str:
        """Digest of the manifest file."""

    def members(self, split: str, *, sealed_ok: bool = False) -> Sequence[Member]:
        """Volumes of a split."""

    def volumes(self) -> Arrays:
        """The volumes' voxels."""

    def labels(self) -> Arrays:
        """The label maps' voxels."""

    def texts(self, volumes: Sequence[str]) -> Mapping[str, str]:
        """What reports say of volumes; those without one are left out."""

    def described(self, volumes: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Rows of `curated/series` of volumes; those without one are left out."""


def usable(arrays: Arrays, volumes: Sequence[str]) -> tuple[list[Facts], dict[str, str]]:
    """Facts of the volumes that can be learned from, and why each other one is skipped.

    Raises:
        TrainingError: if none is left.
    """
    facts = [facts_of(volume, row) for volume, row in zip(volumes, arrays.rows(volumes), strict=True)]
    skipped = {f.volume: reason for f in facts if (reason := unusable(f))}
    kept = [f for f in facts if f.volume not in skipped]
    if not kept:
        raise TrainingError(
            f"found no volume to learn from among {len(volumes)}, needed at least one with tissue in it; check the "
            "release's cohort and the split's size"
        )
    return kept, skipped


def permitted(release: Source) -> None:
    """Refuse a release whose terms do not allow training.

    Raises:
        TrainingError: if a licence in it does not allow models to be trained.
    """
    if not release.manifest.train_models:
        raise TrainingError(
            f"release {release.manifest.name}: found a licence that does not allow models to be trained, needed "
            "train_models: true in every licence of it; leave those deliveries out and freeze a new release"
        )
