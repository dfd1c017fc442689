"""A convolutional network that says what to add to a window's voxels so that they look as from a slow scan.

Belongs here: the network. What it learns is `training.tasks.restoration`.
"""

from itertools import combinations

import torch
from torch import Tensor, nn

from training.data.batch import Windows
from training.networks.layers import Convolution, pad


class Restorer(nn.Module):
    """Residual blocks at half and quarter resolution; what is said of two voxels along each axis is said at once.

    To work on blocks of voxels as channels is FFDNet's way to speed (Zhang et al., 2018, section III-B), to predict
    what to add DnCNN's (Zhang et al., 2017), blocks without normalization EDSR's (Lim et al., 2017). Noise of any level
    is told by the network itself. In evaluation it may see an image from all sides and take the mean of what it says
    (Timofte et al., Seven Ways, CVPR 2016; mirror images only, since voxels need not be cubes).
    """

    STRIDE = 4
    """Windows are padded to a multiple of it."""

    def __init__(self, width: int = 32, blocks: int = 2, *, mirror: bool = False) -> None:
        """Make the network with random weights, which adds nothing at first.

        Args:
            width: channels at half resolution; twice as many at quarter resolution.
            blocks: residual blocks on the way down, and as many on the way up.
            mirror: in evaluation, take the mean over the eight mirror images of a window.
        """
        super().__init__()
        self._mirror = mirror
        self.enter = Convolution(8, width, 3, padding=1)
        self.down = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.coarsen = nn.Conv3d(width, 2 * width, 2, stride=2)
        self.coarse = nn.Sequential(*(_Block(2 * width) for _ in range(blocks)))
        self.refine = nn.ConvTranspose3d(2 * width, width, 2, stride=2)
        self.up = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.leave = Convolution(width, 8, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        if self.leave.bias is not None:
            nn.init.zeros_(self.leave.bias)

    def forward(self, windows: Windows) -> list[Tensor]:
        """For each window (1, x, y, z) what to add, in normalized intensities."""
        return [self.see(image) for image in windows.images]

    def see(self, image: Tensor) -> Tensor:
        """(1, x, y, z) what to add to one (x, y, z) window, in evaluation from all sides where that was asked for."""
        return self._from_all_sides(image) if self._mirror and not self.training else self._one(image)

    def _from_all_sides(self, image: Tensor) -> Tensor:
        # the image itself is none of them: a flip of no axes is no graph that ONNX runtimes take
        sides = [axes for count in (1, 2, 3) for axes in combinations((-3, -2, -1), count)]
        return torch.stack([self._one(image), *(self._one(image.flip(axes)).flip(axes) for axes in sides)]).mean(0)

    def _one(self, image: Tensor) -> Tensor:
        # MONAI takes seconds to import, for which predictions of all other tasks would wait
        from monai.networks.utils import pixelshuffle, pixelunshuffle

        x, y, z = image.shape
        padded = pad(image, (x + -x % self.STRIDE, y + -y % self.STRIDE, z + -z % self.STRIDE))
        fine = self.down(self.enter(pixelunshuffle(padded[None, None], 3, 2)))
        joined = fine + self.refine(self.coarse(self.coarsen(fine)))
        added: Tensor = pixelshuffle(self.leave(self.up(joined)).float(), 3, 2)
        return added[0, :, :x, :y, :z]


class _Block(nn.Module):
    """Two convolutions whose result is added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Convolution(width, width, 3, padding=1), nn.ReLU(inplace=True), Convolution(width, width, 3, padding=1)
        )

    def forward(self, values: Tensor) -> Tensor:
        changed: Tensor = values + self.body(values)
        return changed
