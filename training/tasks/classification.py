"""Classification: a volume is of one class of several, or of any number of them.

Belongs here: the task, its settings and its loss. Where classes are found is `training.data.targets`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.data.batch import Windows
from training.data.targets import Values
from training.data.whole import TARGET
from training.errors import TrainingError
from training.tasks.sliding import Scan, averaged
from training.tasks.task import Prediction
from training.tasks.telling import Encoded, TargetSettings, Telling, Told


class ClassificationSettings(TargetSettings):
    """Settings of classification."""

    multi_label: bool = False
    """A volume may be of several classes, or of none."""
    separator: str = Field(default=";", min_length=1)
    """What stands between the classes of one cell, where a volume may be of several."""
    balanced: bool = True
    """Rare classes count as much as common ones."""


class Classification(Telling[ClassificationSettings]):
    """Classes of volumes."""

    Settings = ClassificationSettings

    def encode(self, values: Values) -> Encoded:
        """For each volume the place of its class, or a yes and no for each class; classes stand in order of name."""
        several = self.options.multi_label
        said = {volume: self._names(cells) for volume, cells in values.items()} if several else values
        unclear = {v: "several classes" for v, names in said.items() if not several and len(names) != 1}
        said = {volume: names for volume, names in said.items() if volume not in unclear}
        names = sorted({name for found in said.values() for name in found})
        if len(names) < (1 if several else 2):
            raise TrainingError(
                f"target: found {len(names)} classes of {len(said)} volumes, needed at least {1 if several else 2}; "
                "freeze a release of more kinds of volumes, or choose another target"
            )
        place = {name: number for number, name in enumerate(names)}
        if several:
            targets = {v: np.isin(names, found).astype(np.float32) for v, found in said.items()}
        else:
            targets = {v: np.asarray(place[found[0]], np.int64) for v, found in said.items()}
        return Encoded(targets, unclear, {"classes": dict(enumerate(names))})

    def _names(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        parts = (part.strip() for cell in cells for part in cell.split(self.options.separator))
        return tuple(dict.fromkeys(part for part in parts if part))

    def describe(self, encoded: Encoded, volumes: list[str]) -> Mapping[str, Any]:
        """Classes, how many volumes have each, and how much each counts."""
        count = len(encoded.about["classes"])
        chosen = [encoded.targets[volume] for volume in volumes]
        if self.options.multi_label:
            counts = np.sum(chosen, 0).astype(int).tolist()
        else:
            found = Counter(int(place) for place in chosen)
            counts = [found[place] for place in range(count)]
        return {**encoded.about, "counts": counts, "weights": self._weights(counts, len(volumes))}

    def _weights(self, counts: list[int], volumes: int) -> list[float]:
        """How much a class counts: as if all had as many volumes; yes against no where volumes have several."""
        if not self.options.balanced:
            return [1.0] * len(counts)
        if self.options.multi_label:
            return [(volumes - n) / n if 0 < n < volumes else 1.0 for n in counts]
        return [volumes / (sum(n > 0 for n in counts) * n) if n else 0.0 for n in counts]

    def network(self, about: Mapping[str, Any]) -> nn.Module:
        """A network with an output a class."""
        return self.pooled(len(about["classes"]))

    def learner(self, network: nn.Module, about: Mapping[str, Any]) -> nn.Module:
        """The network with its loss."""
        return ClassificationLearner(network, about["weights"], multi_label=self.options.multi_label)

    def predict(self, network: nn.Module, about: Mapping[str, Any], scan: Scan, *, overlap: float) -> Prediction:
        """The probability of each class, and the classes that are told."""
        names = [str(name) for _, name in sorted(about["classes"].items())]
        several = self.options.multi_label
        shares = averaged(network, scan, self.config, overlap, lambda z: z.sigmoid() if several else z.softmax(0))
        told = shares >= 0.5 if several else torch.arange(len(names)) == shares.argmax()
        return Prediction(
            facts={
                "target": self.options.target,
                "classes": [name for name, yes in zip(names, told.tolist(), strict=True) if yes],
                "probabilities": {name: round(float(p), 6) for name, p in zip(names, shares, strict=True)},
            }
        )


class ClassificationLearner(nn.Module):
    """A network with cross entropy: over all classes, or of each class by itself."""

    weights: Tensor

    def __init__(self, network: nn.Module, weights: list[float], *, multi_label: bool) -> None:
        """Wrap a network; `weights` says how much each class counts."""
        super().__init__()
        self.network, self._several = network, multi_label
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    def forward(self, windows: Windows) -> Told:
        """(N,) losses."""
        logits, target = self.network(windows), windows.targets[TARGET]
        if self._several:
            each = F.binary_cross_entropy_with_logits(logits, target, pos_weight=self.weights, reduction="none")
            losses = each.mean(1)
        else:
            losses = F.cross_entropy(logits, target, reduction="none") * self.weights[target]
        return Told(losses, sum(windows.tokens.lengths))
