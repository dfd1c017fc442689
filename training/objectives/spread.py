"""How far features are spread: a regularizer that keeps them apart, and measures that tell when they fall together.

Belongs here: arithmetic on a batch of feature vectors, in 32-bit floats whatever the training's arithmetic.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.objectives.ranks import gathered

_EPSILON = 1e-6
"""Added to distances: two equal features would give an infinite loss."""


def koleo(features: Tensor) -> Tensor:
    """(n,) minus the logarithm of each feature's distance to its nearest neighbour among those of all processes.

    The Kozachenko-Leonenko estimator of differential entropy, up to constants: the further neighbours are apart, the
    more uniformly features cover the sphere. A feature alone in the world has no neighbour and a loss of 0.

    Source: Sablayrolles et al., Spreading Vectors for Similarity Search, ICLR 2019, section 3.2; Oquab et al., DINOv2,
    2023, section 4.

    Args:
        features: (n, width) of this process.
    """
    with torch.autocast(features.device.type, enabled=False):
        own = F.normalize(features.float(), dim=-1)
        everyone, first = gathered(own)
        if len(everyone) < 2:
            return own.sum(-1) * 0
        with torch.no_grad():  # the nearest is chosen by likeness, its distance alone has a gradient
            likeness = own @ everyone.T
            likeness[torch.arange(len(own)), first + torch.arange(len(own))] = -2
            nearest = likeness.argmax(1)
        distance = (own - everyone[nearest]).square().sum(-1)
        return -((distance + _EPSILON**2).sqrt() + _EPSILON).log()


@torch.no_grad()
def effective_rank(features: Tensor) -> Tensor:
    """0-dim: how many directions features use, from 1 to the lesser of their number and width.

    The exponential of the entropy of their singular values' shares. Values too small to be told from rounding count 0.

    Source: Roy and Vetterli, The Effective Rank, EUSIPCO 2007, definition 1.

    Args:
        features: (n, width), taken as they are; take their mean off first to leave out what they all share.
    """
    singular = torch.linalg.svdvals(features.float())
    share = singular / singular.sum().clamp_min(torch.finfo(torch.float32).tiny)
    return torch.special.entr(share).sum().exp()


@torch.no_grad()
def deviation(features: Tensor) -> Tensor:
    """0-dim: standard deviation of features of length one against that of features all over the sphere: 1, 0 if equal.

    Source: Chen and He, Exploring Simple Siamese Representation Learning, CVPR 2021, section 4.1.

    Args:
        features: (n, width) of any length.
    """
    own = F.normalize(features.float(), dim=-1)
    return (own - own.mean(0)).square().mean(0).sqrt().mean() * features.shape[1] ** 0.5
