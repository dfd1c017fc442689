"""Restoration: what a slow scan would have shown, out of a fast one.

Belongs here: pairs of windows as they are and as a fast scan would have given them, the task and its loss. What a fast
scan does is `training.data.degradation`. No label is needed: the stored volumes are what is to be found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads
from torch.utils.data import Dataset

from schemas.document import Document
from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.degradation import lines, rician, undersampled
from training.data.labelled import ABSENT
from training.data.order import AUGMENT, CROP, MASK, exposure, random, served
from training.data.source import Arrays, Source, usable
from training.data.targets import few
from training.data.tokens import Key, Tokens, pack, tokenize
from training.data.volume import BLOCK, Facts, Window, measured, occupied, patch_of, window
from training.errors import TrainingError
from training.networks.encoder import make_encoder
from training.networks.restorer import Restorer
from training.networks.segmenter import on_voxels
from training.tasks.sliding import Scan, blended
from training.tasks.task import Prediction, Served, Task

SMALLEST = 1e-6
"""Mean squared difference of normalized intensities below which nothing is to be gained: about 66 dB."""

Range = tuple[float, float]
Scalar = TypeVar("Scalar", bound=np.generic)


class RestorationSettings(Document):
    """What a fast scan does to an image, drawn anew for each window."""

    noise: Range = (0.02, 0.18)
    """Least and largest deviation of the noise, against the 99th percentile of the volume's tissue."""
    acceleration: Range = (1.0, 1.0)
    """Least and largest factor by which lines of k-space are thinned out; 1: all are measured."""
    centre: float = Field(default=0.08, gt=0, le=1)
    """Share of the lines in the middle of k-space that are always measured."""
    partial: Range = (1.0, 1.0)
    """Least and largest share of k-space that partial Fourier measures, from one end."""
    phase_axis: Literal["x", "y", "z", "any"] = "any"
    """Axis of the lines; `any` draws it for each window."""
    loss: Literal["l1", "l2", "psnr"] = "psnr"
    """What is made small: absolute or squared differences, or the logarithm of the latter's mean, which is PSNR turned
    round: a window with little noise then counts as much as one with a lot."""
    mirror: bool = True
    """`network: restorer` predicts from mirror images too and takes the mean: a little better, eight times as long."""

    @model_validator(mode="after")
    def _possible(self) -> "RestorationSettings":
        for name, lowest, highest in (("noise", 0.0, 1.0), ("acceleration", 1.0, 16.0), ("partial", 0.5, 1.0)):
            least, most = getattr(self, name)
            if not lowest <= least <= most <= highest:
                raise ValueError(f"{name}: found no range, needed {lowest} <= least <= largest <= {highest}")
        if self.noise[1] == 0 and self.acceleration[1] == 1 and self.partial[0] == 1:
            raise ValueError("found nothing that a fast scan does, needed noise, acceleration or partial Fourier")
        return self

    @property
    def thins(self) -> bool:
        """Whether lines of k-space may be missing."""
        return self.acceleration[1] > 1 or self.partial[0] < 1


@dataclass(frozen=True)
class Pair:
    """One sample of restoration."""

    key: Key
    image: NDArray[np.float32]
    tokens: Tokens
    target: NDArray[np.float32]


class PairDataset(Dataset[Pair]):
    """Random windows as a fast scan would have shown them, and as they are; the key decides everything about one."""

    def __init__(self, arrays: Arrays, facts: Sequence[Facts], config: FinetuneConfig, options: RestorationSettings):
        """Set a data set of these volumes."""
        self._arrays, self._facts, self._config, self._options = arrays, facts, config, options

    def __getitem__(self, key: Key) -> Pair:
        """The sample at a place of the training."""
        config = self._config
        facts = self._facts[served(len(self._facts), config.seed, key.step * config.batch_size + key.slot)]
        draw = random(config.seed, CROP, key.step, key.slot)
        blocks = np.argwhere(facts.occupancy)
        centre = blocks[draw.integers(len(blocks))] * BLOCK + draw.integers(0, BLOCK, 3)
        step = int(draw.integers(facts.steps)) if facts.steps else 0
        place = window(facts, config.crop_mm, centre, step)
        clean, fast = self._pair(facts, place, random(config.seed, MASK, key.step, key.slot))
        vary = random(config.seed, AUGMENT, key.step, key.slot)
        seen = varied(facts, vary) if config.augment else facts
        flips = [axis for axis in range(3) if config.augment and vary.random() < 0.5]
        valid = measured(facts, place) & np.isfinite(clean)
        image, target = (turned(np.where(valid, scaled(v, seen), ABSENT), flips) for v in (fast, clean))
        tissue = turned((clean >= facts.background) & occupied(facts, place), flips)
        patch = patch_of(facts, config.model.patch_mm, config.model.patch_menu)
        return Pair(key, image, tokenize(image, turned(valid, flips), tissue, facts.spacing, patch), target)

    def _pair(
        self, facts: Facts, place: Window, draw: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(x, y, z) values of a window as they are, and as a fast scan would have shown them."""
        options = self._options
        # lines that were not measured fold the whole field of view into every part of it
        whole = Window((0, 0, 0), facts.shape, place.step) if options.thins else place
        stored = self._arrays.crop(facts.volume, *whole.reading(facts)).reshape(whole.shape)
        clean = stored.astype(np.float32) * np.float32(facts.slope) + np.float32(facts.intercept)
        fast = degraded(np.nan_to_num(clean), facts, options, draw)
        if whole is place:
            return clean, fast
        box = tuple(slice(s, s + n) for s, n in zip(place.start, place.shape, strict=True))
        return clean[box], fast[box]


def degraded(
    values: NDArray[np.float32], facts: Facts, options: RestorationSettings, draw: np.random.Generator
) -> NDArray[np.float32]:
    """(x, y, z) values of a volume as a fast scan would have shown them: noisy, and of fewer lines of k-space.

    Args:
        values: (x, y, z) magnitudes.
        facts: the volume they are from.
        options: what may be drawn.
        draw: random numbers.
    """
    fast = rician(values, draw.uniform(*options.noise) * abs(facts.high), draw)
    if not options.thins:
        return fast
    axis = int(draw.integers(3)) if options.phase_axis == "any" else "xyz".index(options.phase_axis)
    acceleration, partial = draw.uniform(*options.acceleration), draw.uniform(*options.partial)
    return undersampled(fast, axis, lines(values.shape[axis], acceleration, options.centre, partial, draw))


def scaled(values: NDArray[np.float32], facts: Facts) -> NDArray[np.float32]:
    """(x, y, z) values as normalized intensities, not cut off: a bright voxel is to be restored too."""
    _, _, low, gain = facts.scaling
    found: NDArray[np.float32] = (values - np.float32(low)) * np.float32(gain) - 1
    return found


def turned(array: NDArray[Scalar], axes: Sequence[int]) -> NDArray[Scalar]:
    """The array seen from the other side along some axes, in memory of its own."""
    return np.ascontiguousarray(np.flip(array, tuple(axes)))


def varied(facts: Facts, draw: np.random.Generator) -> Facts:
    """The volume's scale as measured on another scan of it: noise moves percentiles."""
    extent = facts.high - facts.low
    low = facts.low + draw.normal(0, 0.05) * extent
    return replace(facts, low=low, high=low + extent * np.exp(draw.normal(0, 0.05)))


def collate_pairs(samples: Sequence[Pair]) -> Windows:
    """Samples of a step to one batch; `labels` holds the intensities that are to be found."""
    return Windows(
        tuple(torch.from_numpy(sample.image) for sample in samples),
        pack([sample.tokens for sample in samples], [sample.key for sample in samples]),
        tuple(torch.from_numpy(sample.target) for sample in samples),
    )


class Restoration(Task[RestorationSettings]):
    """Intensities of a slow scan learned from volumes and what a fast scan would have made of them."""

    Settings = RestorationSettings
    answer = "image"

    def serve(self, release: Source) -> Served:
        """Pairs of windows of the training split's magnitude images, of as many subjects as are asked for."""
        config = self.config
        members = few(release.members("train"), config)
        facts, skipped = usable(release.volumes(), sorted({member.volume for member in members}))
        noted = {f.volume: "not a magnitude image" for f in facts if f.part not in ("magnitude", "unknown")}
        kept = [f for f in facts if f.volume not in noted]
        if not kept:
            raise TrainingError(f"found no magnitude image among {len(facts)} volumes, needed one to restore")
        names = {f.volume for f in kept}
        return Served(
            PairDataset(release.volumes(), kept, config, self.options),
            collate_pairs,
            subjects=sorted({member.subject for member in members if member.volume in names}),
            exposure=partial(exposure, [f.volume for f in kept], config.seed, config.batch_size),
            skipped=skipped | noted,
            about={},
        )

    def network(self, about: Mapping[str, Any]) -> nn.Module:
        """A network that says of every voxel what to add.

        Raises:
            TrainingError: if there is none of that name.
        """
        config = self.config
        if config.network == "restorer":
            return Restorer(mirror=self.options.mirror)
        if config.network != "vit":
            raise TrainingError(f"network: found {config.network!r}, needed vit or restorer for task restoration")
        return on_voxels(make_encoder(config.model), 1, config.channels)

    def learner(self, network: nn.Module, about: Mapping[str, Any]) -> nn.Module:
        """The network with its loss."""
        return RestorationLearner(network, self.options)

    def predict(self, network: nn.Module, about: Mapping[str, Any], scan: Scan, *, overlap: float) -> Prediction:
        """(x, y, z) restored values, in the unit of the stored values with slope and intercept."""
        slope, intercept, _, gain = map(np.float32, scan.facts.scaling)
        values = scan.stored.astype(np.float32) * slope + intercept
        seen = replace(scan, values=scaled(values, scan.facts))
        added = blended(network, seen, self.config, overlap)[0].numpy() / gain
        known = measured(scan.facts, Window((0, 0, 0), scan.facts.shape)) & np.isfinite(values)
        return Prediction(np.where(known, values + added, values))


@dataclass(frozen=True)
class Restored:
    """Losses of windows."""

    losses: Tensor
    computed: int


class RestorationLearner(nn.Module):
    """A network with its loss: the mean distance of what it makes of a window to what was to be found."""

    def __init__(self, network: nn.Module, options: RestorationSettings) -> None:
        """Wrap a network."""
        super().__init__()
        self.network = network
        known: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": F.l1_loss, "l2": F.mse_loss, "psnr": _lost}
        self._distance = known[options.loss]

    def forward(self, windows: Windows) -> Restored:
        """(N,) losses."""
        added: Sequence[Tensor] = self.network(windows)
        each = zip(windows.images, added, windows.labels, strict=True)
        losses = [self._distance(image + change[0], target) for image, change, target in each]
        return Restored(torch.stack(losses), sum(windows.tokens.lengths))


def _lost(found: Tensor, target: Tensor) -> Tensor:
    """0-dimensional logarithm of the mean squared difference: PSNR but for a factor and a constant.

    Source: Chen et al., HINet, CVPR workshops 2021, where PSNR itself is the loss.
    """
    return torch.log(F.mse_loss(found, target) + SMALLEST)
