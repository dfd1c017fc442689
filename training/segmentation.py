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
from training.kernels import resize_patch
from training.tokens import Packed, Shape
from training.vit import Encoder

DIRECT = 4
"""Points along an axis at which a token speaks of its own patch; they are resized to the patch's voxels."""

THIN = 3
"""Voxels along the first axis below which convolutions are not left to bfloat16, see `Convolution`."""


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
    the image itself join them, as in UNETR (Hatamizadeh et al., WACV 2022) with two stages in place of four. Beside it
    each token says by itself what its patch holds, which lets pre-trained features speak from the first steps on. Sizes
    come from the window, so that any patch and window shape will do.
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
        self.encoder, self.classes = encoder, classes
        self.absent = nn.Parameter(torch.zeros(encoder.config.dim))
        self.stem = nn.Sequential(_conv(1, fine), _conv(fine, fine))
        self.down = _conv(fine, middle)
        self.coarse = nn.Sequential(_conv(encoder.config.dim, coarse, 1), _conv(coarse, middle))
        self.middle = nn.Sequential(_conv(2 * middle, middle), _conv(middle, fine, 1))
        self.fine = nn.Sequential(_conv(2 * fine, fine), nn.Conv3d(fine, classes, 1))
        self.direct = nn.Linear(encoder.config.dim, classes * DIRECT**3)
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.direct.bias)

    def forward(self, windows: Windows) -> list[Tensor]:
        """For each window (classes, x, y, z) logits."""
        batch = windows.tokens
        features = self.encoder(batch)
        each = zip(
            windows.images,
            features.split(batch.lengths),
            self.direct(features).float().split(batch.lengths),
            batch.index.split(batch.lengths),
            batch.grids,
            batch.patches,
            strict=True,
        )
        logits = []
        for image, tokens, direct, index, grid, patches in each:
            x, y, z = patches.shape[1:]
            padded = _pad(image, (grid[0] * x, grid[1] * y, grid[2] * z))
            whole = self._decode(padded, self._grid(tokens, index, grid), (x, y, z))
            whole = whole + self._unpatch(direct, index, grid, (x, y, z))
            logits.append(whole[:, : image.shape[0], : image.shape[1], : image.shape[2]])
        return logits

    def _grid(self, features: Tensor, index: Tensor, grid: Shape) -> Tensor:
        """(1, dim, *grid) features at their places; where there is no token, what stands for absence."""
        dense = self.absent.to(features.dtype).expand(*grid, -1)
        dense = dense.index_put(tuple(index.unbind(1)), features)
        return dense.permute(3, 0, 1, 2).unsqueeze(0)

    def _unpatch(self, direct: Tensor, index: Tensor, grid: Shape, patch: Shape) -> Tensor:
        """(classes, x, y, z) logits that tokens give their own patches; zero where there is no token."""
        said = resize_patch(direct.unflatten(-1, (self.classes, DIRECT, DIRECT, DIRECT)), patch)
        dense = said.new_zeros(*grid, self.classes, *patch).index_put(tuple(index.unbind(1)), said)
        return dense.permute(3, 0, 4, 1, 5, 2, 6).flatten(5, 6).flatten(3, 4).flatten(1, 2)

    def _decode(self, image: Tensor, tokens: Tensor, patch: Shape) -> Tensor:
        """(classes, x, y, z) logits of one window that is padded to whole patches."""
        step = [2 ** ((p.bit_length() - 1) // 2) for p in patch]
        fine = self.stem(image[None, None])
        middle = self.down(F.avg_pool3d(fine, step))
        up = F.interpolate(self.coarse(tokens), middle.shape[2:], mode="trilinear")
        joined = self.middle(torch.cat([up, middle], 1))
        joined = F.interpolate(joined, fine.shape[2:], mode="trilinear")
        logits: Tensor = self.fine(torch.cat([joined, fine], 1))
        return logits[0].float()


def _pad(image: Tensor, shape: Shape) -> Tensor:
    """The image with its border repeated up to a shape: zeros there would look like an edge."""
    x, y, z = (target - size for target, size in zip(shape, image.shape, strict=True))
    if not (x or y or z):
        return image
    return F.pad(image[None, None], [0, z, 0, y, 0, x], mode="replicate")[0, 0]


class Convolution(nn.Conv3d):
    """A convolution whose gradients are right for thin input too.

    On CPUs with bfloat16 instructions, oneDNN's gradient of a 3-wide kernel's weights reads memory that nobody wrote
    where the first axis has two voxels: other numbers in each run, and sometimes NaN (torch 2.15, glibc's
    MALLOC_PERTURB_ shows it). Such input is small, and is computed in float32.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, x, y, z) output for (N, channels, x, y, z) input."""
        if input.shape[2] >= THIN or input.device.type != "cpu":
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


def _conv(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        Convolution(inputs, outputs, size, padding=size // 2, bias=False),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.LeakyReLU(0.01),
    )


class ConvolutionalBaseline(nn.Module):
    """MONAI's DynUNet on the same windows, about 1.4 million parameters: what a pre-trained model has to beat."""

    STRIDE = 8
    """Windows are padded to a multiple of it; the first axis so that the coarsest level is not thin."""

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
        padded = _pad(
            image, (max(x + -x % self.STRIDE, THIN * self.STRIDE), y + -y % self.STRIDE, z + -z % self.STRIDE)
        )
        logits: Tensor = self.network(padded[None, None])
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
