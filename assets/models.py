"""The assets `models/pretrained` and `models/finetuned`: what the catalogue says, and which job each starts."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from assets.acting import acting
from assets.config import StepConfig
from assets.failures import explained
from assets.partitions import RELEASES
from assets.resources import LakeResource
from assets.training import Launcher, overrides, trained, unalarmed
from schemas.contract import Zone
from schemas.roles import changing

_RETRY = dg.RetryPolicy(max_retries=1, delay=5)
"""A lost process resumes from its last saved step; a second loss has a reason that a person must see."""


_LEARNS = "learns"
_GROWN = "vit"
"""The network that grows from a pre-trained encoder, as `training.config.finetune` names it."""


class Pretraining(StepConfig):
    """How to pre-train."""

    preset: str = "tiny"
    """Preset: tiny, small, base, large or convnet."""
    ranks: int = 2
    """Processes: one a GPU; on a CPU two show that it is distributed."""
    overrides: dict[str, str] = Field(default_factory=dict)
    """Values that differ from the preset, as text, for example `steps: "200"`."""
    replace: bool = False
    """Train anew where another model of the same name is there, and put the new one in its place."""


class Finetuning(StepConfig):
    """How to fine-tune."""

    preset: str = "tiny"
    """Preset: tiny, small, base, large or convnet."""
    task: str = "segmentation"
    """What the model learns, for example segmentation or classification; it names the model."""
    labels: int = 4
    """Labelled subjects to use; 0: all."""
    scratch: bool = True
    """Whether to train the same network from scratch too, to compare with."""
    overrides: dict[str, str] = Field(default_factory=dict)
    """Values that differ from the preset, as text, for example `steps: "200"`."""
    replace: bool = False
    """Train anew where another model of the same name is there, and put the new one in its place."""


def pretrained_name(release: str, preset: str) -> str:
    """Name of the model pre-trained on a release."""
    return f"{release}-{preset}"


def finetuned_name(release: str, preset: str, task: str, *, scratch: bool) -> str:
    """Name of a fine-tuned model."""
    return f"{release}-{preset}-{task}{'-scratch' if scratch else ''}"


@dg.asset(
    key=["models", "pretrained"],
    deps=[["curated", "release"]],
    partitions_def=RELEASES,
    group_name="train",
    kinds={"pytorch", "python"},
    owners=["team:data-science"],
    pool="gpu",
    retry_policy=_RETRY,
    check_specs=[dg.AssetCheckSpec(_LEARNS, asset=["models", "pretrained"], description="No alarm, such as collapse.")],
)
@explained
@acting(changing(Zone.MODELS, reads=[Zone.CURATED]))
def pretrained(
    context: dg.AssetExecutionContext, lake: LakeResource, launcher: Launcher, config: Pretraining
) -> dg.MaterializeResult:
    """A foundation model, pre-trained without labels on a release's training subjects."""
    job = {
        "kind": "pretrain",
        "release": context.partition_key,
        "name": pretrained_name(context.partition_key, config.preset),
        "preset": config.preset,
        "config": overrides(config.overrides),
        "replace": config.replace,
    }
    told = trained(context, lake, job, config.ranks, launcher)
    return dg.MaterializeResult(metadata=told, check_results=[unalarmed(told, _LEARNS)])


def _starts(given: Mapping[str, Any], *, both: bool) -> tuple[bool, ...]:
    """Whether each model of a fine-tuning starts from random weights; networks that nothing pre-trains only do."""
    if given.get("network", _GROWN) != _GROWN:
        return (True,)
    if "scratch" in given:
        return (bool(given["scratch"]),)
    return (False, True) if both else (False,)


@dg.asset(
    key=["models", "finetuned"],
    deps=[["curated", "release"], ["models", "pretrained"]],
    partitions_def=RELEASES,
    group_name="train",
    kinds={"pytorch", "python"},
    owners=["team:data-science"],
    pool="gpu",
    retry_policy=_RETRY,
)
@explained
@acting(changing(Zone.MODELS, reads=[Zone.CURATED]))
def finetuned(
    context: dg.AssetExecutionContext, lake: LakeResource, launcher: Launcher, config: Finetuning
) -> dg.MaterializeResult:
    """A model of one task, grown from the pre-trained weights on a few labels, and the same from scratch."""
    metadata: dict[str, Any] = {}
    given: dict[str, Any] = {"task": config.task, "labels": config.labels} | overrides(config.overrides)
    for scratch in _starts(given, both=config.scratch):
        job = {
            "kind": "finetune",
            "release": context.partition_key,
            "name": finetuned_name(context.partition_key, config.preset, given["task"], scratch=scratch),
            "preset": config.preset,
            "parent": None if scratch else pretrained_name(context.partition_key, config.preset),
            "config": given | {"scratch": scratch},
            "replace": config.replace,
        }
        told = trained(context, lake, job, 1, launcher)
        metadata |= {f"scratch_{name}" if scratch else name: value for name, value in told.items()}
    return dg.MaterializeResult(metadata=metadata)
