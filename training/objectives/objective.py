"""What pre-training learns: the interface of objectives and the names they go by.

Belongs here: the interface and the registry. A new objective is one file and one entry.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from training.config.pretrain import PretrainConfig
from training.data.batch import Windows
from training.data.windows import Prepare
from training.errors import TrainingError
from training.networks.encoder import Encoder


@dataclass(frozen=True)
class Outcome:
    """What an objective says of a batch.

    Attributes:
        losses: (N,) loss of each window; a step descends their mean, so every window counts the same.
        computed: tokens that went through a transformer.
    """

    losses: Tensor
    computed: int


class Objective(nn.Module, ABC):
    """A self-supervised objective around an encoder."""

    encoder: Encoder
    """What is kept when training is over."""

    @property
    @abstractmethod
    def prepare(self) -> Prepare:
        """What it draws for each sample; runs in loader processes, so it must be picklable and hold no weights."""

    @abstractmethod
    def forward(self, windows: Windows) -> Outcome:
        """Losses of a batch; the `extras` of its tokens hold what `prepare` drew."""


def make(config: PretrainConfig) -> Objective:
    """The objective that a configuration names, with random weights.

    Raises:
        TrainingError: if there is none of that name.
    """
    from training.objectives.masked import MaskedReconstruction

    known: dict[str, Callable[[PretrainConfig], Objective]] = {"masked": MaskedReconstruction}
    if config.objective not in known:
        raise TrainingError(f"objective: found {config.objective!r}, needed one of {', '.join(sorted(known))}")
    return known[config.objective](config)
