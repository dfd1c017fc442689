"""From the features of a window's tokens to one vector, and to what is said of the whole window.

Belongs here: pooling and the layer after it. What is said with it is a task's.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from training.data.batch import Windows
from training.networks.encoder import Encoder

Pool = Literal["attentive", "mean"]

HEADS = 4
"""Views that attentive pooling takes of a window; each weighs the tokens in its own way."""


class Attentive(nn.Module):
    """A mean of tokens, weighted by how much each has to say; every head has weights of its own.

    Source: Ilse et al., Attention-based Deep Multiple Instance Learning, 2018, section 2.4, with several heads.
    """

    def __init__(self, width: int) -> None:
        """Make a pooling that starts as a plain mean."""
        super().__init__()
        self.heads = HEADS if width % HEADS == 0 else 1
        self.norm, self.score = nn.LayerNorm(width), nn.Linear(width, self.heads)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, features: Tensor, lengths: tuple[int, ...]) -> Tensor:
        """(N, width) of (T, width) features of windows with so many tokens each."""
        normed = self.norm(features.float())
        scores = self.score(normed).float()
        parts = zip(scores.split(lengths), normed.unflatten(-1, (self.heads, -1)).split(lengths), strict=True)
        return torch.stack([torch.einsum("th,thc->hc", s.softmax(0), part).flatten() for s, part in parts])


class Mean(nn.Module):
    """The plain mean of tokens."""

    def __init__(self, width: int) -> None:
        """Make a pooling of features of this width."""
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, lengths: tuple[int, ...]) -> Tensor:
        """(N, width) of (T, width) features of windows with so many tokens each."""
        return torch.stack([part.mean(0) for part in self.norm(features.float()).split(lengths)])


class PooledHead(nn.Module):
    """An encoder, one vector a window, and a linear layer."""

    def __init__(self, encoder: Encoder, outputs: int, pool: Pool) -> None:
        """Make a network with a random head.

        Args:
            encoder: gives features of tokens.
            outputs: values for each window.
            pool: how tokens become one vector.
        """
        super().__init__()
        self.encoder = encoder
        self.pool = Attentive(encoder.width) if pool == "attentive" else Mean(encoder.width)
        self.head = nn.Linear(encoder.width, outputs)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, windows: Windows) -> Tensor:
        """(N, outputs)."""
        said: Tensor = self.head(self.pool(self.encoder(windows), windows.tokens.lengths)).float()
        return said
