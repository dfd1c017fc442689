"""Segmentation: every voxel of a window gets a class.

Belongs here: the task's network by its name, and its loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.networks.dynunet import ConvolutionalBaseline
from training.networks.encoder import make_encoder
from training.networks.segmenter import TokenSegmenter


@dataclass(frozen=True)
class Supervised:
    """Losses of labelled windows."""

    losses: Tensor
    computed: int


class SegmentationTask(nn.Module):
    """A network with its loss, window by window: cross entropy, plus soft Dice of the classes that are there.

    Dice of a class that a window does not hold is one whatever is predicted, and would drown the others.
    """

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network."""
        from monai.losses.dice import DiceLoss

        super().__init__()
        self.network = network
        self._dice = DiceLoss(
            to_onehot_y=True, softmax=True, include_background=False, reduction="none", smooth_nr=1.0, smooth_dr=1.0
        )

    def forward(self, windows: Windows) -> Supervised:
        """(N,) losses."""
        logits: Sequence[Tensor] = self.network(windows)
        losses = [self._one(z[None], y) for z, y in zip(logits, windows.labels, strict=True)]
        return Supervised(torch.stack(losses), sum(windows.tokens.lengths))

    def _one(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss = F.cross_entropy(logits, labels[None])
        present = torch.bincount(labels.flatten(), minlength=logits.shape[1])[1:] > 0
        if present.any():
            loss = loss + self._dice(logits, labels[None, None]).flatten()[present].mean()
        return loss


def network_for(config: FinetuneConfig, classes: int) -> nn.Module:
    """The network that a configuration names, with random weights."""
    if config.network == "dynunet":
        return ConvolutionalBaseline(classes)
    return TokenSegmenter(make_encoder(config.model), classes, config.channels)
