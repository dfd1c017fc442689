"""Segmentation: every voxel of a window gets a class.

Belongs here: the task, its network by its name, and its loss. Its samples are `training.data.labelled`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.labelled import Classes, LabelledDataset, chosen, classes_of, collate_labelled
from training.data.order import exposure
from training.data.source import Source
from training.errors import TrainingError
from training.networks.dynunet import ConvolutionalBaseline
from training.networks.encoder import make_encoder
from training.networks.segmenter import on_voxels
from training.tasks.sliding import Scan, blended
from training.tasks.task import Options, Prediction, Served, Task


class Segmentation(Task[Options]):
    """Label maps learned from label maps."""

    answer = "labels"

    def serve(self, release: Source) -> Served:
        """Labelled windows of the training split."""
        config = self.config
        members = chosen(release, config)
        classes = classes_of(release.labels(), members)
        dataset = LabelledDataset(release, members, classes, config)
        return Served(
            dataset,
            collate_labelled,
            subjects=sorted({member.subject for member in members}),
            exposure=partial(exposure, [f.volume for f in dataset.facts], config.seed, config.batch_size),
            skipped=dataset.skipped,
            about={"classes": dict(classes.names)},
        )

    def network(self, about: Mapping[str, Any]) -> nn.Module:
        """A network with an output a class on every voxel."""
        return network_for(self.config, len(classes_in(about).values))

    def learner(self, network: nn.Module, about: Mapping[str, Any]) -> nn.Module:
        """The network with its loss."""
        return SegmentationTask(network)

    def predict(self, network: nn.Module, about: Mapping[str, Any], scan: Scan, *, overlap: float) -> Prediction:
        """(x, y, z) label values."""
        classes = classes_in(about)
        shares = blended(network, scan, self.config, overlap, lambda logits: logits.softmax(0))
        return Prediction(classes.restore(shares.argmax(0).numpy()))


def classes_in(about: Mapping[str, Any]) -> Classes:
    """The classes that a checkpoint's `config.yaml` names."""
    return Classes({int(value): str(name) for value, name in about["classes"].items()})


@dataclass(frozen=True)
class Supervised:
    """Losses of labelled windows."""

    losses: Tensor
    computed: int


class SegmentationTask(nn.Module):
    """A network with its loss."""

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network."""
        super().__init__()
        self.network, self._loss = network, SegmentationLoss()

    def forward(self, windows: Windows) -> Supervised:
        """(N,) losses."""
        logits: Sequence[Tensor] = self.network(windows)
        losses = [self._loss(z, y) for z, y in zip(logits, windows.labels, strict=True)]
        return Supervised(torch.stack(losses), sum(windows.tokens.lengths))


class SegmentationLoss:
    """Cross entropy of a window's voxels, plus soft Dice of the classes that are there.

    Dice of a class that a window does not hold is one whatever is predicted, and would drown the others.
    """

    def __init__(self) -> None:
        """Make the loss."""
        from monai.losses.dice import DiceLoss

        self._dice = DiceLoss(
            to_onehot_y=True, softmax=True, include_background=False, reduction="none", smooth_nr=1.0, smooth_dr=1.0
        )

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """0-dimensional loss of (classes, x, y, z) logits for (x, y, z) class indices."""
        loss = F.cross_entropy(logits[None], labels[None])
        present = torch.bincount(labels.flatten(), minlength=len(logits))[1:] > 0
        if present.any():
            loss = loss + self._dice(logits[None], labels[None, None]).flatten()[present].mean()
        return loss


def network_for(config: FinetuneConfig, classes: int) -> nn.Module:
    """The network that a configuration names, with random weights.

    Raises:
        TrainingError: if there is none of that name.
    """
    if config.network == "dynunet":
        return ConvolutionalBaseline(classes)
    if config.network != "vit":
        raise TrainingError(f"network: found {config.network!r}, needed vit or dynunet for task {config.task}")
    return on_voxels(make_encoder(config.model), classes, config.channels)
