"""A batch as loaders hand it over: stored voxels and what is to become of them; the device does the rest.

Belongs here: from stored voxels to normalized, varied windows and their tokens, many windows at once. Loaders read,
decode and decide (`training.data.windows`); they make no number of a voxel, so that what crosses to the device is as
small as what was stored.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.augment import Acquired, Change, augment
from training.data.batch import Windows
from training.data.plan import Plan, Slices
from training.data.tokens import TISSUE_SHARE, Shape, patches
from training.data.volume import RANGE


@dataclass(frozen=True)
class Cut:
    """One window of a sample, yet to be cut.

    Attributes:
        kind: of view.
        start: its first voxel in the sample's crop.
        shape: its voxels.
        slices: for each axis which of its slices count as measured.
        plan: its tokens.
        change: how it is varied.
        extras: what the objective drew, with a row a token.
    """

    kind: str
    start: Shape
    shape: Shape
    slices: Slices
    plan: Plan
    change: Change
    extras: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Crop:
    """Voxels that a sample's windows are cut out of.

    Attributes:
        stored: (x, y, z) stored values.
        scaling: `Facts.scaling`.
        acquired: what variations depend on.
        background: least normalized intensity that is not background.
    """

    stored: Tensor
    scaling: tuple[float, float, float, float]
    acquired: Acquired
    background: float


@dataclass(frozen=True)
class Raw:
    """A batch whose windows are still to be made.

    Attributes:
        frame: the windows without images and patches.
        cuts: what they are to be, one for each.
        crops: what they are cut out of, one for each sample.
    """

    frame: Windows
    cuts: tuple[Cut, ...]
    crops: tuple[Crop, ...]

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Raw":
        """The batch on another device."""
        crops = (replace(c, stored=c.stored.to(device, non_blocking=non_blocking)) for c in self.crops)
        return replace(self, frame=self.frame.to(device, non_blocking=non_blocking), crops=tuple(crops))

    def pin_memory(self) -> "Raw":
        """The batch with its voxels where a device can fetch them beside other work."""
        return replace(self, crops=tuple(replace(c, stored=c.stored.pin_memory()) for c in self.crops))

    def on_device(self) -> Windows:
        """The windows, made where the batch is."""
        index = self.frame.tokens.index.split(self.frame.tokens.lengths)
        alike: defaultdict[tuple[Shape, Shape], list[int]] = defaultdict(list)
        for number, cut in enumerate(self.cuts):
            alike[cut.shape, cut.plan.patch].append(number)
        made: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        for (_, patch), numbers in alike.items():
            values, measured = self._made(numbers)
            lengths = [len(self.cuts[number].plan) for number in numbers]
            window = torch.from_numpy(np.repeat(np.arange(len(numbers)), lengths)).to(values.device)
            place = torch.cat([window[:, None], torch.cat([index[number] for number in numbers])], 1)
            parts = (part.split(lengths) for part in patches(values, measured, place, patch))
            made.update(zip(numbers, zip(values.unbind(), *parts, strict=True), strict=True))
        images, cut_out, valid = zip(*(made[number] for number in range(len(self.cuts))), strict=True)
        return replace(self.frame, images=images, tokens=replace(self.frame.tokens, patches=cut_out, valid=valid))

    def useful(self) -> float:
        """Share of the tokens that show tissue, counted in what was cut, before any variation of it.

        A token shows tissue where `TISSUE_SHARE` of its measured voxels or more are above the background. What is not
        is computed in vain, as padding would be.
        """
        plain = replace(self, cuts=tuple(replace(cut, change=Change(flip=cut.change.flip)) for cut in self.cuts))
        tokens = plain.on_device().tokens
        found = 0
        for patch, valid, sample in zip(tokens.patches, tokens.valid, self.frame.samples, strict=True):
            least = max(self.crops[sample].background, RANGE[0]) - 1e-4  # less than what rounding can change
            tissue = ((patch >= least) & valid).sum((1, 2, 3))
            found += int((tissue >= TISSUE_SHARE * valid.sum((1, 2, 3))).sum())
        return found / sum(tokens.lengths)

    def _made(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(N, x, y, z) normalized, varied intensities of windows of one shape, and which were measured."""
        cuts, crops = [self.cuts[i] for i in numbers], [self.crops[self.frame.samples[i]] for i in numbers]
        values = torch.empty(len(cuts), *cuts[0].shape, device=crops[0].stored.device)
        for window, cut, crop in zip(values, cuts, crops, strict=True):
            box = tuple(slice(s, s + n) for s, n in zip(cut.start, cut.shape, strict=True))
            window.copy_(crop.stored[box])
        if any(cut.change.flip for cut in cuts):
            mirrored = torch.tensor([cut.change.flip for cut in cuts], device=values.device)
            values = torch.where(mirrored[:, None, None, None], values.flip(1), values)
        slope, intercept, low, gain = values.new_tensor([crop.scaling for crop in crops]).T[..., None, None, None]
        values = ((values * slope + intercept) - low) * gain - 1
        valid = _measured([cut.slices for cut in cuts], values.device) & values.isfinite()
        values = torch.where(valid, values.clamp(*RANGE), -1)
        varied = augment(values, valid, [cut.change for cut in cuts], [crop.acquired for crop in crops])
        return torch.where(valid, varied, -1), valid


def _measured(slices: Sequence[Slices], device: torch.device) -> Tensor:
    """(N, x, y, z) voxels in measured slices."""
    x, y, z = (torch.from_numpy(np.stack(axis)).to(device) for axis in zip(*slices, strict=True))
    return x[:, :, None, None] & y[:, None, :, None] & z[:, None, None, :]
