"""Pre-training: a release and a configuration become a foundation model, resumed where it was killed.

Belongs here: the order of the work. What is learned is `training.objectives.objective`, how steps run is
`training.running.fit`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from training.checkpoint import Made
from training.config.pretrain import PretrainConfig
from training.config.schedule import Schedule
from training.data.pretraining import Needs, serve
from training.data.source import Source, permitted
from training.data.volume import HIGH, LOW, RANGE
from training.networks.encoder import parameters
from training.objectives.objective import make
from training.result import Result
from training.running import process
from training.running.fit import Report, fit
from training.running.probes import FeatureProbe
from training.running.session import Done, session, summary
from training.running.workspace import Workspace, identity

PREPROCESSING: Mapping[str, Any] = {
    "axes": "RAS+ canonical, voxels at native resolution",
    "intensity": {"minus_one_at_percentile_index": LOW, "one_at_percentile_index": HIGH, "range": list(RANGE)},
}
"""What was done to a volume before the model saw it, as every checkpoint says."""


def pretrain(config: PretrainConfig, release: Source, out: Path, report: Report, *, replace: bool = False) -> Result:
    """Train a foundation model on the training split of a release.

    Under torchrun every process calls this; the first one reports and writes.

    Args:
        config: what to learn and how.
        release: what to learn from.
        out: folder of the model, `models/<name>`.
        report: called with every event, a mapping of plain values.
        replace: train although another model of that name is there, and put the new one in its place.

    Returns:
        The finished model; at once if it is already there.

    Raises:
        TrainingError: if the terms do not allow it, no volume is usable, another training is in the same folder, or
            another model is in the place.
    """
    permitted(release)
    digest = identity("pretrain", config.recipe, release.sha256, None)

    def work(workspace: Workspace, resume: Path | None) -> Done:
        return _work(config, release, report, digest, workspace, resume)

    return session(digest, out, report, work, replace=replace, timeout_s=config.timeout_s)


def _work(
    config: PretrainConfig, release: Source, report: Report, digest: str, workspace: Workspace, resume: Path | None
) -> Done:
    torch.manual_seed(config.seed)
    objective = make(config)
    served = serve(config, release, Needs(objective.views, objective.prepare, objective.captioned))
    fitted = fit(
        objective,
        served.dataset,
        served.gather,
        config,
        workspace,
        report,
        resume,
        exposure=served.exposure,
        steps=served.steps,
        probe=_probe(release, config),
    )
    made = Made(
        kind="pretrained",
        task="+".join(config.objectives),
        weights=objective.kept.state_dict(),
        config=stated("pretrained", digest, config),
        metrics={
            "parameters": parameters(objective.encoder),
            "curves": _curves(workspace),
            **summary(workspace),
            "skipped": dict(served.skipped),
        },
        files={f"{name}.safetensors": save(dict(module.state_dict())) for name, module in objective.beside.items()},
        volumes=served.exposure(config.steps),
        release=release.manifest,
        release_sha256=release.sha256,
        parent=None,
        steps=config.steps,
        world_size=process.world_size(),
    )
    return Done(made, fitted.resumed_from)


def stated(kind: str, digest: str, config: Schedule, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What `config.yaml` of a model says.

    Args:
        kind: `pretrained` or `finetuned`.
        digest: identity of the training.
        config: what it was told to do.
        about: what the task has to know of it besides.
    """
    settled = config.model_dump(mode="json")
    return {"kind": kind, "identity": digest, "config": settled, "preprocessing": dict(PREPROCESSING), **(about or {})}


def _probe(release: Source, config: PretrainConfig) -> FeatureProbe | None:
    """Looks at the features of validation volumes, where the release has some."""
    return FeatureProbe(release, config) if config.probe_every and release.members("validation") else None


def _curves(workspace: Workspace) -> dict[str, list[list[float]]]:
    """(step, value) of each objective's part of the loss, and of what it monitors."""
    curves: dict[str, list[list[float]]] = {}
    for event in workspace.steps():
        for name, value in event["monitors"].items():
            curves.setdefault(name, []).append([event["step"], value])
    return curves
