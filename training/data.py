"""What a step of a training is served: volumes in an endless order, windows of them, all functions of a seed.

Belongs here: order, exposure counts and random numbers, and the data sets built on them. A training that starts again
at step k is served what it would have been served, on any number of processes, without any state of a loader. What
a window becomes is `training.volume` and `training.tokens`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from schemas.release import ReleaseManifest
from training.config import ModelConfig
from training.errors import TrainingError
from training.tokens import Key, Packed, Tokens, pack
from training.volume import BLOCK, Facts, facts_of, normalize, patch_of, tokens_of, unusable, window

ORDER, CROP, MASK, AUGMENT = range(4)
"""Streams of random numbers, so that adding a draw to one does not shift another."""

Prepare = Callable[[Tokens, np.random.Generator], Mapping[str, NDArray[Any]]]
"""What an objective draws for a sample: arrays with a row a token."""


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
    """A table of arrays, as `lake.volumes.Volumes`."""

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


def random(seed: int, stream: int, *place: int) -> np.random.Generator:
    """The random numbers of a place in a training, the same whoever asks, whenever."""
    return np.random.default_rng([seed, stream, *place])


def served(count: int, seed: int, position: int) -> int:
    """Which of `count` items is served at a position: every item once an epoch, each epoch in an order of its own."""
    epoch, place = divmod(position, count)
    return int(_order(count, seed, epoch)[place])


@lru_cache(maxsize=8)
def _order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return random(seed, ORDER, epoch).permutation(count)


def exposure(items: Sequence[str], seed: int, batch_size: int, steps: int) -> dict[str, int]:
    """How often each item was served in the first steps of a training, whatever the number of processes.

    Args:
        items: what is served, in the order of the data set.
        seed: seed of the training.
        batch_size: samples a step, all processes together.
        steps: steps done.

    Returns:
        Item to samples; items never served are left out.
    """
    epochs, rest = divmod(batch_size * steps, len(items))
    counts = Counter(dict.fromkeys(items, epochs)) if epochs else Counter()
    counts.update(items[i] for i in _order(len(items), seed, epochs)[:rest])
    return dict(sorted(counts.items()))


class EndlessSampler(Sampler[list[Key]]):
    """The slots of each step that one process serves, from a step on, without end."""

    def __init__(self, batch_size: int, start: int = 0, rank: int = 0, world_size: int = 1) -> None:
        """Set a sampler.

        Args:
            batch_size: samples a step, all processes together.
            start: first step.
            rank: this process.
            world_size: processes.

        Raises:
            TrainingError: if the batch cannot be shared out equally, which would weigh samples unequally.
        """
        if batch_size % world_size:
            raise TrainingError(
                f"batch_size: found {batch_size} over {world_size} processes, needed a multiple of their number"
            )
        self._slots = range(rank, batch_size, world_size)
        self._start = start

    def __iter__(self) -> Iterator[list[Key]]:
        """Batches of keys."""
        step = self._start
        while True:
            yield [Key(step, slot) for slot in self._slots]
            step += 1


@dataclass(frozen=True)
class Sample:
    """One sample of pre-training."""

    key: Key
    tokens: Tokens
    extras: Mapping[str, NDArray[Any]]


class WindowDataset(Dataset[Sample]):
    """Random windows of a release's volumes as tokens; the key of a sample decides everything about it."""

    def __init__(
        self,
        arrays: Arrays,
        facts: Sequence[Facts],
        model: ModelConfig,
        crop_mm: Sequence[float],
        seed: int,
        batch_size: int,
        prepare: Prepare,
    ) -> None:
        """Set a data set.

        Args:
            arrays: where the voxels are.
            facts: the volumes to serve.
            model: says the patches.
            crop_mm: largest window.
            seed: seed of the training.
            batch_size: samples a step, all processes together.
            prepare: what the objective draws for each sample.
        """
        self._arrays, self._facts, self._model, self._crop_mm = arrays, facts, model, crop_mm
        self._seed, self._batch_size, self._prepare = seed, batch_size, prepare

    def __getitem__(self, key: Key) -> Sample:
        """The sample at a place of the training."""
        position = key.step * self._batch_size + key.slot
        facts = self._facts[served(len(self._facts), self._seed, position)]
        draw = random(self._seed, CROP, key.step, key.slot)
        blocks = np.argwhere(facts.occupancy)
        centre = blocks[draw.integers(len(blocks))] * BLOCK + draw.integers(0, BLOCK, 3)
        step = int(draw.integers(facts.steps)) if facts.steps else 0
        place = window(facts, self._crop_mm, centre, step)
        values, tissue = normalize(self._arrays.crop(facts.volume, *place.reading(facts)), facts)
        patch = patch_of(facts, self._model.patch_mm, self._model.patch_menu)
        tokens = tokens_of(values, tissue, facts, place, patch)
        return Sample(key, tokens, self._prepare(tokens, random(self._seed, MASK, key.step, key.slot)))


def collate(samples: Sequence[Sample]) -> Packed:
    """Samples of a step to one packed batch."""
    return pack([s.tokens for s in samples], [s.key for s in samples], [s.extras for s in samples])


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
