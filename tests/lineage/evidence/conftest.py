"""A lake with something to show in every section of the report: made of rows, small, and only to be read."""

import shutil
from types import SimpleNamespace

import pytest

from deid.policy import load_policy
from lake.releases import Release
from lake.zones import Lake
from lineage.access import accessed
from lineage.evidence.reviews import Exceptional, review
from lineage.exposures.exposures import digest, record
from lineage.ledger.ledger import append
from lineage.ledger.seals import seal
from schemas.checkpoint import CheckpointManifest
from schemas.contract import Zone
from schemas.tables import DECISIONS, INSTANCES, RECEIVED
from stages.certificates import certify_series
from stages.export.export import export
from stages.second_look.residual import Residue, keep
from tests import synthetic

PEOPLE = {"a": ["S1", "S2"], "b": ["S3", "S4"]}


def _delivered(lake, delivery, policy):
    """What the stations of a delivery record, and certificates of its series."""
    rows = lake.table(RECEIVED).rows(["delivery", "outcome", "licence"])
    outcomes = [row["outcome"] for row in rows if row["delivery"] == delivery]
    known = {"licence": "open-licence", "licence_sha256": synthetic.licence().digest}
    counts = {"received": len(outcomes), "kept": outcomes.count("kept"), "duplicates": 0}
    append(lake, "received", {"delivery": delivery, "quarantined": outcomes.count("quarantined"), **known, **counts})
    for table in (INSTANCES, DECISIONS):
        own = [row for row in lake.table(table).rows([c.name for c in table.columns]) if row["delivery"] == delivery]
        synthetic.put(lake, table, delivery, [row | {"policy": policy} for row in own])
    cleaned = {"delivery": delivery, "policy_sha256": policy, "kept": 4, "duplicates": 0, "quarantined": 0}
    append(lake, "deidentified", cleaned | {"received": 4, "canaries_planted": 112, "canaries_removed": 112})
    keep(lake, delivery, Residue(7, 100, {}, ()))
    certify_series(lake, delivery)
    append(lake, "materialized", {"table": "curated/volumes", "delivery": delivery, "kept": 4, "quarantined": 0})


def _trained(lake, release):
    members = release.members("train")
    served = {member.volume: 3 for member in members}
    manifest = CheckpointManifest(
        name="base", kind="pretrained", task="masked", weights_sha256="b" * 64, config_sha256="d" * 64,
        release=release.name, release_sha256=release.sha256, exposure_sha256=digest(served), steps=12, world_size=2,
        code_version="0.1.0", created="2026-02-01T00:00:00Z",
    )  # fmt: skip
    record(lake, manifest, served, members)
    said = {name: getattr(manifest, name) for name in ("release", "release_sha256", "weights_sha256", "kind", "task")}
    append(lake, "trained", {"model": "base", "exposure_sha256": manifest.exposure_sha256, **said})
    folder = lake.location(Zone.MODELS, "base")
    folder.write_bytes("manifest.json", manifest.model_dump_json().encode())
    folder.write_bytes("metrics.json", b'{"loss": 0.125}')


@pytest.fixture(scope="session")
def evident_root(tmp_path_factory):
    """Where that lake lies; not to be written."""
    folder = tmp_path_factory.mktemp("evident")
    lake = Lake.open(folder / "lake", principal="officer", workers=1)
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, PEOPLE, contrasts=("T1", "T2"))
    synthetic.land(lake, PEOPLE)
    policy = load_policy("safe_harbor").digest
    for delivery in PEOPLE:
        _delivered(lake, delivery, policy)
    release = synthetic.frozen(lake)
    export(lake, "cohort", folder / "out", splits=("train",))
    _trained(lake, release)
    opened = {"action": "evaluate", "target": "cohort", "release": "cohort", "split": "test", "rows": 2}
    append(lake, "accessed", opened | {"purpose": "research"})
    accessed(lake, "read", "curated/volumes", 3, "research")
    review(lake, "review", exceptions=[Exceptional.parse("3:unexplained-count")], reference="QA-17")
    seal(lake)
    return lake.settings.root


@pytest.fixture
def evident(evident_root, tmp_path):
    """A copy of it, to write to."""
    shutil.copytree(evident_root, tmp_path / "lake")
    return Lake.open(tmp_path / "lake", principal="officer", workers=1)


@pytest.fixture
def persons(evident):
    """Subjects of its release by split."""
    release = Release.open(evident, "cohort")
    splits = ("train", "validation", "test")
    return SimpleNamespace(**{s: sorted({m.subject for m in release.members(s, sealed_ok=True)}) for s in splits})
