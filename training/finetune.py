"""Fine-tuning: a release with labels, and a pre-trained model or none, become a model of one task.

Belongs here: the order of the work. The task's network and loss are `training.segmentation`, its samples are
`training.data.labelled`, how steps run is `training.running.fit`.
"""

from pathlib import Path

import torch
from torch import nn

from training import checkpoint
from training.config.finetune import FinetuneConfig
from training.config.model import ModelConfig
from training.data.labelled import LabelledDataset, chosen, classes_of, collate_labelled
from training.data.order import exposure
from training.data.source import Source, permitted
from training.errors import TrainingError
from training.networks.encoder import parameters
from training.networks.segmenter import TokenSegmenter
from training.pretrain import PREPROCESSING
from training.result import Result
from training.running import process
from training.running.fit import Report, fit
from training.running.session import Done, session, summary
from training.running.workspace import Workspace, identity
from training.tasks.segmentation import SegmentationTask, network_for


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
    weights = start.manifest.weights_sha256 if start else None
    digest = identity("finetune", config.digest, release.sha256, weights)

    def work(workspace: Workspace, resume: Path | None) -> Done:
        return _work(config, release, report, digest, start, workspace, resume)

    return session(digest, out, report, work, replace=replace, timeout_s=config.timeout_s)


def _parent(config: FinetuneConfig, parent: Path | None) -> checkpoint.Checkpoint | None:
    if config.scratch != (parent is None):
        found = "scratch: true and a parent" if config.scratch else "scratch: false and no parent"
        raise TrainingError(f"found {found}, needed either a pre-trained parent or scratch: true")
    if parent is None:
        return None
    start = checkpoint.load(parent)
    if start.manifest.kind != "pretrained":
        raise TrainingError(f"parent {start.manifest.name}: found a fine-tuned model, needed a pre-trained one")
    return start


def _work(
    config: FinetuneConfig,
    release: Source,
    report: Report,
    digest: str,
    start: checkpoint.Checkpoint | None,
    workspace: Workspace,
    resume: Path | None,
) -> Done:
    members = chosen(release, config)
    classes = classes_of(release.labels(), members)
    dataset = LabelledDataset(release, members, classes, config)
    torch.manual_seed(config.seed)
    network = network_for(config, len(classes.values))
    groups = _start_from(network, start, config) if start else {}
    fitted = fit(SegmentationTask(network), dataset, collate_labelled, config, workspace, report, resume, groups)
    made = checkpoint.Made(
        kind="finetuned",
        task=config.task,
        weights=network.state_dict(),
        config={
            "kind": "finetuned",
            "identity": digest,
            "config": config.model_dump(mode="json"),
            "preprocessing": dict(PREPROCESSING),
            "classes": dict(classes.names),
        },
        metrics={
            "parameters": parameters(network),
            "subjects": len({member.subject for member in members}),
            **summary(workspace, config.batch_size),
            "skipped": dataset.skipped,
        },
        volumes=exposure([f.volume for f in dataset.facts], config.seed, config.batch_size, config.steps),
        release=release.manifest,
        release_sha256=release.sha256,
        parent=start,
        steps=config.steps,
        world_size=process.world_size(),
    )
    return Done(made, fitted.resumed_from)


def _start_from(network: nn.Module, start: checkpoint.Checkpoint, config: FinetuneConfig) -> dict[str, float]:
    """Load a parent's encoder and give the share of the learning rate that it takes."""
    assert isinstance(network, TokenSegmenter), "the configuration refuses a parent for other networks"
    network.encoder.load_state_dict(dict(start.weights))
    if config.encoder_scale == 0:
        network.encoder.requires_grad_(requires_grad=False)
    return {"network.encoder.": config.encoder_scale}
