"""What every encoder is to objectives, tasks and evaluation, and the names they go by.

Belongs here: the interface and the registry. A new encoder is one file and one entry.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.errors import CheckpointError, TrainingError
from training.networks.older import of_today


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

    def pooled_studies(self, windows: Windows) -> Tensor:
        """(S, width) one vector a study: the mean of those of its series that are there, however many."""
        vectors = self.pooled(windows)
        groups = torch.tensor(windows.studies or range(len(windows)), device=vectors.device)
        _, lengths = groups.unique_consecutive(return_counts=True)
        return torch.stack([part.mean(0) for part in vectors.split(lengths.tolist())])


class VoxelEncoder(Encoder):
    """An encoder that also brings its features back to the windows' voxels: its way back is pre-trained with it."""

    @property
    @abstractmethod
    def voxel_width(self) -> int:
        """Channels of a voxel's feature."""

    @abstractmethod
    def voxels(self, windows: Windows) -> list[Tensor]:
        """For each window (voxel_width, x, y, z) features."""


def make_encoder(config: ModelConfig) -> Encoder:
    """The encoder that a configuration names, with random weights.

    Raises:
        TrainingError: if there is none of that name.
    """
    from training.networks.resenc import ResidualUNet
    from training.networks.slices import SliceEncoder
    from training.networks.vit import PackedViT

    known: dict[str, type[Encoder]] = {"resenc": ResidualUNet, "slices2d": SliceEncoder, "vit": PackedViT}
    if config.encoder not in known:
        raise TrainingError(f"encoder: found {config.encoder!r}, needed one of {', '.join(sorted(known))}")
    return known[config.encoder](config)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a network the weights of a checkpoint.

    Args:
        module: takes them.
        weights: name to tensor.

    Raises:
        CheckpointError: if they are those of another network.
    """
    own = module.state_dict()
    weights = of_today(weights, own)
    differing = sorted(
        name
        for name in own.keys() | weights.keys()
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    )
    if differing:
        raise CheckpointError(
            f"found {len(differing)} weights in the checkpoint that are missing, unknown or of another shape, such as "
            f"{differing[0]}, needed those of the network that its configuration names; train it again"
        )
    module.load_state_dict(dict(weights))


def parameters(module: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
