"""Layers that the convolutional networks share.

Belongs here: convolutions and norms that are right for windows of any shape, and padding.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.data.tokens import Shape

THIN = 3
"""Voxels along the first axis below which convolutions are not left to bfloat16, see `Convolution`."""


class Convolution(nn.Conv3d):
    """A convolution whose stride is told with its input, and whose gradients are right for thin input too.

    On CPUs with bfloat16 instructions, oneDNN's gradient of a 3-wide kernel's weights reads memory that nobody wrote
    where the first axis has two voxels: other numbers in each run, and sometimes NaN (torch 2.15, glibc's
    MALLOC_PERTURB_ shows it). Such input is small, and is computed in float32.
    """

    def forward(self, input: Tensor, stride: Shape = (1, 1, 1)) -> Tensor:
        """(N, channels, x, y, z) output for (N, channels, x, y, z) input."""
        if input.shape[2] >= THIN * stride[0] or input.device.type != "cpu":
            return F.conv3d(input, self.weight, self.bias, stride, self.padding)
        with torch.autocast("cpu", enabled=False):
            return F.conv3d(input.float(), self.weight, self.bias, stride, self.padding)


class InstanceNorm(nn.Module):
    """Every channel of every window to zero mean and unit variance, then scaled; a single voxel to its offset."""

    def __init__(self, channels: int) -> None:
        """Make a norm that leaves mean and variance as they are."""
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, channels, x, y, z) to the same."""
        if maps[0, 0].numel() == 1:
            return maps * 0 + self.bias.view(-1, 1, 1, 1)
        return F.instance_norm(maps, weight=self.weight, bias=self.bias)


def convolution(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    """A convolution with its norm and leaky rectifier."""
    return nn.Sequential(
        Convolution(inputs, outputs, size, padding=size // 2, bias=False), InstanceNorm(outputs), nn.LeakyReLU(0.01)
    )


def pad(image: Tensor, shape: Shape) -> Tensor:
    """The image with its border repeated up to a shape: zeros there would look like an edge."""
    x, y, z = (target - size for target, size in zip(shape, image.shape, strict=True))
    if not (x or y or z):
        return image
    return F.pad(image[None, None], [0, z, 0, y, 0, x], mode="replicate")[0, 0]
