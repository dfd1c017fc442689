"""Segmentation: networks that give every voxel of a window a class.

Belongs here: the task's networks and its loss. Which windows they see is `training.labelled`, how they are trained is
`training.finetune`, how whole volumes are predicted is `training.inference`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config import FinetuneConfig
from training.tokens import Packed, Shape
from training.vit import Encoder


@dataclass(frozen=True)
class Windows:
    """Windows with their tokens, and their labels where they are known.

    Attributes:
        images: for each window (x, y, z) normalized intensities.
        tokens: the windows' tokens, packed.
        labels: for each window (x, y, z) class indices; empty where they are to be found.
    """

    images: tuple[Tensor, ...]
    tokens: Packed
    labels: tuple[Tensor, ...] = ()

    def to(self, device: torch.device | str) -> "Windows":
        """The windows on another device."""
        images, labels = (tuple(t.to(device) for t in group) for group in (self.images, self.labels))
        return Windows(images, self.tokens.to(device), labels)


class Segmenter(Protocol):
    """A segmentation network."""

    def __call__(self, windows: Windows) -> list[Tensor]:
        """For each window (classes, x, y, z) logits."""


class TokenSegmenter(nn.Module):
    """The encoder's tokens, brought back to voxels by a light convolutional decoder.

    Tokens lie on the window's token grid; they are interpolated to a middle and to voxel resolution, where features of
    the image itself join them, as in UNETR (Hatamizadeh et al., WACV 2022) with two stages in place of four. Sizes come
    from the window, so that any patch and window shape will do.
    """

    def __init__(self, encoder: Encoder, classes: int, channels: tuple[int, int, int]) -> None:
        """Make a network with a random decoder.

        Args:
            encoder: gives the tokens.
            classes: number of classes, the background counted.
            channels: of the decoder at voxel, middle and token resolution.
        """
        super().__init__()
        fine, middle, coarse = channels
        self.encoder = encoder
        self.absent = nn.Parameter(torch.zeros(encoder.config.dim))
        self.stem = nn.Sequential(_conv(1, fine), _conv(fine, fine))
        self.down = _conv(fine, middle)
        self.coarse = nn.Sequential(_conv(encoder.config.dim, coarse, 1), _conv(coarse, middle))
        self.middle = nn.Sequential(_conv(2 * middle, middle), _conv(middle, fine, 1))
        self.fine = nn.Sequential(_conv(2 * fine, fine), nn.Conv3d(fine, classes, 1))

    def forward(self, windows: Windows) -> list[Tensor]:
        """For each window (classes, x, y, z) logits."""
        batch = windows.tokens
        features = self.encoder(batch).split(batch.lengths)
        indices = batch.index.split(batch.lengths)
        shapes = [patches.shape[1:] for patches in batch.patches]
        return [
            self._decode(image[None, None], self._grid(feature, index, grid), (s[0], s[1], s[2]))
            for image, feature, index, grid, s in zip(
                windows.images, features, indices, batch.grids, shapes, strict=True
            )
        ]

    def _grid(self, features: Tensor, index: Tensor, grid: Shape) -> Tensor:
        """(1, dim, *grid) features at their places; where there is no token, what stands for absence."""
        dense = self.absent.to(features.dtype).expand(*grid, -1)
        dense = dense.index_put(tuple(index.unbind(1)), features)
        return dense.permute(3, 0, 1, 2).unsqueeze(0)

    def _decode(self, image: Tensor, tokens: Tensor, patch: Shape) -> Tensor:
        """(classes, x, y, z) logits of one window."""
        pad = [g * p - n for g, p, n in zip(tokens.shape[2:], patch, image.shape[2:], strict=True)]
        # intensities beyond the border repeat: a step there would look like an edge
        padded = F.pad(image, [0, pad[2], 0, pad[1], 0, pad[0]], mode="replicate") if any(pad) else image
        step = [2 ** ((p.bit_length() - 1) // 2) for p in patch]
        fine = self.stem(padded)
        middle = self.down(F.avg_pool3d(fine, step))
        up = F.interpolate(self.coarse(tokens), middle.shape[2:], mode="trilinear")
        joined = self.middle(torch.cat([up, middle], 1))
        joined = F.interpolate(joined, fine.shape[2:], mode="trilinear")
        logits: Tensor = self.fine(torch.cat([joined, fine], 1))
        x, y, z = image.shape[2:]
        return logits[0, :, :x, :y, :z].float()


def _conv(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.LeakyReLU(0.01),
    )


class ConvolutionalBaseline(nn.Module):
    """MONAI's DynUNet on the same windows, about 1.4 million parameters: what a pre-trained model has to beat."""

    STRIDE = 8
    """Windows are padded to a multiple of it."""

    def __init__(self, classes: int) -> None:
        """Make the network with random weights."""
        from monai.networks.nets.dynunet import DynUNet

        super().__init__()
        strides = [1, 2, 2, 2]
        self.network = DynUNet(3, 1, classes, [3] * 4, strides, strides[1:], filters=[16, 32, 64, 128])

    def forward(self, windows: Windows) -> list[Tensor]:
        """For each window (classes, x, y, z) logits."""
        return [self._one(image) for image in windows.images]

    def _one(self, image: Tensor) -> Tensor:
        x, y, z = image.shape
        pad = [-n % self.STRIDE for n in image.shape]
        padded = F.pad(image[None, None], [0, pad[2], 0, pad[1], 0, pad[0]], mode="replicate")
        logits: Tensor = self.network(padded)
        return logits[0, :, :x, :y, :z].float()


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
    return TokenSegmenter(Encoder(config.model), classes, config.channels)
