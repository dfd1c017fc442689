"""The asset `models/evaluations`: what the catalogue says of it, and which job it starts."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from assets.acting import acting
from assets.config import StepConfig
from assets.failures import explained
from assets.metadata import page, sheet
from assets.models import finetuned_name
from assets.partitions import RELEASES
from assets.resources import LakeResource
from assets.standings import PAGE, measured, read, standings
from assets.training import overrides, trained
from schemas.contract import Zone
from schemas.roles import changing


class Evaluation(StepConfig):
    """What to evaluate."""

    checkpoints: list[str] = Field(default_factory=list)
    """Models to evaluate, names or folders; empty: those of `preset` and `task` fine-tuned on the release."""
    preset: str = "tiny"
    """Preset that the models were trained with."""
    task: str = "segmentation"
    """Task of the models."""
    scratch: bool = True
    """Whether to compare with the same network from scratch."""
    split: str = "test"
    """Split to evaluate on; opening the sealed test set is recorded."""
    overrides: dict[str, str] = Field(default_factory=dict)
    """Values that differ from the preset, as text."""


@dg.asset(
    key=["models", "evaluations"],
    deps=[["curated", "release"], ["models", "finetuned"]],
    partitions_def=RELEASES,
    group_name="train",
    kinds={"pytorch", "python"},
    owners=["team:data-science"],
    pool="gpu",
)
@explained
@acting(changing(Zone.MODELS, reads=[Zone.CURATED]))
def evaluations(context: dg.AssetExecutionContext, lake: LakeResource, config: Evaluation) -> dg.MaterializeResult:
    """What models are worth on people whom they have not seen, against baselines, with intervals, plots and a page."""
    release = context.partition_key
    models = config.checkpoints or [
        finetuned_name(release, config.preset, config.task, scratch=scratch)
        for scratch in ((False, True) if config.scratch else (False,))
    ]
    named = Path(models[0]).name if config.checkpoints else f"{release}-{config.preset}"
    job = {
        "kind": "evaluate",
        "release": release,
        "name": f"{named}-evaluation",
        "preset": config.preset,
        "checkpoints": models,
        "config": overrides(config.overrides) | {"split": config.split},
    }
    told = trained(context, lake, job, ranks=1)
    return dg.MaterializeResult(metadata=_headline(Path(told["folder"].value)) | dict(told))


def _headline(folder: Path) -> dict[str, dg.MetadataValue[Any]]:
    """What people read first: each model's value with its interval, and the page with all else."""
    metrics = read(folder)
    lines = [{name: _shown(value) for name, value in line.items()} for line in standings(metrics)]
    return {f"{measured(metrics)} on {metrics['split']}": sheet(lines), "page": page(str(folder / PAGE))}


def _shown(value: str | float | None) -> str | float:
    return "none" if value is None else float(f"{value:.4g}") if isinstance(value, float) else value
