"""Fine-tuning: a release with labels, and a pre-trained model or none, become a model of one task.

Belongs here: the order of the work. What is learned is a task of `training.tasks`, what of a pre-trained encoder learns
on is `training.tasks.adapt`, how steps run is `training.running.fit`.
"""

from pathlib import Path
from typing import Any

import torch

from training import checkpoint
from training.config.finetune import FinetuneConfig
from training.config.model import ModelConfig
from training.data.source import Source, permitted
from training.errors import TrainingError
from training.networks.encoder import parameters
from training.pretrain import stated
from training.result import Result
from training.running import process
from training.running.fit import Report, fit
from training.running.session import Done, session, summary
from training.running.workspace import Workspace, identity
from training.tasks.adapt import adapt, merged
from training.tasks.task import Task, make_task


def finetune(
    config: FinetuneConfig,
    release: Source,
    out: Path,
    report: Report,
    *,
    parent: Path | None = None,
    replace: bool = False,
) -> Result:
    """Train a model of one task on labelled volumes of the training split.

    Args:
        config: what to learn and how.
        release: what to learn from; has labels.
        out: folder of the model, `models/<name>`.
        report: called with every event, a mapping of plain values.
        parent: folder of the pre-trained model to start from; with `scratch: true` none.
        replace: train although another model of that name is there, and put the new one in its place.

    Returns:
        The finished model; at once if it is already there.

    Raises:
        TrainingError: if the terms do not allow it, labels are missing, parent and configuration do not go together,
            another training is in the same folder, or another model is in the place.
    """
    permitted(release)
    start = _parent(config, parent)
    if start:
        model = ModelConfig.parse(start.config["config"]["model"], f"model of {start.manifest.name}")
        config = config.model_copy(update={"model": model})
    task = make_task(config)
    weights = start.manifest.weights_sha256 if start else None
    digest = identity("finetune", task.config.recipe, release.sha256, weights)

    def work(workspace: Workspace, resume: Path | None) -> Done:
        return _work(task, release, report, digest, start, workspace, resume)

    return session(digest, out, report, work, replace=replace, timeout_s=config.timeout_s)


def _parent(config: FinetuneConfig, parent: Path | None) -> checkpoint.Checkpoint | None:
    if config.scratch != (parent is None):
        found = "scratch: true and a parent" if config.scratch else "scratch: false and no parent"
        raise TrainingError(f"found {found}, needed either a pre-trained parent or scratch: true")
    if parent is None:
        return None
    start = checkpoint.load(parent)
    start.seen()  # the record of what grows from it has to name what it was trained on
    if start.manifest.kind != "pretrained":
        raise TrainingError(f"parent {start.manifest.name}: found a fine-tuned model, needed a pre-trained one")
    return start


def _work(
    task: Task[Any],
    release: Source,
    report: Report,
    digest: str,
    start: checkpoint.Checkpoint | None,
    workspace: Workspace,
    resume: Path | None,
) -> Done:
    config = task.config
    served = task.serve(release)
    torch.manual_seed(config.seed)
    network = task.network(served.about)
    groups = adapt(network, start.weights, config) if start else {}
    learned = parameters(network)
    learner = task.learner(network, served.about)
    fitted = fit(
        learner, served.dataset, served.collate, config, workspace, report, resume, groups, exposure=served.exposure
    )
    made = checkpoint.Made(
        kind="finetuned",
        task=config.task,
        weights=merged(network).state_dict(),
        config=stated("finetuned", digest, config, served.about),
        metrics={
            "parameters": learned,
            "subjects": len(served.subjects),
            **summary(workspace),
            "skipped": dict(served.skipped),
        },
        volumes=served.exposure(config.steps),
        release=release.manifest,
        release_sha256=release.sha256,
        parent=start,
        steps=config.steps,
        world_size=process.world_size(),
    )
    return Done(made, fitted.resumed_from)
