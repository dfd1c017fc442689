"""MONAI's DynUNet: the convolutional baseline that a pre-trained model has to beat.

Belongs here: its size and how windows are brought to it.
"""

from torch import Tensor, nn

from training.data.batch import Windows
from training.networks.layers import THIN, pad


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
        padded = pad(image, (max(x + -x % self.STRIDE, THIN * self.STRIDE), y + -y % self.STRIDE, z + -z % self.STRIDE))
        logits: Tensor = self.network(padded[None, None])
        return logits[0, :, :x, :y, :z].float()
