"""Labelled windows and, beside them, windows of volumes whose labels are not known or not used.

Belongs here: how a step is shared out to both, and what a window without labels is. What is learned from it is
`training.tasks.semi`.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.labelled import DEFORM, LabelledDataset, LabelledSample, scene
from training.data.order import AUGMENT, CROP, exposure, random, served
from training.data.source import Arrays
from training.data.tokens import Key, pack
from training.data.volume import BLOCK, Facts, window

LABELLED, CLEAN, VARIED = "labelled", "clean", "varied"
"""Kinds of window: with labels; without, as it was read; the same with other intensities."""

Mixed = tuple[tuple[str, LabelledSample], ...]
"""The windows of a sample by their kinds."""


class MixedDataset(Dataset[Mixed]):
    """The first slots of a step are labelled, the others not; the key of a sample decides everything about it."""

    def __init__(
        self, labelled: LabelledDataset, arrays: Arrays, facts: Sequence[Facts], config: FinetuneConfig, count: int
    ) -> None:
        """Set a data set.

        Args:
            labelled: serves labelled samples.
            arrays: where the voxels are.
            facts: volumes to serve without labels.
            config: how windows are drawn and varied.
            count: samples of a step that have no labels.
        """
        self._labelled, self._arrays, self.facts, self._config = labelled, arrays, facts, config
        self._count = count

    def exposure(self, steps: int) -> dict[str, int]:
        """Volume to samples served in the first steps, with labels and without."""
        config = self._config
        groups = (
            (self._labelled.facts, config.batch_size - self._count),
            (self.facts, self._count),
        )
        found: dict[str, int] = {}
        for facts, size in groups:
            found |= exposure([f.volume for f in facts], config.seed, size, steps)
        return found

    def __getitem__(self, key: Key) -> Mixed:
        """The sample at a place of the training."""
        first = self._config.batch_size - self._count
        if key.slot < first:
            return ((LABELLED, self._labelled.at(key, key.step * first + key.slot)),)
        return self._unlabelled(key, key.step * self._count + key.slot - first)

    def _unlabelled(self, key: Key, position: int) -> Mixed:
        """One place twice: a teacher sees it as it was read, a student with other intensities."""
        config = self._config
        facts = self.facts[served(len(self.facts), config.seed, position)]
        draw = random(config.seed, CROP, key.step, key.slot)
        blocks = np.argwhere(facts.occupancy)
        centre = blocks[draw.integers(len(blocks))] * BLOCK + draw.integers(0, BLOCK, 3)
        step = int(draw.integers(facts.steps)) if facts.steps else 0
        place = window(facts, config.crop_mm, centre, step)
        bending = random(config.seed, DEFORM, key.step, key.slot)
        seen = scene(self._arrays, None, facts, place, config.deform, bending)
        varying = random(config.seed, AUGMENT, key.step, key.slot)
        return (CLEAN, seen.sample(key, config, None)), (VARIED, seen.sample(key, config, varying))


def collate_mixed(samples: Sequence[Mixed]) -> Windows:
    """Samples of a step to one batch."""
    every = [(place, kind, sample) for place, mixed in enumerate(samples) for kind, sample in mixed]
    return Windows(
        images=tuple(torch.from_numpy(sample.image) for _, _, sample in every),
        tokens=pack([sample.tokens for _, _, sample in every], [sample.key for _, _, sample in every]),
        labels=tuple(torch.from_numpy(sample.labels) for _, _, sample in every),
        kinds=tuple(kind for _, kind, _ in every),
        samples=tuple(place for place, _, _ in every),
    )
