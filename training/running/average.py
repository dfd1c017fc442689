"""A running mean of the weights, on the device and in the resumable checkpoint.

Belongs here: the mean and its update. A model kept from it is `training.running.learner`'s business.

Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30, 1992; the
exponential form with a decay that grows over the first steps as in TensorFlow's `ExponentialMovingAverage`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RunningMean(nn.Module):
    """Exponential means of parameters; where these are shards, so are the means."""

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float) -> None:
        """Start at the parameters' values.

        Args:
            parameters: what to follow, in an order that stays.
            decay: share of itself that a mean keeps at a step, once training is under way.
        """
        super().__init__()
        self._decay = decay
        self.means = nn.ParameterList(nn.Parameter(p.detach().clone(), requires_grad=False) for p in parameters)

    @torch.no_grad()
    def update(self, parameters: Sequence[nn.Parameter], step: int) -> None:
        """Move the means towards the parameters.

        Args:
            parameters: those that it was made of.
            step: steps done; early means forget faster, so that random initial weights do not linger.
        """
        kept = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._tensors(), [p.detach() for p in parameters], 1 - kept)

    @torch.no_grad()
    def put(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give the parameters the values of the means."""
        for parameter, mean in zip(parameters, self._tensors(), strict=True):
            parameter.copy_(mean)

    def _tensors(self) -> list[Tensor]:
        return [mean.detach() for mean in self.means]
