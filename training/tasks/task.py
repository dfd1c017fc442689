"""What fine-tuning learns: the interface of tasks.

Belongs here: the interface. A new task is one file and one entry of `training.tasks.TASKS`; its own settings are a
document in that file, read from `options` of the configuration. How a network goes over a volume is
`training.tasks.sliding`.
"""

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset

from schemas.document import Document
from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.source import Source
from training.errors import TrainingError
from training.tasks import TASKS
from training.tasks.sliding import Scan

Options = TypeVar("Options", bound=Document)
Answer = Literal["labels", "image", "facts"]


@dataclass(frozen=True)
class Served:
    """What a task learns from, out of a release.

    Attributes:
        dataset: from a key to a sample; the key decides everything about it.
        collate: the samples of a step to its windows.
        subjects: persons that it serves, one entry each.
        exposure: from steps done to samples served of each volume, labelled or not.
        skipped: volume to the reason that it is left out.
        about: what the task must know to make its network again: plain values, kept at the top of `config.yaml`.
    """

    dataset: Dataset[Any]
    collate: Callable[[Sequence[Any]], Windows]
    subjects: Sequence[str]
    exposure: Callable[[int], Mapping[str, int]]
    skipped: Mapping[str, str]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Prediction:
    """What a model says of a volume: on its voxels, or of it as a whole.

    Attributes:
        voxels: (x, y, z) label values or intensities; None where the task speaks of the whole volume.
        facts: name to plain value.
    """

    voxels: NDArray[np.generic] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class NoOptions(Document):
    """Settings of a task that has none."""


class Task(ABC, Generic[Options]):
    """What is learned from a release for one purpose, and how a network that learned it speaks of a volume."""

    Settings: ClassVar[type[Document]] = NoOptions
    """Document of the task's own settings."""
    answer: ClassVar[Answer]
    """What it says of a volume: a label map, intensities on its voxels, or facts of it as a whole."""

    def __init__(self, config: FinetuneConfig) -> None:
        """Set the task.

        Raises:
            DocumentError: if the options are not those of the task.
        """
        self.options: Options = self.Settings.parse(config.options, f"options of task {config.task}")  # type: ignore[assignment]
        self.config = config.model_copy(update={"options": self.options.model_dump(mode="json")})

    @abstractmethod
    def serve(self, release: Source) -> Served:
        """What is learned from.

        Raises:
            TrainingError: if the release does not hold what the task needs.
        """

    @abstractmethod
    def network(self, about: Mapping[str, Any]) -> nn.Module:
        """The network, with random weights; its weights are what a checkpoint keeps.

        One that can start from a pre-trained model has it as its attribute `encoder`.

        Args:
            about: what `serve` said, or what a checkpoint's `config.yaml` holds.
        """

    @abstractmethod
    def learner(self, network: nn.Module, about: Mapping[str, Any]) -> nn.Module:
        """A module that turns windows into `training.running.fit.Losses`; holds the network as `network`."""

    @abstractmethod
    def predict(self, network: nn.Module, about: Mapping[str, Any], scan: Scan, *, overlap: float) -> Prediction:
        """What a network says of a volume; `overlap` is that of neighbouring windows."""


def make_task(config: FinetuneConfig) -> Task[Any]:
    """The task that a configuration names.

    Raises:
        TrainingError: if there is none of that name.
        DocumentError: if its options are not those of the task.
    """
    if config.task not in TASKS:
        raise TrainingError(f"task: found {config.task!r}, needed one of {', '.join(sorted(TASKS))}")
    kind: type[Task[Any]] = pkgutil.resolve_name(TASKS[config.task])
    return kind(config)
