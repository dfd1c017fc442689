"""The data set of pre-training: random windows of volumes, read and decided upon, yet to be made.

Belongs here: one sample, from its key to what its windows are cut out of. The order of keys is `training.data.order`,
which windows are wanted is `training.data.views`, which tokens they have is `training.data.plan`, and what a device
makes of them is `training.data.raw`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from training.config.augment import AugmentConfig
from training.config.model import ModelConfig
from training.data.augment import Acquired, draw_change, draw_scale
from training.data.batch import Windows
from training.data.order import AUGMENT, CROP, MASK, VIEW, EqualSteps, Steps, random, served
from training.data.plan import Plan, layout, planned, refined
from training.data.raw import Crop, Cut, Raw
from training.data.source import Arrays
from training.data.tokens import Key, Shape, pack_plans
from training.data.views import WHOLE, View
from training.data.volume import BLOCK, Facts, Window, patch_of, window

Prepare = Callable[[Plan, np.random.Generator, str], Mapping[str, NDArray[Any]]]
"""What an objective draws for a window, given its tokens, random numbers and kind: arrays with a row a token."""


@dataclass(frozen=True)
class Sample:
    """One sample of pre-training: the stored voxels of a crop, and the windows to cut out of it.

    Attributes:
        key: its place in the training.
        volume: what it is of.
        crop: voxels that its windows share.
        cuts: its windows.
        start: first voxel of the crop in its volume.
    """

    key: Key
    volume: str
    crop: Crop
    cuts: tuple[Cut, ...]
    start: Shape = (0, 0, 0)


class WindowDataset(Dataset[Sample]):
    """Random windows of a release's volumes; the key of a sample decides everything about it."""

    def __init__(
        self,
        arrays: Arrays,
        facts: Sequence[Facts],
        model: ModelConfig,
        crop_mm: Sequence[float],
        seed: int,
        batch_size: int,
        prepare: Prepare,
        views: Sequence[View] = WHOLE,
        *,
        augment: AugmentConfig | None = None,
        steps: Steps | None = None,
        limits: NDArray[np.int64] | None = None,
    ) -> None:
        """Set a data set.

        Args:
            arrays: where the voxels are.
            facts: the volumes to serve.
            model: says the patches.
            crop_mm: largest window.
            seed: seed of the training.
            batch_size: samples a step, all processes together, where `steps` says nothing else.
            prepare: what the objective draws for each window.
            views: windows that each sample gives, all inside one crop of at most `crop_mm`.
            augment: how windows are varied; None: not at all.
            steps: how the order is cut into steps.
            limits: (volumes, views) most tokens of a window of each volume and view, as `training.data.packing.limits`
                gives them; what a window has beyond is left out at random. None: all are kept.
        """
        self.steps = steps or EqualSteps(batch_size)
        self._arrays, self._facts, self._model, self._crop_mm = arrays, facts, model, crop_mm
        self._seed, self._prepare, self._augment = seed, prepare, augment or AugmentConfig()
        self._views = [(place, view) for place, view in enumerate(views) for _ in range(view.count)]
        self._limits = limits

    def __getitem__(self, key: Key) -> Sample:
        """The sample at a place of the training."""
        item = served(len(self._facts), self._seed, self.steps.first(key.step) + key.slot)
        scale = draw_scale(self._augment, random(self._seed, AUGMENT, key.step, key.slot))
        found = self._facts[item]
        x, y, z = (size * scale for size in found.spacing)
        facts = replace(found, spacing=(x, y, z))
        patch = patch_of(facts, self._model.patch_mm, self._model.patch_menu)
        crop = self._crop(facts, patch, random(self._seed, CROP, key.step, key.slot))
        read = self._arrays.crop(facts.volume, *crop.reading(facts)).reshape(crop.shape)
        stored = np.require(read, requirements=("C", "W"))  # as torch wants it; a copy only where it is not so
        limits = None if self._limits is None else self._limits[item]
        cuts = tuple(self._cut(key, number, facts, patch, crop, stored, limits) for number in range(len(self._views)))
        acquired = Acquired(facts.spacing, facts.normalized(0), facts.part == "magnitude")
        shared = Crop(torch.from_numpy(stored), facts.scaling, acquired, facts.normalized(facts.background))
        return Sample(key, facts.volume, shared, cuts, crop.start)

    def _crop(self, facts: Facts, patch: Shape, draw: np.random.Generator) -> Window:
        """A crop around an occupied block, without the rows of tokens at its sides that the map says are background."""
        blocks = np.argwhere(facts.occupancy)
        centre = blocks[draw.integers(len(blocks))] * BLOCK + draw.integers(0, BLOCK, 3)
        step = int(draw.integers(facts.steps)) if facts.steps else 0
        return trimmed(facts, window(facts, self._crop_mm, centre, step), patch)

    def _cut(
        self,
        key: Key,
        number: int,
        facts: Facts,
        patch: Shape,
        crop: Window,
        stored: NDArray[Any],
        limits: NDArray[np.int64] | None,
    ) -> Cut:
        column, view = self._views[number]
        place = inside(facts, crop, view, patch, random(self._seed, VIEW, key.step, key.slot, number))
        change = draw_change(self._augment, facts.body_part, random(self._seed, AUGMENT, key.step, key.slot, number))
        lay = layout(facts, place, patch, flip=change.flip, missing=change.missing)
        x, y, z = (a - b for a, b in zip(place.start, crop.start, strict=True))
        box = stored[x : x + place.shape[0], y : y + place.shape[1], z : z + place.shape[2]]
        plan = refined(facts, lay, box[::-1] if change.flip else box).stretched(change.stretch)
        draw = random(self._seed, MASK, key.step, key.slot, number)
        if limits is not None and len(plan) > limits[column]:
            plan = plan.take(np.sort(draw.permutation(len(plan))[: limits[column]]))
        return Cut(view.kind, (x, y, z), place.shape, lay.slices, plan, change, self._prepare(plan, draw, view.kind))


def trimmed(facts: Facts, crop: Window, patch: Shape) -> Window:
    """A crop without what the occupancy map says is background around all of its tokens; it is not even read."""
    index = planned(facts, layout(facts, crop, patch)).index
    first, last = index.min(0) * patch, (index.max(0) + 1) * patch
    x, y, z = (int(s + a) for s, a in zip(crop.start, first, strict=True))
    a, b, c = (int(min(e, n) - f) for e, n, f in zip(last, crop.shape, first, strict=True))
    return Window((x, y, z), (a, b, c), crop.step)


def inside(facts: Facts, crop: Window, view: View, patch: Shape, draw: np.random.Generator) -> Window:
    """A window of a view around an occupied block of the crop, moved to lie inside the crop.

    Args:
        facts: the volume.
        crop: the sample's crop, which holds tissue.
        view: says the extent; it is rounded to whole tokens, of which none is then cut by a border.
        patch: voxels of a token.
        draw: random numbers.
    """
    share = view.extent(draw.random())
    if share >= 1:
        return crop
    first = [s // BLOCK for s in crop.start]
    last = [(s + n - 1) // BLOCK + 1 for s, n in zip(crop.start, crop.shape, strict=True)]
    blocks = np.argwhere(facts.occupancy[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]) + first
    centre = blocks[draw.integers(len(blocks))] * BLOCK + draw.integers(0, BLOCK, 3)
    a, b, c = (min(n, max(1, round(n * share / p)) * p) for n, p in zip(crop.shape, patch, strict=True))
    x, y, z = (
        int(min(max(m - n // 2, s), s + size - n))
        for m, n, s, size in zip(centre, (a, b, c), crop.start, crop.shape, strict=True)
    )
    return Window((x, y, z), (a, b, c), crop.step)


def gather(samples: Sequence[Sample]) -> Raw:
    """Samples of a step to one batch, whose windows a device is still to make."""
    cuts = [(place, cut) for place, sample in enumerate(samples) for cut in sample.cuts]
    plans = [cut.plan for _, cut in cuts]
    frame = Windows(
        images=(),
        tokens=pack_plans(plans, [samples[place].key for place, _ in cuts], [cut.extras for _, cut in cuts]),
        kinds=tuple(cut.kind for _, cut in cuts),
        samples=tuple(place for place, _ in cuts),
    )
    return Raw(frame, tuple(cut for _, cut in cuts), tuple(sample.crop for sample in samples))


def collate(samples: Sequence[Sample]) -> Windows:
    """Samples of a step to one batch, made where the caller is."""
    return gather(samples).on_device()
