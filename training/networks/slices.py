"""A slice-wise encoder: a 2D network on each slice by itself, the baseline that every 3D network has to beat.

Belongs here: bringing windows to MONAI's 2D U-Net and its features back. What is learned on them is a task's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.data.tokens import Shape
from training.networks.encoder import VoxelEncoder


class SliceEncoder(VoxelEncoder):
    """MONAI's BasicUNet in 2D over the slices of a window, with attention over slices for the window as a whole.

    A slice knows nothing of its neighbours. Slices are cut across the axis with the largest voxels, which is the one
    along which a patch has the fewest. Attention pooling as in Ilse et al., ICML 2018, equation 8.
    """

    STRIDE = 16
    """Slices are padded to a multiple of it for four halvings, and to two along an axis: one value cannot be normed."""

    def __init__(self, config: ModelConfig) -> None:
        """Make an encoder with random weights; its channels follow the model's width."""
        from monai.networks.nets.basic_unet import BasicUNet

        super().__init__()
        self.config = config
        channels = max(8, config.dim // 4)
        sizes = (channels, channels, 2 * channels, 4 * channels, 8 * channels, channels)
        self._width, self._voxel_width = sizes[4], channels
        self.network = BasicUNet(2, 1, channels, sizes)
        self.attention = nn.Sequential(nn.Linear(self._width, channels), nn.Tanh(), nn.Linear(channels, 1))

    @property
    def width(self) -> int:
        """Channels of a feature."""
        return self._width

    @property
    def voxel_width(self) -> int:
        """Channels of a voxel's feature."""
        return self._voxel_width

    def forward(self, windows: Windows) -> Tensor:
        """(T, width) features, one for each token: those of its place in its slices."""
        found = []
        each = zip(windows.images, self._axes(windows), windows.tokens.grids, strict=True)
        places = windows.tokens.index.split(windows.tokens.lengths)
        for (image, axis, grid), index in zip(each, places, strict=True):
            maps = self._deep(image, axis).movedim(0, axis + 1)
            dense = F.adaptive_avg_pool3d(maps[None], grid)[0]
            found.append(dense.movedim(0, -1)[tuple(index.unbind(1))])
        return torch.cat(found)

    def pooled(self, windows: Windows) -> Tensor:
        """(N, width) one vector a window: its slices' features, weighed by attention."""
        found = []
        for image, axis in zip(windows.images, self._axes(windows), strict=True):
            slices = self._deep(image, axis).mean((2, 3))
            found.append((self.attention(slices).softmax(0) * slices).sum(0))
        return torch.stack(found)

    def voxels(self, windows: Windows) -> list[Tensor]:
        """For each window (voxel_width, x, y, z) features."""
        found = []
        for image, axis in zip(windows.images, self._axes(windows), strict=True):
            maps = self.network(self._slices(image, axis))
            height, width = image.movedim(axis, 0).shape[1:]
            found.append(maps[:, :, :height, :width].movedim(0, 1).movedim(1, axis + 1))
        return found

    def _axes(self, windows: Windows) -> list[int]:
        """For each window the axis that slices are stacked along."""
        return [_thinnest(patches.shape[1:]) for patches in windows.tokens.patches]

    def _slices(self, image: Tensor, axis: int) -> Tensor:
        """(slices, 1, h, w) slices with their border repeated up to whole strides, at least two of them."""
        slices = image.movedim(axis, 0)[:, None]
        _, _, height, width = slices.shape
        more = max(-height % self.STRIDE, 2 * self.STRIDE - height)
        return F.pad(slices, [0, -width % self.STRIDE, 0, more], mode="replicate")

    def _deep(self, image: Tensor, axis: int) -> Tensor:
        """(slices, width, h / 16, w / 16) features of slices at the bottom of the U-Net."""
        net, maps = self.network, self._slices(image, axis)
        for layer in (net.conv_0, net.down_1, net.down_2, net.down_3, net.down_4):
            maps = layer(maps)
        return maps


def _thinnest(patch: Shape | torch.Size) -> int:
    """The axis along which a patch has the fewest voxels; of equals the last."""
    return min(range(3), key=lambda axis: (patch[axis], -axis))
