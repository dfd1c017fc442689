"""What pre-training learns: the interface of objectives and the names they go by.

Belongs here: the interface and the registry. A new objective is one file and one entry; several at once are
`training.objectives.combined`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training.config.pretrain import PretrainConfig
from training.data.batch import Windows
from training.data.views import View
from training.data.windows import Prepare
from training.errors import TrainingError
from training.networks.encoder import Encoder, VoxelEncoder, make_encoder

GLOBAL, LOCAL = "global", "local"
"""Kinds of view: a large window and a small one. Objectives that ask for the same kind are given the same windows."""


@dataclass(frozen=True)
class Outcome:
    """What an objective says of a batch.

    Attributes:
        losses: (S,) loss of each sample; a step descends their mean, so every sample counts the same.
        computed: tokens that went through a transformer.
        parts: name of a part of the loss to its mean over the samples, 0-dimensional, without its weight and without
            gradient.
        monitors: name to what shows how the training goes, 0-dimensional and without gradient.
    """

    losses: Tensor
    computed: int
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    monitors: Mapping[str, Tensor] = field(default_factory=dict)


class Objective(nn.Module, ABC):
    """A self-supervised objective around an encoder."""

    encoder: Encoder
    """What is trained."""

    @property
    def kept(self) -> Encoder:
        """What is kept when training is over."""
        return self.encoder

    @property
    def beside(self) -> Mapping[str, nn.Module]:
        """What is kept beside the encoder: name of a file to the modules whose weights it is to hold."""
        return {}

    @property
    def views(self) -> Sequence[View]:
        """Windows of a sample that it needs."""
        return (View(GLOBAL),)

    @property
    def captioned(self) -> bool:
        """Whether it needs to be told in words what windows show: `captions` and the target `said` of a batch."""
        return False

    @property
    @abstractmethod
    def prepare(self) -> Prepare:
        """What it draws for each window; runs in loader processes, so it must be picklable and hold no weights.

        Arrays of all kinds of window have the same names, which no other objective uses.
        """

    def follow(self, windows: Windows) -> None:
        """Take what learns without a gradient, such as a teacher, to where it is to be in a step with this batch.

        In training this is done before each forward pass, on whatever part of the weights this process holds: within
        the pass, what is changed of a shard's gathered copy would be lost.
        """

    @abstractmethod
    def forward(self, windows: Windows) -> Outcome:
        """Losses of a batch; the `extras` of its tokens hold what `prepare` drew."""

    def alarms(self, monitors: Mapping[str, float]) -> list[str]:
        """What is wrong with a training whose monitors, averaged over a report, are these; empty: nothing."""
        return []


Make = Callable[[PretrainConfig, Encoder], Objective]


def make(config: PretrainConfig) -> Objective:
    """The objective, or several, that a configuration names, around one encoder with random weights.

    Raises:
        TrainingError: if there is none of a name.
    """
    from training.objectives.combined import Combined

    known = _known()
    if unknown := sorted(config.objectives.keys() - known.keys()):
        raise TrainingError(f"objectives: found {', '.join(unknown)}, needed some of {', '.join(sorted(known))}")
    encoder = make_encoder(config.model)
    return Combined(
        encoder, {name: (weight, known[name](config, encoder)) for name, weight in config.objectives.items()}
    )


def _known() -> dict[str, Make]:
    from training.objectives.contrastive import Contrastive
    from training.objectives.dense import DenseReconstruction
    from training.objectives.distillation import Distillation
    from training.objectives.masked import MaskedReconstruction

    def masked(config: PretrainConfig, encoder: Encoder) -> Objective:
        dense = isinstance(encoder, VoxelEncoder)  # convolutions cannot leave tokens out
        return DenseReconstruction(config, encoder) if dense else MaskedReconstruction(config, encoder)

    return {"contrastive": Contrastive, "distillation": Distillation, "masked": masked}


def places_of(kind: str, windows: Windows) -> list[int]:
    """Where the windows of a kind are in a batch; all places where it knows no kinds."""
    return [i for i in range(len(windows)) if not windows.kinds or windows.kinds[i] == kind]


def globals_of(windows: Windows) -> Windows:
    """The large windows of a batch; all of them where it knows no kinds."""
    return windows.take(places_of(GLOBAL, windows))


def samples_in(windows: Windows) -> int:
    """Number of samples of a batch."""
    return max(windows.samples) + 1 if windows.samples else len(windows)


def per_sample(values: Tensor, windows: Windows) -> Tensor:
    """(S,) mean over the windows of each sample of (N,) values; each window is its own sample where none is told."""
    return _mean(values, windows.samples, samples_in(windows)) if windows.samples else values


def per_window(tokens: Tensor, windows: Windows) -> Tensor:
    """(N, C) mean over the tokens of each window of (T, C) values."""
    lengths = torch.tensor(windows.tokens.lengths, device=tokens.device)
    owner = torch.arange(len(windows), device=tokens.device)
    return _mean(tokens.float(), owner.repeat_interleave(lengths, output_size=len(tokens)), len(windows))


def _mean(values: Tensor, owner: Tensor | Sequence[int], count: int) -> Tensor:
    """(count, ...) mean of the rows of each owner; 0 where there is none."""
    place = torch.as_tensor(owner, device=values.device)
    rows = values.new_zeros(count).index_add(0, place, values.new_ones(len(values))).clamp_min(1)
    summed = values.new_zeros(count, *values.shape[1:]).index_add(0, place, values)
    return summed / rows.view(-1, *[1] * (values.ndim - 1))
