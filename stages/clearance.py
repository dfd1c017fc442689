"""Whether a release may be trained on now, asked before anything is started or paid for.

Belongs here: what the terms say today, and how much there is to read. Having the files where a training reads them is
`stages.upkeep.tiers`; what a training costs is told by whoever launches it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lake.releases import Release
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


def cleared(lake: Lake, name: str, action: Action, parent: str | None = None) -> Clearance:
    """Ask the terms of a release, and of the model that a training starts from, whether they allow an action today.

    Args:
        lake: the lake.
        name: the release.
        action: train or evaluate.
        parent: name of a model of this lake; None: there is none.

    Raises:
        lake.releases.ReleaseError: if there is no such release, or a withdrawal took it out of use.
        lineage.terms.refusal.Refusal: if they do not; the refusal is on the ledger.
    """
    release = Release.open(lake, name)
    decision = permitted_release(lake, release, action, parent=_manifest(lake, parent) if parent else None)
    return Clearance(name, release.sha256, decision.digest)


def files_of(lake: Lake, name: str) -> Mapping[str, Mapping[str, int]]:
    """The files that a training on a release reads: table name to path to bytes."""
    return {
        table.name: {path: source.read(path, 0)[1] for path in sorted(set(index.rows["file"].unique().to_pylist()))}
        for table, source, index in Release.open(lake, name).indexes().values()
    }


def _manifest(lake: Lake, model: str) -> CheckpointManifest | None:
    """What a model says of itself; None where it is not in the zone, which whoever starts from it tells."""
    location = lake.location(Zone.MODELS, model)
    return CheckpointManifest.model_validate_json(location.read_bytes(MANIFEST)) if location.exists(MANIFEST) else None
