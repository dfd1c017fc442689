"""What every encoder is to objectives, tasks and evaluation, and the names they go by.

Belongs here: the interface and the registry. A new encoder is one file and one entry.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.errors import TrainingError


class Encoder(nn.Module, ABC):
    """From windows of any shape and spacing to features."""

    config: ModelConfig
    """What it was made from."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Channels of a feature."""

    @abstractmethod
    def forward(self, windows: Windows) -> Tensor:
        """(T, width) features, one for each token of the windows."""

    def pooled(self, windows: Windows) -> Tensor:
        """(N, width) one vector a window: the mean of its tokens' features."""
        parts = self(windows).split(windows.tokens.lengths)
        return torch.stack([part.mean(0) for part in parts])


def make_encoder(config: ModelConfig) -> Encoder:
    """The encoder that a configuration names, with random weights.

    Raises:
        TrainingError: if there is none of that name.
    """
    from training.networks.vit import PackedViT

    known: dict[str, type[Encoder]] = {"vit": PackedViT}
    if config.encoder not in known:
        raise TrainingError(f"encoder: found {config.encoder!r}, needed one of {', '.join(sorted(known))}")
    return known[config.encoder](config)


def parameters(module: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
