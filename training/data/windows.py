"""The data set of pre-training: random windows of volumes as tokens.

Belongs here: one sample, from its key to its tokens. The order of keys is `training.data.order`, what a window becomes
is `training.data.volume` and `training.data.tokens`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.data.order import CROP, MASK, random, served
from training.data.source import Arrays
from training.data.tokens import Key, Tokens, pack
from training.data.volume import BLOCK, Facts, image_of, normalize, patch_of, tokens_of, window

Prepare = Callable[[Tokens, np.random.Generator], Mapping[str, NDArray[Any]]]
"""What an objective draws for a sample: arrays with a row a token."""


@dataclass(frozen=True)
class Sample:
    """One sample of pre-training."""

    key: Key
    image: NDArray[np.float32]
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
        return Sample(
            key,
            image_of(values, facts, place),
            tokens,
            self._prepare(tokens, random(self._seed, MASK, key.step, key.slot)),
        )


def collate(samples: Sequence[Sample]) -> Windows:
    """Samples of a step to one batch."""
    return Windows(
        tuple(torch.from_numpy(sample.image) for sample in samples),
        pack([s.tokens for s in samples], [s.key for s in samples], [s.extras for s in samples]),
    )
