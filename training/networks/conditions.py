"""What an encoder is told of how a window was acquired: one vector a window, added to each of its tokens.

Belongs here: the embedding. Which facts there are is `training.data.conditions`.
"""

import math

import torch
from torch import Tensor, nn

from training.data.conditions import CATEGORIES, COLUMNS, NUMBERS

CHANNELS = 16
"""Channels of one condition before they are mixed."""

PERIODS = (0.5, 16.0)
"""Shortest and longest period of the Fourier features, in units of the natural logarithm: a change of an echo time by a
tenth is seen, and so are the ten thousandfold between echo times and repetition times."""


class ConditionEmbedding(nn.Module):
    """Conditions to a vector of the tokens' width.

    A category has a learned row an answer, a number Fourier features of its logarithm, and each condition a learned row
    for not being known. A small network mixes them, since contrast is a matter of times together. Its last layer
    starts at zero, so that an encoder begins as if it were told nothing.

    Source of the features: Tancik et al., Fourier Features Let Networks Learn High Frequency Functions, NeurIPS 2020;
    of the zero start: Peebles and Xie, Scalable Diffusion Models with Transformers, ICCV 2023, section 3.2.
    """

    periods: Tensor

    def __init__(self, dim: int) -> None:
        """Make an embedding for tokens of `dim` channels."""
        super().__init__()
        self.answers = nn.ParameterList(torch.randn(len(known), CHANNELS) for known in CATEGORIES.values())
        self.unknown = nn.Parameter(torch.randn(len(COLUMNS), CHANNELS))
        self.mix = nn.Linear(len(COLUMNS) * CHANNELS, dim)
        self.out = nn.Linear(dim, dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        shortest, longest = (math.log10(period) for period in PERIODS)
        self.register_buffer("periods", torch.logspace(shortest, longest, CHANNELS // 2), persistent=False)

    def forward(self, conditions: Tensor) -> Tensor:
        """(N, dim) of (N, C) conditions, columns as `training.data.conditions.COLUMNS`, NaN where not known."""
        unknown = conditions.isnan()
        categories, numbers = conditions.split([len(CATEGORIES), len(NUMBERS)], 1)
        places = categories.nan_to_num().long()
        rows = [table[places[:, i]] for i, table in enumerate(self.answers)]
        angles = 2 * math.pi * numbers.nan_to_num(1.0).log()[..., None] / self.periods
        waves = torch.cat([angles.sin(), angles.cos()], -1) * math.sqrt(2)  # unit variance, as the learned rows
        known = torch.cat([torch.stack(rows, 1), waves], 1)
        mixed: Tensor = self.out(
            nn.functional.silu(self.mix(torch.where(unknown[..., None], self.unknown, known).flatten(1)))
        )
        return mixed
