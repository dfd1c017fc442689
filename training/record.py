"""What a finished job leaves on the record: exposures, events, a seal.

Belongs here: from a result to the lineage. Training and evaluating know nothing of it, so that both run without a lake.
"""

import hashlib
from collections.abc import Sequence

from lake.releases import Release
from lake.zones import Lake
from lineage.exposures import exposures
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.ledger.seals import seal
from schemas.checkpoint import CheckpointManifest
from training.result import Result


def opening(lake: Lake, release: Release, split: str) -> None:
    """Record that a split is opened for an evaluation, before it is: a look that crashes was a look."""
    if split != "test":
        return
    rows = len(release.members("test", sealed_ok=True))
    facts = {"action": "evaluate", "target": release.name, "release": release.name, "split": split, "rows": rows}
    append(lake, EventType.ACCESSED, facts | {"purpose": release.manifest.spec.purpose})


def trained(lake: Lake, release: Release, result: Result) -> None:
    """Record a checkpoint: what it was trained on, that it was, and a seal over both.

    A job that was done already is recorded again only where its record is missing.

    Raises:
        ExposureError: if the release does not hold what was served, or the parent has no record.
    """
    manifest = result.manifest
    assert manifest is not None, "only a training has a checkpoint"
    rows = exposures.exposures(lake, manifest.name)
    if {row["checkpoint"] for row in rows} == {manifest.weights_sha256}:
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
    append(lake, EventType.TRAINED, about | facts | more | numbers)
    seal(lake)


def evaluated(lake: Lake, release: Release, result: Result, models: Sequence[CheckpointManifest], split: str) -> None:
    """Record an evaluation of several models, and seal."""
    digest = hashlib.sha256((result.folder / "metrics.json").read_bytes()).hexdigest()
    for manifest in models:
        facts = {"model": manifest.name, "weights_sha256": manifest.weights_sha256, "task": manifest.task}
        where = {"release": release.name, "release_sha256": release.sha256, "split": split, "metrics_sha256": digest}
        append(lake, EventType.EVALUATED, facts | where)
    seal(lake)
