"""Deliveries that lie in a bucket, or come from one, are what they would be in a folder."""

import pytest

from lake.stores.storage import Location
from lake.zones import Lake
from schemas.document import DocumentError
from schemas.tables import INSTANCES, QUARANTINE, RECEIVED, VOLUMES
from stages.instances import deidentify
from stages.intake.arrival import Arrival, IntakeError
from stages.intake.intake import ingest
from stages.intake.landed import delivered, manifest_of, names
from stages.received import receive
from stages.series import describe
from stages.upkeep.reconcile import balance, completeness, volume_balance
from stages.volumes import normalize
from tests.stages.intake.test_intake import known, licence
from tests.stages.intake.test_receiver import eventually, listening, send
from tests.stages.test_incremental import no_canaries, originals  # noqa: F401

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("bucket", "no_faces", "no_canaries")]


@pytest.fixture
def export(tmp_path, originals):  # noqa: F811
    """A folder as a licensor exports it: images, and something that nobody asked for."""
    folder = tmp_path / "export"
    (folder / "sub").mkdir(parents=True)
    for number, data in enumerate(originals.values()):
        (folder / "sub" / f"{number}.dcm").write_bytes(data)
    (folder / "note.txt").write_text("hello")
    return folder


@pytest.fixture
def far(tmp_path):
    """A lake whose deliveries land in a bucket."""
    lake = Lake.open(tmp_path / "far", landing="s3://lake/landing", workers=1)
    known(lake, licence())
    return lake


@pytest.fixture
def near(tmp_path):
    """A lake whose deliveries land in a folder."""
    lake = Lake.open(tmp_path / "near", workers=1)
    known(lake, licence())
    return lake


def made(lake):
    for station in (receive, deidentify, normalize, describe):
        station(lake, "a")
    assert balance(lake, "a").balanced
    assert volume_balance(lake, "a").balanced
    found = completeness(lake, "a")
    rows = lake.table(RECEIVED).rows(["path", "sha256", "version", "content", "outcome"])
    counts = [len(lake.table(table).rows(["delivery"])) for table in (INSTANCES, VOLUMES, QUARANTINE)]
    return found, sorted(map(str, rows)), counts


def test_a_delivery_that_landed_in_a_bucket_gives_what_it_gives_in_a_folder(near, far, export):
    for lake in (near, far):
        ingest(lake, export, "a", licence())
    assert delivered(far, "a") == delivered(near, "a")
    assert names(far) == ["a"]
    assert made(far) == made(near)
    with pytest.raises(IntakeError, match="larmor run a"):
        ingest(far, export, "a", licence())


def test_a_delivery_without_its_manifest_is_none_yet_and_goes_on_where_it_was(far, export, monkeypatch):
    copied, copy = [], Arrival.copy

    def stopping(self, path, origin):
        if len(copied) == 3:
            raise KeyboardInterrupt
        copied.append(path)
        copy(self, path, origin)

    with monkeypatch.context() as patch:
        patch.setattr(Arrival, "copy", stopping)
        with pytest.raises(KeyboardInterrupt):
            ingest(far, export, "a", licence())
    assert names(far) == []
    with pytest.raises(DocumentError, match=r"delivery\.yaml"):
        manifest_of(far, "a")
    again = []
    monkeypatch.setattr(Arrival, "copy", lambda self, path, origin: (again.append(path), copy(self, path, origin)))
    manifest = ingest(far, export, "a", licence())
    assert set(again).isdisjoint(copied)
    assert manifest_of(far, "a") == manifest
    assert manifest.expected_files == len(delivered(far, "a")) == len(again) + 3


def test_a_prefix_of_a_bucket_is_ingested_into_a_folder(near, export, bucket):
    for path in export.rglob("*"):
        if path.is_file():
            bucket.upload_file(str(path), "lake", f"partner/march/{path.relative_to(export).as_posix()}")
    manifest = ingest(near, "s3://lake/partner/march", "a", licence())
    assert delivered(near, "a") == sorted(p.relative_to(export).as_posix() for p in export.rglob("*") if p.is_file())
    assert manifest.expected_files == len(delivered(near, "a"))
    for path in delivered(near, "a"):
        assert (near.landing / "a" / path).read_bytes() == (export / path).read_bytes()
    assert not list(near.landing.rglob("*.tmp"))
    with pytest.raises(IntakeError, match="empty folder or prefix"):
        ingest(near, "s3://lake/partner/april", "b", licence())
    assert names(near) == ["a"]


def test_a_manifest_in_the_bucket_is_kept_but_for_name_and_licence(near, far, export):
    (export / "delivery.yaml").write_text(
        "name: theirs\nlicensor: L\nlicence: theirs\nreceived: 2026-01-05\nexpected_files: 99\ncontact: mail@box\n"
    )
    for lake in (near, far):
        manifest = ingest(lake, export, "a", licence())
        assert (manifest.name, manifest.licence, manifest.contact) == ("a", "l", "mail@box")
        assert (str(manifest.received), manifest.expected_files) == ("2026-01-05", 99)
        assert manifest_of(lake, "a") == manifest


def test_nifti_wants_a_landing_in_a_folder(far, tmp_path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "a.nii").write_bytes(b"nifti")
    with pytest.raises(IntakeError, match="needed landing in a folder"):
        ingest(far, tmp_path / "task", "n", licence(), deidentified=True)


def test_what_is_sent_lands_in_a_bucket_too(far, originals):  # noqa: F811
    files = list(originals.values())
    Location("s3://lake/landing/sent-20260101-000000-1").write_bytes("left.dcm", files[0])
    with listening(far) as port:
        assert send(port, files[:3]) == [0, 0, 0]
        eventually(lambda: len(names(far)) == 2)
    assert sorted(len(delivered(far, name)) for name in names(far)) == [1, 3]
