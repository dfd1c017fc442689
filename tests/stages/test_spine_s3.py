"""A delivery goes through every station, is frozen and proved with all zones in a bucket, as it does in folders."""

import pytest

from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.releases import Release
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from lineage.evidence import report
from lineage.ledger import seals, verify
from lineage.terms import terms
from orchestration.demo import licence as phantom_licence
from schemas.contract import Zone
from schemas.release import ReleaseSpec
from schemas.tables import INSTANCES, RECEIVED, SERIES, VOLUMES
from stages.instances import deidentify
from stages.received import receive
from stages.release import freeze
from stages.second_look.surroundings import scan_around
from stages.series import describe
from stages.volumes import normalize

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("no_faces")]

NAME = "phantom-s3"


@pytest.fixture
def far(tmp_path, faults):
    """A lake whose zones and landing all lie in the bucket, with a small delivery landed."""
    zones = {name: f"s3://lake/{name}" for name in ("restricted", "curated", "audit", "models", "landing")}
    lake = Lake.open(tmp_path / "lake", workers=1, **zones)
    config = PhantomConfig(NAME, seed=5, subjects=2, matrix=24, slices=8, body_parts=(BodyPart.HEAD,))
    generate(tmp_path / NAME, tmp_path / "answers", config)
    for path in sorted((tmp_path / NAME).rglob("*")):
        if path.is_file():
            lake.landed(NAME).write_bytes(path.relative_to(tmp_path / NAME).as_posix(), path.read_bytes())
    lake.licences.mkdir(parents=True)
    phantom_licence().write(lake.licences / "phantom-licence.yaml")
    terms.install(lake, "phantom-licence")
    return lake


def test_a_delivery_becomes_a_release_on_s3_and_every_step_is_proved(far, faults, tmp_path):
    faults.add("throttled", "PUT", times=3)
    faults.add("failed", "GET", times=3)
    faults.add("lost", "PUT", "_delta_log", times=3)
    received = receive(far, NAME)
    deidentify(far, NAME)
    normalize(far, NAME)
    describe(far, NAME)
    assert received.kept == far.table(RECEIVED).read(["outcome"])["outcome"].to_pylist().count("kept")
    volumes = Volumes(far)
    assert len(volumes) == far.table(VOLUMES).read(["volume"]).num_rows > 0
    assert far.table(SERIES).rows()
    assert far.table(INSTANCES).version() == 1, "a commit whose answer was lost was made twice"
    assert volumes.array(volumes.ids[0]).size
    frozen = freeze(far, ReleaseSpec(name="small"))
    release = Release.open(far, "small")
    assert release.sha256 == frozen.sha256
    member = release.members("train")[0]
    assert (release.volumes().array(member.volume) == volumes.array(member.volume)).all()
    assert "volumes.index" in far.location(Zone.CURATED, "releases", "small").list()
    seals.seal(far)
    verdict = verify.verify(far)
    assert verdict.ok, verdict.first
    assert not verdict.leftovers
    assert verify.verify("s3://lake/audit").entries == verdict.entries
    assert report.write(far) == "s3://lake/audit/reports/audit.html"
    assert b"<!doctype html>" in far.location(Zone.AUDIT, "reports").read_bytes("audit.html")[:20]
    scan_around(far, NAME)
    assert not [path for path in (tmp_path / "lake").rglob("*") if path.name in ("restricted", "curated", "audit")]
    assert {"throttled", "failed", "lost"} <= set(faults.met)
