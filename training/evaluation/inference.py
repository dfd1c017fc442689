"""Prediction: a fine-tuned checkpoint and a volume of any size give a label map on the volume's own grid.

Belongs here: whole-volume and sliding-window prediction. Comparing it with a truth is `training.evaluation.evaluate`.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training import checkpoint
from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.labelled import Classes
from training.data.tokens import pack
from training.data.volume import Facts, Window, facts_of, image_of, normalize, patch_of, tokens_of
from training.errors import CheckpointError
from training.tasks.segmentation import network_for


@dataclass(frozen=True)
class Model:
    """A fine-tuned model, ready to predict.

    Attributes:
        network: gives logits.
        config: how it was trained.
        classes: what its classes mean.
    """

    network: nn.Module
    config: FinetuneConfig
    classes: Classes


def open_model(folder: Path) -> Model:
    """The model of a fine-tuned checkpoint.

    Raises:
        CheckpointError: if it is not one, or its files are not those of its manifest.
    """
    return model_of(checkpoint.load(folder))


def model_of(loaded: checkpoint.Checkpoint) -> Model:
    """The model of a checkpoint that was read.

    Raises:
        CheckpointError: if it is not a fine-tuned one.
    """
    if loaded.manifest.kind != "finetuned":
        raise CheckpointError(
            f"{loaded.manifest.name}: found a {loaded.manifest.kind} model, needed one that was fine-tuned for a task"
        )
    config = FinetuneConfig.parse(loaded.config["config"], f"{loaded.manifest.name}/config.yaml")
    classes = Classes({int(value): name for value, name in loaded.config["classes"].items()})
    network = network_for(config, len(classes.values))
    network.load_state_dict(dict(loaded.weights))
    return Model(network.eval(), config, classes)


def predict(model: Model, stored: NDArray[Any], row: Mapping[str, Any], *, overlap: float = 0.25) -> NDArray[np.uint16]:
    """Label values of a volume.

    Args:
        model: what predicts.
        stored: (x, y, z[, t]) stored voxels; of a 4D volume the first step is taken.
        row: the volume's row of `curated/volumes`.
        overlap: of neighbouring windows where the volume is larger than one.

    Returns:
        (x, y, z) label values.
    """
    facts = facts_of(row["volume"], row)
    values, tissue = normalize(stored[..., :1] if stored.ndim > 3 else stored, facts)
    total = torch.zeros(len(model.classes.values), *facts.shape)
    for place in windows(facts, model.config.window_mm, overlap):
        box = tuple(slice(s, s + n) for s, n in zip(place.start, place.shape, strict=True))
        logits = _one(model, values[box], tissue[box], facts, place)
        total[(slice(None), *box)] += logits.softmax(0) * _weight(place.shape)
    return model.classes.restore(total.argmax(0).numpy())


def windows(facts: Facts, window_mm: Sequence[float], overlap: float) -> list[Window]:
    """Windows of at most `window_mm` that cover a volume, evenly spread."""
    extent = [min(n, max(1, round(mm / s))) for n, mm, s in zip(facts.shape, window_mm, facts.spacing, strict=True)]
    axes = []
    for size, count in zip(extent, facts.shape, strict=True):
        number = 1 + int(np.ceil((count - size) / max(1, size * (1 - overlap)))) if count > size else 1
        axes.append(np.linspace(0, count - size, number).round().astype(int).tolist())
    x, y, z = extent
    return [Window((a, b, c), (x, y, z)) for a, b, c in itertools.product(*axes)]


def _one(model: Model, values: NDArray[np.float32], tissue: NDArray[np.bool_], facts: Facts, place: Window) -> Tensor:
    config = model.config.model
    tokens = tokens_of(values, tissue, facts, place, patch_of(facts, config.patch_mm, config.patch_menu))
    image = image_of(values, facts, place)
    bf16 = model.config.precision == "bf16"
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits: Tensor = model.network(Windows((torch.from_numpy(image),), pack([tokens])))[0]
    return logits


def _weight(shape: Sequence[int]) -> Tensor:
    """(x, y, z) weights of a window: a bell that trusts its middle more than its border."""
    bells = [torch.exp(-(torch.linspace(-1, 1, n) ** 2) * 4).clamp_min(1e-3) if n > 1 else torch.ones(1) for n in shape]
    return bells[0][:, None, None] * bells[1][:, None] * bells[2]
