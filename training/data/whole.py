"""Windows of volumes with what is to be told of the volumes as a whole.

Belongs here: the data set. Where targets are found is `training.data.targets`, how a window is read and varied is
`training.data.labelled`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.labelled import DEFORM, LabelledSample, scene
from training.data.order import AUGMENT, CROP, random, served
from training.data.source import Arrays
from training.data.tokens import Key, pack
from training.data.volume import BLOCK, Facts, window

TARGET = "target"
"""Name of what is to be told among the targets of a batch."""


@dataclass(frozen=True)
class Told:
    """One sample: windows of a volume and what is to be told of it."""

    windows: tuple[LabelledSample, ...]
    target: NDArray[np.generic]
    caption: str = ""


class WholeDataset(Dataset[Told]):
    """Random windows of volumes with their targets; the key of a sample decides everything about it."""

    def __init__(
        self,
        arrays: Arrays,
        facts: Sequence[Facts],
        targets: Mapping[str, NDArray[np.generic]],
        config: FinetuneConfig,
        views: int = 1,
        captions: Mapping[str, str] | None = None,
    ) -> None:
        """Set a data set.

        Args:
            arrays: where the voxels are.
            facts: the volumes to serve.
            targets: volume to an array, of the same shape for all.
            config: crops, augmentation, seed.
            views: windows a sample, each drawn by itself.
            captions: volume to what is said of it.
        """
        self._arrays, self.facts, self._targets, self._config, self._views = arrays, facts, targets, config, views
        self._captions = captions or {}

    def __getitem__(self, key: Key) -> Told:
        """The sample at a place of the training."""
        config = self._config
        facts = self.facts[served(len(self.facts), config.seed, key.step * config.batch_size + key.slot)]
        seen = tuple(self._view(facts, key, view) for view in range(self._views))
        return Told(seen, self._targets[facts.volume], self._captions.get(facts.volume, ""))

    def _view(self, facts: Facts, key: Key, view: int) -> LabelledSample:
        config = self._config
        draw = random(config.seed, CROP, key.step, key.slot, view)
        blocks = np.argwhere(facts.occupancy)
        centre = blocks[draw.integers(len(blocks))] * BLOCK + draw.integers(0, BLOCK, 3)
        step = int(draw.integers(facts.steps)) if facts.steps else 0
        place = window(facts, config.crop_mm, centre, step)
        bending = random(config.seed, DEFORM, key.step, key.slot, view)
        seen = scene(self._arrays, None, facts, place, config.deform, bending)
        vary = random(config.seed, AUGMENT, key.step, key.slot, view) if config.augment else None
        return seen.sample(key, config, vary)


def collate_whole(samples: Sequence[Told]) -> Windows:
    """Samples of a step to one batch; windows of a sample stand together and have its target."""
    every = [(place, window) for place, sample in enumerate(samples) for window in sample.windows]
    targets = np.stack([samples[place].target for place, _ in every])
    return Windows(
        tuple(torch.from_numpy(window.image) for _, window in every),
        pack([window.tokens for _, window in every], [window.key for _, window in every]),
        samples=tuple(place for place, _ in every),
        targets={TARGET: torch.from_numpy(targets)},
        captions=tuple(samples[place].caption for place, _ in every),
    )
