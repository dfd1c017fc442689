"""Whether a release may be trained on now, asked before anything is started or paid for.

Belongs here: what the terms say today, and how much there is to read. Having the files where a training reads them is
`stages.upkeep.tiers`; what a training costs is told by whoever launches it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lake.releases import Release
from lake.stores.storage import Location
from lake.zones import Lake
from lineage.terms.questions import Action
from schemas.checkpoint import MANIFEST, CheckpointManifest
from schemas.contract import Zone
from stages.permission import permitted_release


@dataclass(frozen=True)
class Clearance:
    """That the terms allow it.

    Attributes:
        release: name of the release.
        release_sha256: digest of its manifest.
        decision: digest of the decision.
    """

    release: str
    release_sha256: str
    decision: str


def cleared(lake: Lake, name: str, action: Action, models: Iterable[str] = ()) -> Clearance:
    """Ask the terms of a release, and of the models that it is done with, whether they allow an action today.

    Args:
        lake: the lake.
        name: the release.
        action: train or evaluate.
        models: the model that a training starts from, or those that are evaluated: names in this lake, or folders.

    Raises:
        lake.releases.ReleaseError: if there is no such release, or a withdrawal took it out of use.
        lineage.terms.refusal.Refusal: if they do not; the refusal is on the ledger.
    """
    release = Release.open(lake, name)
    manifests = [found for model in models if (found := _manifest(lake, model))]
    decision = permitted_release(lake, release, action, models=manifests)
    return Clearance(name, release.sha256, decision.digest)


def files_of(lake: Lake, name: str) -> Mapping[str, Mapping[str, int]]:
    """The files that a training on a release reads: table name to path to bytes."""
    return {
        table.name: {path: source.read(path, 0)[1] for path in sorted(set(index.rows["file"].unique().to_pylist()))}
        for table, source, index in Release.open(lake, name).indexes().values()
    }


def _manifest(lake: Lake, model: str) -> CheckpointManifest | None:
    """What a model says of itself; None where there is none, which whoever takes it tells."""
    location = Location(Path(model).absolute()) if "/" in model else lake.location(Zone.MODELS, model)
    return CheckpointManifest.model_validate_json(location.read_bytes(MANIFEST)) if location.exists(MANIFEST) else None
