"""The convolutional encoder: a U-Net with a residual encoder, whose way back to the voxels is part of it.

Belongs here: its blocks, and how it adapts to the voxel grid. What is put on its features is elsewhere.

Source: Isensee et al., nnU-Net Revisited, MICCAI 2024 (residual encoder); Wald et al., Revisiting MAE Pre-Training for
3D Medical Image Segmentation, CVPR 2025 (encoder and decoder pre-trained together).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.data.tokens import Shape
from training.networks.encoder import VoxelEncoder
from training.networks.layers import Convolution, InstanceNorm, convolution, pad

SLOPE = 0.01
"""Of leaky rectifiers below zero."""


class Residual(nn.Module):
    """Two convolutions beside a short cut; the first one halves those axes that it is told to."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Make a block from `inputs` to `outputs` channels."""
        super().__init__()
        self.first, self.second = (Convolution(c, outputs, 3, padding=1, bias=False) for c in (inputs, outputs))
        self.norm_first, self.norm_second = InstanceNorm(outputs), InstanceNorm(outputs)
        self.short = nn.Conv3d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, maps: Tensor, stride: Shape = (1, 1, 1)) -> Tensor:
        """(N, inputs, x, y, z) to (N, outputs, x / stride, ...)."""
        inner = F.leaky_relu(self.norm_first(self.first(maps, stride)), SLOPE)
        inner = self.norm_second(self.second(inner))
        short = F.avg_pool3d(maps, stride) if max(stride) > 1 else maps
        return F.leaky_relu(inner + self.short(short), SLOPE)


class Stage(nn.Module):
    """Residual blocks at one resolution."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        """Make a stage."""
        super().__init__()
        self.blocks = nn.ModuleList(Residual(inputs if i == 0 else outputs, outputs) for i in range(blocks))

    def forward(self, maps: Tensor, stride: Shape) -> Tensor:
        """(N, inputs, x, y, z) to (N, outputs, x / stride, ...)."""
        for number, block in enumerate(self.blocks):
            maps = block(maps, stride if number == 0 else (1, 1, 1))
        return maps


class Alike(NamedTuple):
    """Windows that go through the network together.

    Attributes:
        places: of the windows in the batch.
        images: (N, 1, x, y, z), padded to whole patches.
        patch: voxels of a patch.
    """

    places: tuple[int, ...]
    images: Tensor
    patch: Shape


class ResidualUNet(VoxelEncoder):
    """Residual stages down to patches, and a light way back up to voxels with features of the same size beside.

    An axis is halved as often as a patch of the window can be: patches are of about constant physical size, so thick
    slices are halved later or never, and a token is one place of the coarsest map, or a mean over a few.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Make an encoder with random weights."""
        super().__init__()
        self.config = config
        last = len(config.stages) - 1
        channels = [config.dim // 2 ** (last - level) for level in range(last + 1)]
        self._channels = channels
        self.stem = convolution(1, channels[0])
        self.down = nn.ModuleList(
            Stage(channels[max(level - 1, 0)], channels[level], blocks) for level, blocks in enumerate(config.stages)
        )
        levels = range(last - 1, -1, -1)
        self.narrow = nn.ModuleList(nn.Conv3d(channels[k + 1], channels[k], 1, bias=False) for k in levels)
        self.join = nn.ModuleList(convolution(2 * channels[k], channels[k]) for k in levels)
        self.apply(_initialize)

    @property
    def width(self) -> int:
        """Channels of a token's feature."""
        return self._channels[-1]

    @property
    def voxel_width(self) -> int:
        """Channels of a voxel's feature."""
        return self._channels[0]

    def forward(self, windows: Windows) -> Tensor:
        """(T, width) features, one for each token of the windows: what the coarsest map holds at its place."""
        batch = windows.tokens
        index = batch.index.split(batch.lengths)
        found: dict[int, Tensor] = {}
        for places, images, patch in alike(windows):
            coarsest = self._down(images, patch)[-1]
            cells = [p // (n // m) for p, n, m in zip(patch, images.shape[2:], coarsest.shape[2:], strict=True)]
            pooled = F.avg_pool3d(coarsest, cells).float()
            found |= {place: pooled[n][(slice(None), *index[place].unbind(1))].T for n, place in enumerate(places)}
        return torch.cat([found[place] for place in range(len(windows))])

    def voxels(self, windows: Windows) -> list[Tensor]:
        """For each window (voxel_width, x, y, z) features."""
        found: dict[int, Tensor] = {}
        for places, images, patch in alike(windows):
            maps = self._up(self._down(images, patch))
            for n, place in enumerate(places):
                x, y, z = windows.images[place].shape
                found[place] = maps[n, :, :x, :y, :z]
        return [found[place] for place in range(len(windows))]

    def _down(self, images: Tensor, patch: Shape) -> list[Tensor]:
        """Maps of each stage, finest first."""
        maps, found = self.stem(images), []
        for level, stage in enumerate(self.down):
            maps = stage(maps, stride(patch, level))
            found.append(maps)
        return found

    def _up(self, maps: Sequence[Tensor]) -> Tensor:
        """(N, voxel_width, x, y, z) from the maps of each stage."""
        coarse = maps[-1]
        for narrow, join, beside in zip(self.narrow, self.join, maps[-2::-1], strict=True):
            up = F.interpolate(narrow(coarse), beside.shape[2:], mode="trilinear")
            coarse = join(torch.cat([up, beside], 1))
        return coarse


def stride(patch: Shape, level: int) -> Shape:
    """How much each axis shrinks on the way to a stage: by two as long as a patch can be halved."""
    x, y, z = (2 if level and p % 2**level == 0 else 1 for p in patch)
    return x, y, z


def alike(windows: Windows) -> Iterator[Alike]:
    """The windows in groups of one padded shape and patch."""
    groups: dict[tuple[Shape, Shape], list[int]] = {}
    for place, (grid, patches) in enumerate(zip(windows.tokens.grids, windows.tokens.patches, strict=True)):
        _, x, y, z = patches.shape
        groups.setdefault((grid, (x, y, z)), []).append(place)
    for (grid, patch), places in groups.items():
        x, y, z = (g * p for g, p in zip(grid, patch, strict=True))
        yield Alike(tuple(places), torch.stack([pad(windows.images[i], (x, y, z)) for i in places])[:, None], patch)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, a=SLOPE)
