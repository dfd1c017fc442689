"""Segmentation of regions that overlap: a voxel may be in several at once, as necrosis is in a tumour.

Belongs here: the task's settings, its learner, and how a voxel's regions become one label value and back. Its samples
are those of `training.data.labelled`, its networks those of `training.tasks.segmentation`.

Source: Isensee et al., nnU-Net for Brain Tumor Segmentation, BrainLes 2020 (region-based training).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from schemas.document import Document
from training.data.batch import Windows
from training.data.labelled import Classes
from training.data.source import Source
from training.errors import TrainingError
from training.tasks.segmentation import Segmentation, Supervised, network_for
from training.tasks.sliding import Scan, blended
from training.tasks.task import Prediction, Served

MOST = 6
"""Regions of a task: each set of them has a label value and a name."""

Regions = Mapping[str, Sequence[str]]
"""Name of a region to the names of the classes that it is made of."""


class RegionOptions(Document):
    """Settings of segmentation of regions that overlap."""

    regions: dict[str, tuple[str, ...]] = Field(min_length=1, max_length=MOST)
    """Regions by their names, each the classes of the release's label maps that it is made of, such as
    `tumour: [oedema, necrosis]` and `core: [necrosis]`. A voxel's label value is the sum of 1 for the first region that
    it is in, 2 for the second, 4 for the third, and so on."""

    @field_validator("regions")
    @classmethod
    def _of_something(cls, regions: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if any(not classes for classes in regions.values()):
            raise ValueError("found a region of no class, needed at least one class in each")
        return regions


class RegionSegmentation(Segmentation[RegionOptions]):
    """Regions that overlap, learned from label maps whose classes they are made of."""

    Settings = RegionOptions

    def serve(self, release: Source) -> Served:
        """Labelled windows of the training split.

        Raises:
            TrainingError: if a region is made of a class that the release does not have.
        """
        served = super().serve(release)
        labels = served.about["classes"]
        inside = membership(self.options.regions, Classes(labels))
        names = dict(enumerate(named(list(self.options.regions))))
        return replace(served, about={"classes": names, "inside": inside.astype(int).tolist()})

    def network(self, about: Mapping[str, Any]) -> nn.Module:
        """A network with an output a region on every voxel."""
        return network_for(self.config, len(self.options.regions))

    def learner(self, network: nn.Module, about: Mapping[str, Any]) -> nn.Module:
        """The network with its loss."""
        return RegionLearner(network, torch.tensor(about["inside"], dtype=torch.bool))

    def predict(self, network: nn.Module, about: Mapping[str, Any], scan: Scan, *, overlap: float) -> Prediction:
        """(x, y, z) label values, each the set of regions that a voxel is in."""
        shares = blended(network, scan, self.config, overlap, torch.sigmoid)
        return Prediction(joined((shares > 0.5).numpy()))


def membership(regions: Regions, classes: Classes) -> NDArray[np.bool_]:
    """(regions, classes) whether a class is part of a region.

    Raises:
        TrainingError: if a region is made of a class that is not there.
    """
    names = [classes.names[value] for value in classes.values]
    if unknown := sorted({name for parts in regions.values() for name in parts} - set(names)):
        raise TrainingError(
            f"options.regions: found {', '.join(unknown)}, needed classes of the release: {', '.join(names)}"
        )
    return np.array([[name in parts for name in names] for parts in regions.values()], dtype=bool)


def joined(inside: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """(...) label values of (regions, ...) which regions hold a place."""
    weights = 2 ** np.arange(len(inside), dtype=np.uint16)
    return np.tensordot(weights, inside.astype(np.uint16), 1).astype(np.uint16)


def parted(values: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """(regions, ...) which of `count` regions hold a place, out of (...) label values."""
    return np.stack([(values >> place) & 1 for place in range(count)]).astype(bool)


def named(regions: Sequence[str]) -> list[str]:
    """A name for each label value: those of its regions; 0 is the background."""
    held = parted(np.arange(2 ** len(regions)), len(regions)).T
    return [" + ".join(name for name, there in zip(regions, row, strict=True) if there) or "background" for row in held]


class RegionLearner(nn.Module):
    """A network with its loss: binary cross entropy of each region, plus soft Dice of those that a window holds."""

    inside: Tensor

    def __init__(self, network: nn.Module, inside: Tensor) -> None:
        """Wrap a network.

        Args:
            network: gives (regions, x, y, z) for a window.
            inside: (regions, classes) whether a class is part of a region.
        """
        super().__init__()
        self.network = network
        self.register_buffer("inside", inside, persistent=False)

    def forward(self, windows: Windows) -> Supervised:
        """(N,) losses."""
        logits: Sequence[Tensor] = self.network(windows)
        losses = [region_loss(z, self.inside[:, y]) for z, y in zip(logits, windows.labels, strict=True)]
        return Supervised(torch.stack(losses), sum(windows.tokens.lengths))


def region_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """0-dimensional loss of (regions, x, y, z) logits for (regions, x, y, z) which regions hold a voxel."""
    wanted = truth.to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, wanted)
    present = truth.flatten(1).any(1)
    if present.any():
        said = logits.sigmoid()[present].flatten(1)
        both, each = (said * wanted[present].flatten(1)).sum(1), said.sum(1) + wanted[present].flatten(1).sum(1)
        loss = loss + (1 - (2 * both + 1) / (each + 1)).mean()
    return loss
