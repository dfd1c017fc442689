"""Heads that say which of many prototypes a feature is, and how a teacher's answers are kept from being all one.

Belongs here: the head and the two ways of centering. Who answers to whom is `training.objectives.distillation`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.pretrain import DistillationConfig
from training.objectives.ranks import summed

ROUNDS = 3
"""Rounds of Sinkhorn's algorithm."""

CENTRE_MOMENTUM = 0.9
"""Share of itself that the centre of a teacher's answers keeps at a step (Caron 2021, table 9 b)."""


class Head(nn.Module):
    """A small network to a narrow layer, whose direction is compared with prototypes' directions.

    Source: Caron et al., Emerging Properties in Self-Supervised Vision Transformers, ICCV 2021, section 3.1 and
    appendix C, prototypes of length one.
    """

    def __init__(self, width: int, config: DistillationConfig) -> None:
        """Make a head with random weights for features of `width` channels."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.bottleneck),
        )
        self.prototypes = nn.Parameter(torch.empty(config.prototypes, config.bottleneck))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.prototypes)

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) to (n, prototypes) cosines."""
        narrow = F.normalize(self.layers(features).float(), dim=-1, eps=1e-6)
        return F.linear(narrow, F.normalize(self.prototypes.float(), dim=-1))


@torch.no_grad()
def sinkhorn(logits: Tensor, temperature: Tensor) -> Tensor:
    """Answers of which every prototype is given an equal share, over the rows of all processes.

    Source: Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, NeurIPS 2020,
    section 3.1; Oquab et al., DINOv2, 2023, section 4.

    Args:
        logits: (n, prototypes) of this process; n may be 0 and may differ between processes.
        temperature: 0-dim.

    Returns:
        (n, prototypes) probabilities.
    """
    scaled = logits.float() / temperature
    # cosines over a temperature lie within known bounds, so no maximum has to be agreed on before the exponential
    shares = (scaled - 1 / temperature).exp()
    for _ in range(ROUNDS):
        shares = shares / summed(shares.sum(0)).clamp_min(torch.finfo(torch.float32).tiny)
        shares = shares / shares.sum(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    return shares


class Centre(nn.Module):
    """Answers from which the running mean of answers is taken off.

    Source: Caron et al. 2021, section 3.1, equation 4.
    """

    mean: Tensor

    def __init__(self, prototypes: int) -> None:
        """Make a centre at 0."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(prototypes))

    @torch.no_grad()
    def forward(self, logits: Tensor, temperature: Tensor) -> Tensor:
        """(n, prototypes) probabilities of (n, prototypes) logits; in training, the mean then follows the logits."""
        answers = ((logits.float() - self.mean) / temperature).softmax(-1)
        if self.training:
            total = summed(torch.cat([logits.float().sum(0), logits.new_tensor([len(logits)]).float()]))
            self.mean.lerp_(total[:-1] / total[-1].clamp_min(1), (1 - CENTRE_MOMENTUM) * (total[-1] > 0).float())
        return answers
