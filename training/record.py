"""What a job asks of the terms before it, and leaves on the record when it is finished: exposures, events, a seal.

Belongs here: the way between a job and the lineage. Training and evaluating know nothing of it, so that both run
without a lake.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lake.releases import Release
from lake.zones import Lake
from lineage.exposures import exposures
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.ledger.seals import seal
from lineage.terms.decisions import Decision
from lineage.terms.questions import Action
from schemas.checkpoint import CheckpointManifest
from stages.permission import permitted_release
from training.checkpoint import read_manifest
from training.result import Result
from training.running import process


def opening(lake: Lake, release: Release, split: str, decision: Decision) -> None:
    """Record that a split is opened for an evaluation, before it is: a look that crashes was a look."""
    if split != "test":
        return
    rows = len(release.members("test", sealed_ok=True))
    facts = {"action": "evaluate", "target": release.name, "release": release.name, "split": split, "rows": rows}
    append(lake, EventType.ACCESSED, {**facts, **decision.facts})


def asked(lake: Lake, release: Release, action: Action, split: str = "", models: Sequence[Path] = ()) -> Decision:
    """The decision that a job may be done; every process asks, and the first one records a refusal.

    Args:
        lake: the lake.
        release: what it is done with.
        action: train or evaluate.
        split: the split of an evaluation.
        models: folders of the model that a training starts from, or of those that are evaluated.

    Raises:
        lineage.terms.refusal.Refusal: if the terms do not allow it.
        CheckpointError: if there is no such model.
    """
    splits = (split,) if split else ("train", "validation")
    return permitted_release(
        lake, release, action, splits=splits, models=[read_manifest(folder) for folder in models],
        recorded=process.rank() == 0,
    )  # fmt: skip


def trained(lake: Lake, release: Release, result: Result, decision: Decision) -> None:
    """Record a checkpoint: what it was trained on, that it was, and a seal over both.

    A job that was done already is recorded again only where its record is missing.

    Raises:
        ExposureError: if the release does not hold what was served, or the parent has no record.
    """
    manifest = result.manifest
    assert manifest is not None, "only a training has a checkpoint"
    if exposures.exposed(lake, manifest.name)["checkpoint"].unique().to_pylist() == [manifest.weights_sha256]:
        return
    members = [*release.members("train"), *release.members("validation")]
    exposures.record(lake, manifest, result.exposure, members)
    facts = {
        name: getattr(manifest, name)
        for name in ("release", "release_sha256", "weights_sha256", "config_sha256", "exposure_sha256", "parent")
    }
    more = {"parent_weights_sha256": manifest.parent_weights_sha256, "licences": manifest.licences}
    numbers = {"steps": manifest.steps, "world_size": manifest.world_size, "samples": sum(result.exposure.values())}
    about = {"model": manifest.name, "kind": manifest.kind, "task": manifest.task}
    rights = {"share_models": manifest.share_models}
    append(lake, EventType.TRAINED, {**decision.facts, **about, **facts, **more, **numbers, **rights})
    seal(lake)


def evaluated(
    lake: Lake, release: Release, result: Result, models: Sequence[CheckpointManifest], split: str, decision: Decision
) -> None:
    """Record an evaluation of several models, and seal."""
    digest = hashlib.sha256((result.folder / "metrics.json").read_bytes()).hexdigest()
    for manifest in models:
        facts = {"model": manifest.name, "weights_sha256": manifest.weights_sha256, "task": manifest.task}
        where = {"release": release.name, "release_sha256": release.sha256, "split": split, "metrics_sha256": digest}
        append(lake, EventType.EVALUATED, {**decision.facts, **facts, **where})
    seal(lake)
