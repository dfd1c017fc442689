"""From tokens back to voxels: the encoder with a light convolutional decoder.

Belongs here: networks whose output lies on the window's voxels. What they learn is a task's.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.data.batch import Windows
from training.data.tokens import Shape
from training.networks.encoder import Encoder
from training.networks.kernels import resize_patch

DIRECT = 4
"""Points along an axis at which a token speaks of its own patch; they are resized to the patch's voxels."""

THIN = 3
"""Voxels along the first axis below which convolutions are not left to bfloat16, see `Convolution`."""


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
        self.absent = nn.Parameter(torch.zeros(encoder.width))
        self.stem = nn.Sequential(_conv(1, fine), _conv(fine, fine))
        self.down = _conv(fine, middle)
        self.coarse = nn.Sequential(_conv(encoder.width, coarse, 1), _conv(coarse, middle))
        self.middle = nn.Sequential(_conv(2 * middle, middle), _conv(middle, fine, 1))
        self.fine = nn.Sequential(_conv(2 * fine, fine), nn.Conv3d(fine, classes, 1))
        self.direct = nn.Linear(encoder.width, classes * DIRECT**3)
        nn.init.zeros_(self.direct.weight)
        nn.init.zeros_(self.direct.bias)

    def forward(self, windows: Windows) -> list[Tensor]:
        """For each window (classes, x, y, z) logits."""
        batch = windows.tokens
        features = self.encoder(windows)
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
            padded = pad(image, (grid[0] * x, grid[1] * y, grid[2] * z))
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


def pad(image: Tensor, shape: Shape) -> Tensor:
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
