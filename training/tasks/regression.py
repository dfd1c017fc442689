"""Regression: a number told of a volume, such as an age.

Belongs here: the task, its settings and its loss. Where the numbers are found is `training.data.targets`.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.data.batch import Windows
from training.data.targets import Values
from training.data.whole import TARGET
from training.errors import TrainingError
from training.tasks.sliding import Scan, averaged
from training.tasks.task import Prediction
from training.tasks.telling import Encoded, TargetSettings, Telling, Told


class RegressionSettings(TargetSettings):
    """Settings of regression."""

    unit: str = ""
    """Unit of the numbers, for whoever reads a prediction."""
    huber: float = Field(default=1.0, gt=0)
    """Standard deviations beyond which an error counts by its size, no more by its square."""


class Regression(Telling[RegressionSettings]):
    """Numbers of volumes."""

    Settings = RegressionSettings

    def encode(self, values: Values) -> Encoded:
        """For each volume its number."""
        targets, skipped = {}, {}
        for volume, cells in values.items():
            number = _number(cells[0]) if len(cells) == 1 else None
            if number is None:
                skipped[volume] = "several numbers" if len(cells) > 1 else "no number"
            else:
                targets[volume] = np.asarray(number, np.float32)
        if not targets:
            raise TrainingError(
                f"target: found no number among what is said of {len(values)} volumes, needed some; choose another "
                "target, or task: classification"
            )
        return Encoded(targets, skipped)

    def describe(self, encoded: Encoded, volumes: list[str]) -> Mapping[str, Any]:
        """Mean and deviation of the numbers that are learned from: the network tells deviations from the mean.

        Raises:
            TrainingError: if all are the same.
        """
        numbers = np.array([encoded.targets[volume] for volume in volumes], np.float64)
        if not numbers.std() > 0:
            raise TrainingError(
                f"target: found one number for all {len(numbers)} volumes, needed numbers that differ; use more "
                "subjects, or another target"
            )
        return {"mean": float(numbers.mean()), "deviation": float(numbers.std())}

    def network(self, about: Mapping[str, Any]) -> nn.Module:
        """A network with one output."""
        return self.pooled(1)

    def learner(self, network: nn.Module, about: Mapping[str, Any]) -> nn.Module:
        """The network with its loss."""
        return RegressionLearner(network, about["mean"], about["deviation"], self.options.huber)

    def predict(self, network: nn.Module, about: Mapping[str, Any], scan: Scan, *, overlap: float) -> Prediction:
        """The number."""
        told = float(averaged(network, scan, self.config, overlap)[0]) * about["deviation"] + about["mean"]
        return Prediction(facts={"target": self.options.target, "value": round(told, 6), "unit": self.options.unit})


class RegressionLearner(nn.Module):
    """A network with Huber's loss on standardized numbers (Huber, 1964)."""

    def __init__(self, network: nn.Module, mean: float, deviation: float, huber: float) -> None:
        """Wrap a network."""
        super().__init__()
        self.network, self._mean, self._deviation, self._huber = network, mean, deviation, huber

    def forward(self, windows: Windows) -> Told:
        """(N,) losses."""
        target = (windows.targets[TARGET] - self._mean) / self._deviation
        losses = F.huber_loss(self.network(windows)[:, 0], target, delta=self._huber, reduction="none")
        return Told(losses, sum(windows.tokens.lengths))


def _number(text: str) -> float | None:
    """The number that a text is, if it is one and finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
