"""Low-rank updates of frozen weights (LoRA: Hu et al., 2021, section 4.1).

Belongs here: adding, finding and merging them. Which networks get them is `training.tasks.adapt`. An update is a
parametrization of PyTorch, so that one way serves linear layers, the joint projection of queries, keys and values
included, and convolutions, and no network has to know of it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers that get an update; a convolution's weight is a matrix of outputs by all that an output sees."""


class LowRank(nn.Module):
    """A weight plus the product of two thin matrices, which is zero at first."""

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        """Make an update of `weight` with at most `rank` and the strength `alpha / rank`."""
        super().__init__()
        outputs, inputs = weight.flatten(1).shape
        rank = min(rank, outputs, inputs)
        self.scale = alpha / rank
        self.down = nn.Parameter(weight.new_empty(rank, inputs))
        self.up = nn.Parameter(weight.new_zeros(outputs, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with its update, in full precision: what is merged later is what was trained."""
        with torch.autocast(weight.device.type, enabled=False):
            return weight + self.scale * (self.up @ self.down).view_as(weight)


def add(module: nn.Module, rank: int, alpha: float) -> None:
    """Freeze a module's parameters and give an update to the weight of every layer in it."""
    module.requires_grad_(requires_grad=False)
    for layer in [found for found in module.modules() if isinstance(found, LAYERS)]:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank, alpha))


def is_update(module: nn.Module) -> bool:
    """Whether a module is such an update."""
    return isinstance(module, LowRank)


def merge(module: nn.Module) -> None:
    """Put every update of a module into the weight it updates; names and shapes are those of a plain module again."""
    for layer in [found for found in module.modules() if parametrize.is_parametrized(found, "weight")]:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
