"""The asset `models/evaluations`: what the catalogue says of it, and which job it starts."""

import dagster as dg
from pydantic import Field

from assets.models import finetuned_name
from assets.partitions import RELEASES
from assets.resources import LakeResource
from assets.training import overrides, trained


class Evaluation(dg.Config):
    """What to evaluate."""

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
def evaluations(context: dg.AssetExecutionContext, lake: LakeResource, config: Evaluation) -> dg.MaterializeResult:
    """Dice of the fine-tuned models against the same network from scratch, with intervals, plots and a page."""
    release = context.partition_key
    models = [
        finetuned_name(release, config.preset, config.task, scratch=scratch)
        for scratch in ((False, True) if config.scratch else (False,))
    ]
    job = {
        "kind": "evaluate",
        "release": release,
        "name": f"{release}-{config.preset}-evaluation",
        "preset": config.preset,
        "checkpoints": models,
        "config": overrides(config.overrides) | {"split": config.split},
    }
    return dg.MaterializeResult(metadata=trained(context, lake, job, ranks=1))
