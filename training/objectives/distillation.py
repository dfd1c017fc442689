"""Self-distillation: from part of a volume, say what a teacher says that sees other parts of it, or what is hidden.

Belongs here: student, teacher, the losses between them and what tells a collapse. Heads and centering are
`training.objectives.prototypes`, the spread of features is `training.objectives.spread`.

Sources: Caron et al., Emerging Properties in Self-Supervised Vision Transformers (DINO), ICCV 2021: teacher, views,
schedules. Zhou et al., iBOT, ICLR 2022, section 3.2: hidden tokens. Oquab et al., DINOv2, 2023, section 4: both with
heads of their own, and the spread of features. A window's feature is the mean of its tokens in place of a class token.
"""

import copy
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from training.config.pretrain import PretrainConfig
from training.data.batch import Windows
from training.data.plan import Plan
from training.data.views import View
from training.data.windows import Prepare
from training.networks.encoder import Encoder, make_encoder
from training.networks.vit import PackedViT
from training.objectives.objective import (
    GLOBAL,
    LOCAL,
    Objective,
    Outcome,
    per_sample,
    per_window,
    places_of,
    samples_in,
)
from training.objectives.prototypes import Centre, Head, sinkhorn
from training.objectives.ranks import gathered, summed
from training.objectives.spread import deviation, effective_rank, koleo

BALLS = 4
"""Places around which a window's tokens are hidden: whole neighbourhoods, which cannot be guessed from next to them."""

MONITORED = 256
"""Features that are looked at for a collapse: their spectrum is computed at every step."""

SAME, FEW, SILENT = 0.02, 1.5, 0.98
"""Deviation and effective rank of features below which, and entropy of the teacher above which, an alarm is raised."""


def draw_balls(positions: NDArray[np.float32], share: float, draw: np.random.Generator) -> NDArray[np.bool_]:
    """(n,) which tokens are hidden: `share` of them, rounded, around a few places, nearest first.

    Args:
        positions: (n, 3) centres of the tokens in mm.
        share: share to hide, between 0 and 1; at least one token stays visible.
        draw: random numbers.
    """
    hidden = np.zeros(len(positions), dtype=bool)
    number = min(max(round(len(positions) * share), 1), len(positions) - 1)
    while (left := number - int(hidden.sum())) > 0:
        distance = np.square(positions - positions[draw.integers(len(positions))]).sum(1)
        nearest = np.argsort(np.where(hidden, np.inf, distance), kind="stable")
        hidden[nearest[: min(left, math.ceil(number / BALLS))]] = True
    return hidden


@dataclass(frozen=True)
class DrawTaught:
    """Draws which tokens of large windows are hidden from the student."""

    windows: float
    share: tuple[float, float]

    def __call__(self, plan: Plan, draw: np.random.Generator, kind: str) -> Mapping[str, NDArray[Any]]:
        """`taught`, (n,) bool."""
        if kind != GLOBAL or draw.random() >= self.windows:
            return {"taught": np.zeros(len(plan), dtype=bool)}
        return {"taught": draw_balls(plan.positions, draw.uniform(*self.share), draw)}


class Teacher(nn.Module):
    """The running average of a student's encoder and heads; it has no gradient."""

    def __init__(self, encoder: Encoder, head: Head, patch_head: Head | None) -> None:
        """Begin as the student is."""
        super().__init__()
        self.encoder = make_encoder(encoder.config)  # not a deep copy, which would lose that blocks are compiled
        self.encoder.load_state_dict(encoder.state_dict())
        self.head, self.patch_head = copy.deepcopy(head), copy.deepcopy(patch_head)
        self.requires_grad_(requires_grad=False)

    @torch.no_grad()
    def follow(self, student: Iterable[nn.Parameter], weight: Tensor) -> None:
        """Go towards the student's parameters, in the order of this module's, by a 0-dim share of the way."""
        for old, new in zip(self.parameters(), student, strict=True):
            _held(old).lerp_(_held(new), weight)


def _held(parameter: Tensor) -> Tensor:
    """What this process holds of a parameter: its shard, or all of it; shared memory, without gradient."""
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter


class Distillation(Objective):
    """A student that learns from a teacher, its own running average."""

    seen: Tensor
    due: Tensor

    def __init__(self, config: PretrainConfig, encoder: Encoder) -> None:
        """Make the objective around an encoder; the teacher begins as the student."""
        super().__init__()
        own = config.distillation
        self._config, self._samples, self._batch = own, config.steps * config.batch_size, config.batch_size
        self.encoder = encoder
        by_patch = isinstance(encoder, PackedViT) and own.patch_weight > 0 and own.masked_windows > 0
        self.hidden = nn.Parameter(torch.zeros(encoder.width)) if by_patch else None
        self.head = Head(encoder.width, own)
        self.patch_head = Head(encoder.width, own) if by_patch else None
        self.teacher = Teacher(encoder, self.head, self.patch_head)
        self.centre, self.patch_centre = Centre(own.prototypes), Centre(own.prototypes)
        # on the device: the schedules follow them without a step waiting for the device to tell
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("due", torch.zeros((), dtype=torch.int64))

    @property
    def kept(self) -> Encoder:
        """The teacher's encoder, unless the configuration keeps the student's."""
        return self.teacher.encoder if self._config.keep == "teacher" else self.encoder

    @property
    def views(self) -> Sequence[View]:
        """Large windows for both, small ones for the student."""
        config = self._config
        small = (View(LOCAL, config.local_crops, config.local_share),) if config.local_crops else ()
        return (View(GLOBAL, config.global_crops, config.global_share), *small)

    @property
    def prepare(self) -> Prepare:
        """Draws which tokens the teacher teaches."""
        return DrawTaught(self._config.masked_windows if self.hidden is not None else 0.0, self._config.masked_share)

    def forward(self, windows: Windows) -> Outcome:
        """What views are, what hidden tokens are, and the spread of features, for each sample."""
        temperature = self._temperature()
        places = places_of(GLOBAL, windows)
        large = windows.take(places)
        with torch.no_grad():
            shown = self.teacher.encoder(large)
            answers = self._centred(self.centre, self.teacher.head(per_window(shown, large)), temperature)
        tokens = self._student(windows)
        features = per_window(tokens, windows)
        parts = {
            "views": agreement(answers, self._said(self.head(features)), places, windows),
            "spread": per_sample(self._spread(features[places], large), large),
        }
        losses = parts["views"] + self._config.spread_weight * parts["spread"]
        if self.patch_head is not None:
            guessed = tokens[windows.tokens.extras["taught"]]
            parts["patches"] = self._patches(self.patch_head(guessed), shown, large, temperature)
            losses = losses + self._config.patch_weight * parts["patches"]
        return Outcome(
            losses,
            sum(windows.tokens.lengths) + sum(large.tokens.lengths),
            {name: value.detach().mean() for name, value in parts.items()},
            monitors(answers, per_window(shown, large)),
        )

    def alarms(self, monitors: Mapping[str, float]) -> list[str]:
        """Whether the teacher says the same of everything, or nothing of anything."""
        return collapsed(monitors)

    @torch.no_grad()
    def follow(self, windows: Windows) -> None:
        """Take the teacher towards the student as the last step left it, by the samples of that step.

        A step of `batch_size` samples moves it by the scheduled momentum, computed in parts or at once. Doing this
        before a step rather than after it asks nothing of who runs the steps.
        """
        heads = [self.head] if self.patch_head is None else [self.head, self.patch_head]
        momentum = self._momentum() ** (self.due.double() / self._batch)
        student = (parameter for module in (self.encoder, *heads) for parameter in module.parameters())
        self.teacher.follow(student, (1 - momentum).float())
        self.due.copy_(summed(torch.tensor(samples_in(windows), device=self.due.device)))
        self.seen.add_(self.due)

    def _momentum(self) -> Tensor:
        """0-dim: a cosine from the configured momentum to 1 over the samples of the training (Caron 2021, 3.1)."""
        done = (self.seen.double() / self._samples).clamp(max=1)
        return 1 - (1 - self._config.momentum) * (1 + torch.cos(math.pi * done)) / 2

    def _temperature(self) -> Tensor:
        """0-dim: the teacher's temperature, rising linearly at first."""
        first, last = self._config.teacher_temperature
        risen = (self.seen.double() / (self._samples * self._config.warmup_share)).clamp(max=1)
        return (first + (last - first) * risen).float()

    def _centred(self, centre: Centre, logits: Tensor, temperature: Tensor) -> Tensor:
        if self._config.centering == "sinkhorn":
            return sinkhorn(logits, temperature)
        answers: Tensor = centre(logits, temperature)
        return answers

    def _said(self, logits: Tensor) -> Tensor:
        return (logits.float() / self._config.student_temperature).log_softmax(-1)

    def _student(self, windows: Windows) -> Tensor:
        """(T, width) the student's features of all windows, where hidden tokens tell no more than their place."""
        if self.hidden is None:
            features: Tensor = self.encoder(windows)
            return features
        assert isinstance(self.encoder, PackedViT), "others have no mask token"
        tokens = self.encoder.embedded(windows)
        hidden = windows.tokens.extras["taught"].unsqueeze(1)
        return self.encoder.attend(torch.where(hidden, self.hidden.to(tokens.dtype), tokens), windows)

    def _patches(self, guesses: Tensor, shown: Tensor, large: Windows, temperature: Tensor) -> Tensor:
        """(S,) cross-entropy of hidden tokens: mean over the tokens of a window, then over a sample's windows."""
        assert self.teacher.patch_head is not None, "has a head where the student has one"
        taught = large.tokens.extras["taught"]
        with torch.no_grad():
            answers = self._centred(self.patch_centre, self.teacher.patch_head(shown[taught]), temperature)
        losses = shown.new_zeros(len(taught)).masked_scatter(taught, -(answers * self._said(guesses)).sum(-1))
        # the mean over hidden tokens out of the one over all tokens
        both = per_window(torch.stack([losses, taught.float()], 1), large)
        return per_sample(both[:, 0] / both[:, 1].clamp_min(torch.finfo(torch.float32).tiny), large)

    def _spread(self, features: Tensor, large: Windows) -> Tensor:
        """(G,) spread of the large windows' features, each among the same window of the other samples."""
        place = torch.tensor(turns_of(large), device=features.device)
        result = features.new_zeros(len(features))
        for turn in range(self._config.global_crops):
            result = result.masked_scatter(place == turn, koleo(features[place == turn]))
        return result


def turns_of(windows: Windows) -> list[int]:
    """For each window its place among those of its sample."""
    met: Counter[int] = Counter()
    turns = []
    for sample in windows.samples or range(len(windows)):
        turns.append(met[sample])
        met[sample] += 1
    return turns


def agreement(answers: Tensor, said: Tensor, places: Sequence[int], windows: Windows) -> Tensor:
    """(S,) cross-entropy of what a student says of a window with a teacher's answers on others of the same sample.

    Args:
        answers: (G, prototypes) probabilities for the large windows.
        said: (N, prototypes) logarithms of probabilities for all windows.
        places: where the large windows are among all.
        windows: all windows.
    """
    sample = torch.tensor(windows.samples or range(len(windows)), device=said.device)
    compared = sample[:, None] == sample[places]
    compared[places, range(len(places))] = False
    with torch.autocast(said.device.type, enabled=False):
        entropy = -(said.float() @ answers.float().T) * compared
    count = samples_in(windows)
    pairs = said.new_zeros(count).index_add(0, sample, compared.sum(1).to(said.dtype))
    return said.new_zeros(count).index_add(0, sample, entropy.sum(1)) / pairs.clamp_min(1)


@torch.no_grad()
def monitors(answers: Tensor, features: Tensor) -> Mapping[str, Tensor]:
    """What tells a collapse.

    Args:
        answers: (G, prototypes) the teacher's, for the large windows of this process.
        features: (G, width) the teacher's.

    Returns:
        `teacher_entropy`, 0 to 1: 1 if the teacher says nothing of a window; `feature_deviation` and `effective_rank`
        over the windows of all processes.
    """
    everyone = gathered(features)[0][:MONITORED]
    return {
        "teacher_entropy": torch.special.entr(answers).sum(-1).mean() / math.log(answers.shape[1]),
        "feature_deviation": deviation(everyone),
        "effective_rank": effective_rank(everyone - everyone.mean(0)),
    }


def collapsed(monitors: Mapping[str, float]) -> list[str]:
    """What monitors say of a collapse, whose remedy is a lower learning rate, a larger batch or the other centering."""
    found = []
    if monitors["feature_deviation"] < SAME:
        found.append("the features of all windows are nearly the same")
    if monitors["effective_rank"] < FEW:
        found.append("the features of windows differ in hardly more than one direction")
    if monitors["teacher_entropy"] > SILENT:
        found.append("the teacher answers alike for all prototypes")
    return found
