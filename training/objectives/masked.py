"""Masked reconstruction: from the visible tokens of a window, predict the intensities of the hidden ones.

Belongs here: masks, the light decoder and the loss. The encoder computes visible tokens only.

Source: He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022, with packed windows of any shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.config.pretrain import PretrainConfig
from training.data.batch import Windows
from training.data.plan import Plan
from training.data.windows import Prepare
from training.networks.encoder import Encoder
from training.networks.kernels import resize_patch
from training.networks.vit import PackedViT, Transformer
from training.objectives.objective import Objective, Outcome, globals_of, per_sample


def draw_mask(count: int, ratio: float, draw: np.random.Generator) -> NDArray[np.bool_]:
    """(count,) which tokens are hidden: `ratio` of them, rounded, but at least one stays visible.

    Args:
        count: tokens of the window.
        ratio: share to hide, between 0 and 1.
        draw: random numbers.
    """
    hidden = np.zeros(count, dtype=bool)
    number = min(max(round(count * ratio), 1), count - 1)
    hidden[draw.permutation(count)[:number]] = True
    return hidden


@dataclass(frozen=True)
class DrawMask:
    """Draws the mask of a window."""

    ratio: float

    def __call__(self, plan: Plan, draw: np.random.Generator, _kind: str) -> Mapping[str, NDArray[Any]]:
        """`hidden`, (n,) bool."""
        return {"hidden": draw_mask(len(plan), self.ratio, draw)}


class MaskedReconstruction(Objective):
    """The encoder with a light decoder that predicts hidden patches."""

    encoder: PackedViT

    def __init__(self, config: PretrainConfig, encoder: Encoder) -> None:
        """Make the objective around an encoder, its decoder with random weights."""
        super().__init__()
        assert isinstance(encoder, PackedViT), "encoders that cannot leave tokens out have an objective of their own"
        model = config.model
        self._ratio, self._by_patch = config.mask_ratio, config.target == "patch"
        self._kernel = model.kernel
        self.encoder = encoder
        self.narrow = nn.Linear(model.dim, model.decoder_dim)
        self.hidden = nn.Parameter(torch.zeros(model.decoder_dim))
        self.decoder = Transformer(
            model.decoder_dim, model.decoder_depth, model.decoder_heads, model.mlp_ratio, 2 * model.patch_mm
        )
        self.predict = nn.Linear(model.decoder_dim, int(np.prod(model.kernel)))
        nn.init.trunc_normal_(self.hidden, std=0.02)

    @property
    def prepare(self) -> Prepare:
        """Draws which tokens are hidden."""
        return DrawMask(self._ratio)

    def forward(self, windows: Windows) -> Outcome:
        """Mean squared error of the hidden tokens' measured voxels, for each sample."""
        windows = globals_of(windows)
        batch = windows.tokens
        hidden = batch.extras["hidden"]
        visible = replace(windows, tokens=batch.select(~hidden))
        features = self.narrow(self.encoder(visible)).float()
        tokens = self.hidden.expand(len(hidden), -1).masked_scatter(~hidden[:, None], features)
        predicted = self.predict(self.decoder(tokens, batch)).float()
        losses = [
            self._loss(part[h], patches[h], valid[h])
            for part, h, patches, valid in zip(
                predicted.split(batch.lengths), hidden.split(batch.lengths), batch.patches, batch.valid, strict=True
            )
        ]
        computed = sum(visible.tokens.lengths) + sum(batch.lengths)
        return Outcome(per_sample(torch.stack(losses), windows), computed)

    def _loss(self, predicted: Tensor, patches: Tensor, valid: Tensor) -> Tensor:
        if not len(predicted):  # a window of a single token has nothing to hide
            return predicted.sum()
        predicted = resize_patch(predicted.unflatten(-1, self._kernel), patches.shape[1:])
        if self._by_patch:
            patches = normalized(patches, valid)
        return ((predicted - patches).square() * valid).sum() / valid.sum().clamp_min(1)


def normalized(patches: Tensor, valid: Tensor) -> Tensor:
    """(n, px, py, pz) patches, each to zero mean and unit variance over its measured voxels."""
    count = valid.sum((1, 2, 3), keepdim=True).clamp_min(1)
    mean = (patches * valid).sum((1, 2, 3), keepdim=True) / count
    variance = ((patches - mean).square() * valid).sum((1, 2, 3), keepdim=True) / count
    return (patches - mean) / (variance + 1e-3).sqrt()
