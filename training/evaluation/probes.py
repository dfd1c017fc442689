"""Probes: what frozen features know, asked by their nearest neighbours and by a linear model.

Belongs here: fitting on features and choosing the strength of it. Where features and labels come from is
`training.evaluation.features`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.errors import TrainingError

NEIGHBOURS = (1, 3, 5, 10, 20)
"""Numbers of neighbours to choose from."""

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Weights of the squared norm to choose from, against the mean loss of standardized features."""

TEMPERATURE = 0.07
"""Of the weights of neighbours' votes (Wu et al., CVPR 2018, section 3.4)."""

_STEPS = 100

Features = NDArray[np.float32]
Answer = Callable[[Features], NDArray[np.float64]]
"""From (n, width) features to (n, classes) probabilities or (n,) numbers."""


@dataclass(frozen=True)
class Known:
    """Features with what is known of them.

    Attributes:
        features: (n, width).
        values: (n,) class of each, int64, or its number, float64.
        subjects: for each its person.
        classes: names of the classes; empty for numbers.
    """

    features: Features
    values: NDArray[np.int64] | NDArray[np.float64]
    subjects: tuple[str, ...]
    classes: tuple[str, ...] = ()

    def take(self, places: Sequence[int] | NDArray[np.int64]) -> "Known":
        """Some of them."""
        chosen = np.asarray(places, dtype=np.int64)
        return Known(self.features[chosen], self.values[chosen], tuple(self.subjects[i] for i in chosen), self.classes)


@dataclass(frozen=True)
class Probe:
    """A fitted probe.

    Attributes:
        answer: what it says of features.
        strength: the number of neighbours or the penalty that was chosen.
    """

    answer: Answer
    strength: float


def nearest(known: Known, held: Known) -> Probe:
    """Votes of the nearest training features by cosine, their number chosen on held-out ones."""
    counts = [k for k in NEIGHBOURS if k <= len(known.values)]
    return _chosen([Probe(_neighbours(known, k), float(k)) for k in counts], held)


def linear(known: Known, held: Known) -> Probe:
    """Logistic regression with classes weighed alike, or ridge regression; the penalty is chosen on held-out features.

    Raises:
        TrainingError: if features are not finite.
    """
    if not np.isfinite(known.features).all():
        raise TrainingError("found features that are not finite, needed numbers; check the checkpoint's training")
    fit = _logistic if known.classes else _ridge
    return _chosen([Probe(fit(known, penalty), penalty) for penalty in PENALTIES], held)


def held_out(known: Known) -> tuple[Known, Known]:
    """Every fifth person apart from the rest: for choosing where there is no validation split to choose on."""
    subjects = sorted(set(known.subjects))
    apart = set(subjects[::5]) if len(subjects) > 1 else set()
    inside = [i for i, subject in enumerate(known.subjects) if subject not in apart]
    outside = [i for i, subject in enumerate(known.subjects) if subject in apart]
    return known.take(inside), known.take(outside or inside)


def _chosen(probes: Sequence[Probe], held: Known) -> Probe:
    """The best on held-out features; of equals the last but simplest comes first in no order but that given."""
    return max(probes, key=lambda probe: quality(probe.answer(held.features), held))


def quality(answers: NDArray[np.float64], truth: Known) -> float:
    """Mean log-probability of the right class, classes weighed alike, or minus the squared error; higher is better."""
    if not truth.classes:
        return -float(((answers - truth.values) ** 2).mean())
    values = truth.values.astype(np.int64)
    right = np.log(np.clip(answers[np.arange(len(values)), values], 1e-6, 1))
    return float(np.mean([right[values == c].mean() for c in np.unique(values)]))


def _neighbours(known: Known, count: int) -> Answer:
    bank = F.normalize(torch.from_numpy(known.features).double(), dim=1)
    width = len(known.classes)
    votes = torch.eye(width, dtype=torch.float64)[known.values] if width else torch.from_numpy(known.values)[:, None]

    def answer(features: Features) -> NDArray[np.float64]:
        likeness, places = (F.normalize(torch.from_numpy(features).double(), dim=1) @ bank.T).topk(count, 1)
        weights = (likeness / TEMPERATURE).softmax(1)
        said = (votes[places] * weights[..., None]).sum(1)
        found: NDArray[np.float64] = (said if width else said[:, 0]).numpy()
        return found

    return answer


@dataclass(frozen=True)
class _Scale:
    """Features to zero mean and unit variance as in the training features."""

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    @classmethod
    def of(cls, features: Features) -> "_Scale":
        return cls(features.mean(0), features.std(0) + 1e-6)

    def __call__(self, features: Features) -> torch.Tensor:
        return torch.from_numpy((features - self.mean) / self.spread).double()


def _logistic(known: Known, penalty: float) -> Answer:
    scale, count = _Scale.of(known.features), len(known.classes)
    inputs, labels = scale(known.features), torch.from_numpy(known.values.astype(np.int64))
    shares = torch.bincount(labels, minlength=count).double()
    weights = torch.where(shares > 0, len(labels) / (count * shares.clamp_min(1)), 0)
    weight = torch.zeros(count, inputs.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(count, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(inputs @ weight.T + bias, labels, weights) + penalty * weight.square().sum() / 2
        torch.autograd.backward(loss)
        return float(loss.detach())

    with torch.enable_grad():
        optimizer.step(closure)
    fitted, offset = weight.detach(), bias.detach()

    def answer(features: Features) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (scale(features) @ fitted.T + offset).softmax(1).numpy()
        return found

    return answer


def _ridge(known: Known, penalty: float) -> Answer:
    scale, values = _Scale.of(known.features), torch.from_numpy(known.values.astype(np.float64))
    inputs, middle = scale(known.features), values.mean()
    gram = inputs.T @ inputs / len(values) + penalty * torch.eye(inputs.shape[1], dtype=torch.float64)
    fitted = torch.linalg.solve(gram, inputs.T @ (values - middle) / len(values))

    def answer(features: Features) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (scale(features) @ fitted + middle).numpy()
        return found

    return answer


def chance(known: Known, truth: Known) -> dict[str, float | None]:
    """What a guess without features reaches on the same items: the commonest class, or the mean; None: undefined."""
    if not known.classes:
        errors, spread = truth.values - known.values.mean(), np.square(truth.values - truth.values.mean()).sum()
        r2 = float(1 - np.square(errors).sum() / spread) if spread else None
        return {"mean_absolute_error": float(np.abs(errors).mean()), "r2": r2}
    if not len(truth.values):
        return dict.fromkeys(("auroc", "balanced_accuracy", "accuracy"))
    commonest = np.bincount(known.values.astype(np.int64), minlength=len(known.classes)).argmax()
    share, present = float((truth.values == commonest).mean()), len(np.unique(truth.values))
    # of the classes that there are, the commonest is all right and the others are all wrong
    balanced = 1 / present if share else 0.0
    return {"auroc": 0.5 if present > 1 else None, "balanced_accuracy": balanced, "accuracy": share}
