"""Prediction: a fine-tuned checkpoint and a volume of any size give what its task says of the volume.

Belongs here: from a checkpoint to a model, and from arrays to a prediction. How a network goes over a volume is
`training.tasks.sliding`; comparing predictions with a truth is the rest of this room.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training import checkpoint
from training.config.finetune import FinetuneConfig
from training.config.older import finetuning
from training.data.labelled import Classes
from training.errors import CheckpointError, TrainingError
from training.networks.encoder import load_weights
from training.tasks.segmentation import classes_in
from training.tasks.sliding import Scan
from training.tasks.task import Prediction, Task, make_task


@dataclass(frozen=True)
class Model:
    """A fine-tuned model, ready to predict.

    Attributes:
        network: what was learned.
        task: what it speaks of.
        about: content of the checkpoint's `config.yaml`.
    """

    network: nn.Module
    task: Task[Any]
    about: Mapping[str, Any]

    @property
    def config(self) -> FinetuneConfig:
        """How it was trained."""
        return self.task.config

    @property
    def classes(self) -> Classes:
        """What the label values of a segmentation mean."""
        return classes_in(self.about)

    def on(self, device: torch.device | str) -> "Model":
        """The same model, computing on a device."""
        self.network.to(device)
        return self


def open_model(folder: Path) -> Model:
    """The model of a fine-tuned checkpoint.

    Raises:
        CheckpointError: if it is not one, or its files are not those of its manifest.
    """
    return model_of(checkpoint.load(folder))


def model_of(loaded: checkpoint.Checkpoint) -> Model:
    """The model of a checkpoint that was read.

    Raises:
        CheckpointError: if it is not a fine-tuned one, or its weights are not those of its configuration.
    """
    if loaded.manifest.kind != "finetuned":
        raise CheckpointError(
            f"{loaded.manifest.name}: found a {loaded.manifest.kind} model, needed one that was fine-tuned for a task"
        )
    task = make_task(finetuning(loaded.config["config"], loaded.manifest.name))
    network = task.network(loaded.config)
    load_weights(network, loaded.weights)
    return Model(network.eval(), task, loaded.config)


def answer(model: Model, stored: NDArray[Any], row: Mapping[str, Any], *, overlap: float = 0.25) -> Prediction:
    """What a model says of a volume.

    Args:
        model: what predicts.
        stored: (x, y, z[, t]) stored voxels; of a 4D volume the first step is taken.
        row: the volume's row of `curated/volumes`.
        overlap: of neighbouring windows where the volume is larger than one.
    """
    return model.task.predict(model.network, model.about, Scan.of(stored, row), overlap=overlap)


def predict(model: Model, stored: NDArray[Any], row: Mapping[str, Any], *, overlap: float = 0.25) -> NDArray[Any]:
    """(x, y, z) what a model says of a volume's voxels: label values of a segmentation, intensities of a restoration.

    Raises:
        TrainingError: if its task speaks of whole volumes only.
    """
    found = answer(model, stored, row, overlap=overlap).voxels
    if found is None:
        raise TrainingError(f"found a model of {model.config.task}, needed one that speaks of voxels")
    return np.asarray(found)
