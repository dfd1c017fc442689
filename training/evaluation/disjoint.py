"""Proof that nothing of a split was trained on: no volume, no person, no other copy of an image, by any ancestor.

Belongs here: what a checkpoint and its ancestors saw, compared with the split in four ways, before a voxel is scored.
What the comparison cannot resolve is not proved.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.document import canonical_json
from training.checkpoint import Checkpoint
from training.config.evaluate import EvaluateConfig
from training.data.source import Arrays, Source
from training.data.volume import Facts, facts_of, normalize, unusable
from training.errors import TrainingError
from training.evaluation.people import Elsewhere, Person, people

GRID = 16
"""Cells of a signature along each axis: heads of different people correlate by less than 0.95, copies by over 0.999."""

EXTENT = 0.03
"""Relative difference of two volumes' extents in mm up to which they may be one image; a grid's rounding is less."""

PROFILE = 0.05
"""Difference of two volumes' percentiles, once scaled to 0 and 1, up to which they may be one image."""


@dataclass(frozen=True)
class Proof:
    """What was compared for one checkpoint, and what was found in both its training and the split.

    Attributes:
        ancestors: models whose training counts, itself first.
        seen: volumes that they were served.
        volumes: of the split's volumes, how many are among them.
        subjects: of the split's subjects, how many have a volume among them.
        digests: of the split's volumes, how many have the voxels of one of them under whatever name.
        near: of the split's volumes, how many look like one of them: renormalized or resampled.
        unresolved: volumes served whose person is not known here, so that nothing is proved of them.
        digests_compared: different voxel digests of the training that the split's were compared with.
        signatures_compared: pairs of volumes that might be one image, whose signatures were compared.
        evidence: SHA-256 over what was compared: both lists of volumes with their digests.
    """

    ancestors: tuple[str, ...]
    seen: int
    volumes: int
    subjects: int
    digests: int
    near: int
    unresolved: int
    digests_compared: int
    signatures_compared: int
    evidence: str

    @property
    def holds(self) -> bool:
        """Whether the split is proved to be unseen."""
        return not (self.volumes or self.subjects or self.digests or self.near or self.unresolved)

    def told(self) -> dict[str, object]:
        """The proof as plain values."""
        return {**asdict(self), "ancestors": list(self.ancestors), "holds": self.holds}


@dataclass(frozen=True)
class Image:
    """A volume of some release that can be looked at."""

    person: Person
    arrays: Arrays


def prove(
    config: EvaluateConfig,
    release: Source,
    members: Sequence[Person],
    checkpoints: Sequence[Checkpoint],
    elsewhere: Elsewhere,
) -> dict[str, Proof]:
    """Compare a split with everything that checkpoints and their ancestors were trained on.

    Args:
        config: how alike two signatures may be.
        release: the release of the split.
        members: volumes of the split.
        checkpoints: what was trained.
        elsewhere: gives the other releases that were trained on.

    Returns:
        Name of the checkpoint to its proof.

    Raises:
        TrainingError: if one does not hold and the configuration does not allow it; the message says in which way.
    """
    signatures: dict[str, NDArray[np.float32]] = {}
    proofs = {c.manifest.name: _prove(config, release, members, c, elsewhere, signatures) for c in checkpoints}
    for name, proof in proofs.items():
        if not proof.holds and not config.allow_seen:
            raise TrainingError(_refusal(name, proof, config))
    return proofs


def _refusal(name: str, proof: Proof, config: EvaluateConfig) -> str:
    found = {
        f"{proof.volumes} volumes": proof.volumes,
        f"{proof.subjects} subjects": proof.subjects,
        f"{proof.digests} images with the same voxels": proof.digests,
        f"{proof.near} images that look the same": proof.near,
    }
    if shared := [text for text, count in found.items() if count]:
        return (
            f"found {', '.join(shared)} of split {config.split} that {name} or an ancestor was trained on, needed "
            "unseen ones; evaluate on another release or split, or say allow_seen: true"
        )
    return (
        f"found {proof.unresolved} volumes that {name} or an ancestor was trained on and whose persons this lake does "
        f"not know, needed all of them to prove split {config.split} unseen; bring back the release that they are of, "
        "or say allow_seen: true"
    )


def _prove(
    config: EvaluateConfig,
    release: Source,
    members: Sequence[Person],
    checkpoint: Checkpoint,
    elsewhere: Elsewhere,
    signatures: dict[str, NDArray[np.float32]],
) -> Proof:
    seen = checkpoint.seen()
    known = _resolved(release, checkpoint, elsewhere)
    served = {volume: known[volume] for volume in seen & known.keys()}
    persons = {image.person.subject for image in served.values()}
    digests = {image.person.pixel_digest for image in served.values()}
    near, compared = _near(config, release, members, served, signatures)
    return Proof(
        ancestors=(checkpoint.manifest.name, *(a["model"] for a in checkpoint.exposure["ancestors"])),
        seen=len(seen),
        volumes=sum(member.volume in seen for member in members),
        subjects=len({member.subject for member in members} & persons),
        digests=sum(member.pixel_digest in digests for member in members),
        near=near,
        unresolved=len(seen - known.keys()),
        digests_compared=len(digests),
        signatures_compared=compared,
        evidence=_evidence(members, (image.person for image in served.values()), checkpoint),
    )


def _resolved(release: Source, checkpoint: Checkpoint, elsewhere: Elsewhere) -> dict[str, Image]:
    """Volumes of all releases that a checkpoint or an ancestor was trained on, whatever part of them was served."""
    names = {checkpoint.exposure["release"], *(a["release"] for a in checkpoint.exposure["ancestors"])}
    sources = [release, *(found for name in sorted(names) if (found := _other(name, release, elsewhere)))]
    known: dict[str, Image] = {}
    for source in sources:
        arrays = source.volumes()
        for split in ("train", "validation"):
            for person in people(source, split):
                known.setdefault(person.volume, Image(person, arrays))
    return known


def _other(name: str, release: Source, elsewhere: Elsewhere) -> Source | None:
    return elsewhere(name) if name != release.manifest.name else None


def _evidence(members: Iterable[Person], served: Iterable[Person], checkpoint: Checkpoint) -> str:
    split, trained = (sorted([m.volume, m.subject, m.pixel_digest] for m in group) for group in (members, served))
    told = {"split": split, "trained": trained, "exposure_sha256": checkpoint.manifest.exposure_sha256}
    return hashlib.sha256(canonical_json(told).encode()).hexdigest()


def _near(
    config: EvaluateConfig,
    release: Source,
    members: Sequence[Person],
    served: Mapping[str, Image],
    signatures: dict[str, NDArray[np.float32]],
) -> tuple[int, int]:
    """How many of the split's volumes look like a served one, and how many pairs were compared by their voxels."""
    mine = _looks(release.volumes(), [m.volume for m in members])
    theirs: dict[str, tuple[Facts, NDArray[np.float64]]] = {}
    for arrays in {id(image.arrays): image.arrays for image in served.values()}.values():
        theirs |= _looks(arrays, [volume for volume, image in served.items() if image.arrays is arrays])

    def signed(facts: Facts, arrays: Arrays) -> NDArray[np.float32]:
        if facts.volume not in signatures:
            signatures[facts.volume] = signature(arrays.array(facts.volume), facts)
        return signatures[facts.volume]

    near, compared = 0, 0
    matrix = np.stack([profile for _, profile in theirs.values()]) if theirs else np.zeros((0, _PROFILED))
    others = [facts for facts, _ in theirs.values()]
    for facts, profile in mine.values():
        candidates = np.flatnonzero((np.abs(matrix - profile) <= _TOLERANCE).all(1))
        compared += len(candidates)
        look = [others[i] for i in candidates if others[i].volume != facts.volume]
        own = signed(facts, release.volumes()) if look else None
        near += own is not None and any(
            float(own @ signed(o, served[o.volume].arrays)) >= config.near_duplicate for o in look
        )
    return near, compared


_PROFILED = 3 + 5
_TOLERANCE = np.array([EXTENT] * 3 + [PROFILE] * 5)


def _looks(arrays: Arrays, volumes: Sequence[str]) -> dict[str, tuple[Facts, NDArray[np.float64]]]:
    """What tells two images apart without their voxels: extent in mm, and percentiles without gain and offset."""
    found = {}
    for volume, row in zip(volumes, arrays.rows(volumes), strict=True):
        facts = facts_of(volume, row)
        if unusable(facts):
            continue
        extent = np.log([n * mm for n, mm in zip(facts.shape, facts.spacing, strict=True)])
        profile = (np.asarray(row["percentiles"])[2:7] - facts.low) / (facts.high - facts.low)
        found[volume] = (facts, np.concatenate([extent, profile]))
    return found


def signature(stored: NDArray[np.generic], facts: Facts) -> NDArray[np.float32]:
    """(4096,) unit vector of a volume's first step: means of 16 x 16 x 16 cells without their mean.

    Gain, offset, the size of voxels and noise leave it almost as it is, so that the product of two is the correlation
    of two images.
    """
    import torch
    from torch.nn import functional as F  # noqa: N812 - the name everybody reads

    values, _ = normalize(stored[..., :1] if stored.ndim > 3 else stored, facts)
    image = torch.from_numpy(np.nan_to_num(values, nan=-1.0))[None, None]
    pooled = F.adaptive_avg_pool3d(image, GRID).flatten()
    centred = pooled - pooled.mean()
    result: NDArray[np.float32] = (centred / centred.norm().clamp_min(1e-6)).numpy()
    return result
