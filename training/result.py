"""What a job hands back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.checkpoint import CheckpointManifest


@dataclass(frozen=True)
class Result:
    """What a training or evaluation made.

    Attributes:
        name: of the model or evaluation.
        folder: where it lies.
        manifest: the checkpoint's; None for an evaluation.
        metrics: content of `metrics.json`.
        exposure: volume to samples served by this training, ancestors left out; empty for an evaluation.
        resumed_from: step that this run started at; the last one where nothing was left to do.
    """

    name: str
    folder: Path
    manifest: CheckpointManifest | None
    metrics: Mapping[str, Any]
    exposure: Mapping[str, int] = field(default_factory=dict)
    resumed_from: int = 0
