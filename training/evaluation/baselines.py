"""Models that an evaluation trains to compare with: few labels, and baselines from random weights on the same budget.

Belongs here: which models, under which names and configurations. Training them is `training.finetune`, through whoever
asks, so that each is a checkpoint with its own record.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.checkpoint import Checkpoint
from training.config.evaluate import EvaluateConfig
from training.config.finetune import FinetuneConfig
from training.config.older import finetuning
from training.errors import TrainingError

Train = Callable[[str, FinetuneConfig, Path | None], Path]
"""Trains the model of a name and configuration from a parent or none, puts it on the record, and gives its folder."""

BASELINES: Mapping[str, Mapping[str, Any]] = {
    "scratch": {},
    "dynunet": {"network": "dynunet"},
    "slices2d": {"model": {"encoder": "slices2d"}},
}
"""What each baseline changes of the configuration that it is compared with, apart from random weights."""

SEGMENTING = ("segmentation", "regions", "semi")
"""Tasks whose networks may be MONAI's DynUNet."""

_RANDOM = {"scratch": True, "adapt": "full", "encoder_scale": 1.0}


@dataclass(frozen=True)
class Planned:
    """A model to train.

    Attributes:
        name: of the model.
        what: frozen, finetuned, or the name of a baseline.
        labels: labelled subjects, 0 for all.
        config: how to train it.
        parent: the pre-trained checkpoint to start from, or None.
    """

    name: str
    what: str
    labels: int
    config: FinetuneConfig
    parent: Path | None


def of_finetuned(checkpoint: Checkpoint, config: EvaluateConfig) -> list[Planned]:
    """Baselines of a fine-tuned checkpoint: its own configuration and labels, from random weights."""
    own = finetuning(checkpoint.config["config"], checkpoint.manifest.name)
    return [_baseline(checkpoint.manifest.name, own, what) for what in config.baselines]


def of_pretrained(checkpoint: Checkpoint, recipe: FinetuneConfig, config: EvaluateConfig) -> list[Planned]:
    """Few-shot models of a pre-trained checkpoint, and the baselines of each number of labels.

    Args:
        checkpoint: the pre-trained one.
        recipe: the budget of each training.
        config: numbers of labels, whether the encoder learns, and baselines.
    """
    name, found = checkpoint.manifest.name, []
    model = checkpoint.config["config"]["model"]
    for labels in config.few_shot:
        base = f"{name}-{labels or 'all'}-labels"
        for what in config.few_shot_encoder:
            kept = {"adapt": "probe" if what == "frozen" else "full", "scratch": False, "labels": labels}
            found.append(Planned(f"{base}-{what}", what, labels, _changed(recipe, kept), checkpoint.folder))
        same = _changed(recipe, {"model": model, "labels": labels, **_RANDOM})
        found += [_baseline(base, same, what) for what in config.baselines]
    return found


def _baseline(name: str, config: FinetuneConfig, what: str) -> Planned:
    changes = BASELINES[what]
    if what == "dynunet" and config.task not in SEGMENTING:
        raise TrainingError(
            f"baselines: found dynunet for task {config.task}, needed one of {', '.join(SEGMENTING)}; ask for scratch "
            "or slices2d"
        )
    return Planned(f"{name}-{what}", what, config.labels, _changed(config, {**_RANDOM, **changes}), None)


def _changed(config: FinetuneConfig, changes: Mapping[str, Any]) -> FinetuneConfig:
    """The configuration with other fields, checked as a whole."""
    content = config.model_dump(mode="json")
    model = changes.get("model", {})
    return FinetuneConfig.parse({**content, **changes, "model": {**content["model"], **model}}, "baseline")


def trained(planned: Sequence[Planned], train: Train | None) -> list[Path]:
    """The folders of models, trained where they are not there yet.

    Raises:
        TrainingError: if models are to be trained and nobody trains them.
    """
    if planned and train is None:
        raise TrainingError(f"found {len(planned)} models to train, needed somebody to train them; evaluate as a job")
    return [train(p.name, p.config, p.parent) for p in planned] if train else []
