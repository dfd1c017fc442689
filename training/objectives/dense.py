"""Masked reconstruction for convolutions: patches of the image are blanked, and the whole network fills them in.

Belongs here: blanking and the loss. Which tokens are hidden is drawn as in `training.objectives.masked`; encoders that
can leave tokens out are better served by it.

Source: Wald et al., Revisiting MAE Pre-Training for 3D Medical Image Segmentation, CVPR 2025: zeroed blocks, encoder
and decoder trained together, the error taken where it was blanked.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from training.config.pretrain import PretrainConfig
from training.data.batch import Windows
from training.data.windows import Prepare
from training.networks.encoder import Encoder, VoxelEncoder
from training.networks.segmenter import laid_out
from training.objectives.masked import DrawMask
from training.objectives.objective import Objective, Outcome, globals_of, per_sample


class DenseReconstruction(Objective):
    """An encoder of voxels with a linear layer that predicts intensities of blanked patches."""

    encoder: VoxelEncoder

    def __init__(self, config: PretrainConfig, encoder: Encoder) -> None:
        """Make the objective around an encoder of voxels."""
        super().__init__()
        assert isinstance(encoder, VoxelEncoder), "encoders of tokens have masked reconstruction of their own"
        self._ratio = config.mask_ratio
        self.encoder = encoder
        self.predict = nn.Conv3d(encoder.voxel_width, 1, 1)

    @property
    def prepare(self) -> Prepare:
        """Draws which tokens are hidden."""
        return DrawMask(self._ratio)

    def forward(self, windows: Windows) -> Outcome:
        """Mean squared error of the hidden tokens' measured voxels, for each sample."""
        windows = globals_of(windows)
        hidden = blanked(windows)
        images = tuple(image.masked_fill(mask, 0) for image, mask in zip(windows.images, hidden, strict=True))
        maps = self.encoder.voxels(replace(windows, images=images))
        losses = [
            self._loss(self.predict(features[None])[0, 0].float(), image, mask)
            for features, image, mask in zip(maps, windows.images, hidden, strict=True)
        ]
        return Outcome(per_sample(torch.stack(losses), windows), sum(windows.tokens.lengths))

    def _loss(self, predicted: Tensor, image: Tensor, mask: Tensor) -> Tensor:
        return ((predicted - image).square() * mask).sum() / mask.sum().clamp_min(1)


def blanked(windows: Windows) -> list[Tensor]:
    """For each window (x, y, z) measured voxels of its hidden tokens."""
    batch = windows.tokens
    each = zip(
        windows.images,
        batch.extras["hidden"].split(batch.lengths),
        batch.valid,
        batch.index.split(batch.lengths),
        batch.grids,
        strict=True,
    )
    found = []
    for image, hidden, valid, index, grid in each:
        x, y, z = image.shape
        found.append(laid_out((valid & hidden[:, None, None, None])[:, None], index, grid)[0, :x, :y, :z])
    return found
