"""From features to voxels: an encoder with what it takes to say something of every voxel.

Belongs here: networks whose output lies on the window's voxels. What they learn is a task's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.data.batch import Windows
from training.data.tokens import Shape
from training.networks.encoder import Encoder, VoxelEncoder
from training.networks.kernels import resize_patch
from training.networks.layers import convolution, pad

DIRECT = 4
"""Points along an axis at which a token speaks of its own patch; they are resized to the patch's voxels."""


def on_voxels(encoder: Encoder, outputs: int, channels: tuple[int, int, int]) -> "TokenSegmenter | VoxelSegmenter":
    """A network around an encoder that gives `outputs` values for every voxel.

    Args:
        encoder: gives features of tokens or of voxels.
        outputs: values for each voxel.
        channels: of the decoder that features of tokens need, see `TokenSegmenter`.
    """
    if isinstance(encoder, VoxelEncoder):
        return VoxelSegmenter(encoder, outputs)
    return TokenSegmenter(encoder, outputs, channels)


class VoxelSegmenter(nn.Module):
    """An encoder that gives features of voxels itself, and one linear layer: all else is pre-trained."""

    def __init__(self, encoder: VoxelEncoder, classes: int) -> None:
        """Make a network with a random last layer.

        Args:
            encoder: gives features of voxels.
            classes: number of classes, the background counted.
        """
        super().__init__()
        self.encoder = encoder
        self.head = nn.Conv3d(encoder.voxel_width, classes, 1)

    def forward(self, windows: Windows) -> list[Tensor]:
        """For each window (classes, x, y, z) logits."""
        return [self.head(maps[None])[0].float() for maps in self.encoder.voxels(windows)]


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
        self.stem = nn.Sequential(convolution(1, fine), convolution(fine, fine))
        self.down = convolution(fine, middle)
        self.coarse = nn.Sequential(convolution(encoder.width, coarse, 1), convolution(coarse, middle))
        self.middle = nn.Sequential(convolution(2 * middle, middle), convolution(middle, fine, 1))
        self.fine = nn.Sequential(convolution(2 * fine, fine), nn.Conv3d(fine, classes, 1))
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
            said = direct.unflatten(-1, (self.classes, DIRECT, DIRECT, DIRECT))
            whole = whole + laid_out(resize_patch(said, (x, y, z)), index, grid)
            logits.append(whole[:, : image.shape[0], : image.shape[1], : image.shape[2]])
        return logits

    def _grid(self, features: Tensor, index: Tensor, grid: Shape) -> Tensor:
        """(1, dim, *grid) features at their places; where there is no token, what stands for absence."""
        dense = self.absent.to(features.dtype).expand(*grid, -1)
        dense = dense.index_put(tuple(index.unbind(1)), features)
        return dense.permute(3, 0, 1, 2).unsqueeze(0)

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


def laid_out(patches: Tensor, index: Tensor, grid: Shape) -> Tensor:
    """(channels, x, y, z) of (n, channels, px, py, pz) patches at their places; zero where there is no token."""
    dense = patches.new_zeros(*grid, *patches.shape[1:]).index_put(tuple(index.unbind(1)), patches)
    return dense.permute(3, 0, 4, 1, 5, 2, 6).flatten(5, 6).flatten(3, 4).flatten(1, 2)
