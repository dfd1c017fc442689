"""Frozen features of whole volumes, and the labels that they are asked for.

Belongs here: from a pre-trained checkpoint and volumes to vectors, from rows to labels. How volumes are shown to an
encoder is `training.evaluation.together`; what is made of features and labels is `training.evaluation.probes` and
`training.evaluation.retrieval`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.checkpoint import Checkpoint
from training.config.model import ModelConfig
from training.data.source import Arrays, Source
from training.data.targets import MISSING, Diagnosed
from training.errors import CheckpointError
from training.evaluation.people import Group, Person
from training.evaluation.robustness import Disturbance
from training.evaluation.together import Volume, rounds
from training.networks.encoder import Encoder, load_weights, make_encoder

Value = str | float


@dataclass(frozen=True)
class Frozen:
    """A pre-trained encoder that learns no more.

    Attributes:
        encoder: gives features.
        window_mm: largest window that it sees at once.
        bf16: whether it was trained in bfloat16.
        attend: whether tokens attend to their own series or to all series of their study.
    """

    encoder: Encoder
    window_mm: tuple[float, float, float]
    bf16: bool
    attend: str = "series"

    def of(self, stored: NDArray[Any], row: Mapping[str, Any]) -> NDArray[np.float32]:
        """(width,) features of a volume: the mean of those of its windows that hold tissue."""
        result: NDArray[np.float32] = self.of_study([(stored, row)])[0]
        return result

    def of_study(self, volumes: Sequence[Volume]) -> NDArray[np.float32]:
        """(volumes, width) features of the volumes of a study that are there, shown together."""
        device, found = next(self.encoder.parameters()).device, []
        for batch in rounds(volumes, self.window_mm, self.encoder.config, self.attend):
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self._half(device)):
                found.append(self.encoder.pooled(batch.to(device)).float().cpu())
        result: NDArray[np.float32] = torch.stack(found).mean(0).numpy()
        return result

    def _half(self, device: torch.device) -> bool:
        return self.bf16 or device.type == "cuda"


def frozen(checkpoint: Checkpoint) -> Frozen:
    """The encoder of a pre-trained checkpoint, on the GPU where there is one.

    Raises:
        CheckpointError: if it is a fine-tuned one, or its weights are not those of its configuration.
    """
    name = checkpoint.manifest.name
    if checkpoint.manifest.kind != "pretrained":
        raise CheckpointError(f"{name}: found a fine-tuned model, needed a pre-trained one to probe")
    config = checkpoint.config["config"]
    encoder = make_encoder(ModelConfig.parse(config["model"], f"{name}/config.yaml"))
    load_weights(encoder, checkpoint.weights)
    encoder.requires_grad_(requires_grad=False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, y, z = config["crop_mm"]
    attend = config["study"]["attend"] if on_studies(checkpoint) else "series"
    return Frozen(encoder.eval().to(device), (x, y, z), config["precision"] == "bf16", attend)


def on_studies(checkpoint: Checkpoint) -> bool:
    """Whether it was pre-trained on studies, several series at once."""
    return checkpoint.manifest.kind == "pretrained" and bool(checkpoint.config["config"]["study"]["together"])


def features(
    model: Frozen, arrays: Arrays, groups: Sequence[Group], disturbance: Disturbance | None = None
) -> dict[str, NDArray[np.float32]]:
    """Volume to its (width,) features, those of a group shown together.

    Args:
        model: what sees them.
        arrays: where the voxels are.
        groups: the volumes.
        disturbance: how they are worse; what it takes away is left out.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for group in groups:
        there = [member.volume for member in (disturbance.remain(group) if disturbance else group)]
        seen = [(arrays.array(volume), arrays.row(volume)) for volume in there]
        if disturbance:
            seen = [disturbance.change(*volume) for volume in seen]
        if seen:
            found |= dict(zip(there, model.of_study(seen), strict=True))
    return found


def labels(names: Sequence[str], release: Source, members: Sequence[Person]) -> dict[str, dict[str, Value]]:
    """For each name, volume to what is known of it: a word, or a number; what says nothing is left out.

    A name is one of a diagnosis, of a column of `curated/series`, or of one of `curated/volumes`, in this order.
    """
    volumes = [member.volume for member in members]
    rows = {v: {**row, **series} for v, row, series in _rows(release, volumes)}
    diagnosed = _diagnosed(release, members)
    found: dict[str, dict[str, Value]] = {}
    for name in names:
        own = diagnosed.get(name, {})
        said = {volume: _said(own.get(volume, rows[volume].get(name))) for volume in volumes}
        found[name] = {volume: value for volume, value in said.items() if value is not None}
    return found


def _rows(release: Source, volumes: Sequence[str]) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    series = release.described(volumes)
    return [(v, row, series.get(v, {})) for v, row in zip(volumes, release.volumes().rows(volumes), strict=True)]


def _diagnosed(release: Source, members: Sequence[Person]) -> dict[str, dict[str, Value]]:
    """For each name of a diagnosis, volume to its value; of several of one name the first counts."""
    found: dict[str, dict[str, Value]] = {}
    for member, row in release.diagnoses(members) if isinstance(release, Diagnosed) else []:
        value = float(row["number"]) if row["kind"] == "number" else str(row["value"])
        found.setdefault(row["name"], {}).setdefault(member.volume, value)
    return found


def _said(value: Any) -> Value | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    return value if isinstance(value, str) and value.lower() not in MISSING else None
