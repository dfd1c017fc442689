"""Deliveries that lie in a bucket, or come from one, are what they would be in a folder."""

import hashlib

import nibabel as nib
import numpy as np
import pytest

from lake.stores.aws import CredentialsRefused
from lake.stores.storage import Location
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.document import DocumentError
from schemas.tables import INSTANCES, LABELS, QUARANTINE, RECEIVED, SERIES, VOLUMES
from stages.instances import deidentify
from stages.intake.arrival import Arrival, IntakeError
from stages.intake.intake import ingest
from stages.intake.landed import delivered, manifest_of, names
from stages.labels import map_labels
from stages.received import receive
from stages.series import describe
from stages.upkeep.reconcile import balance, completeness, volume_balance
from stages.volumes import normalize
from tests.s3 import proxied
from tests.stages.export.test_bids_back import others_dataset
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


def decathlon(folder):
    """Images and label maps of the same names, beside one another."""
    random = np.random.default_rng(0)
    for case in ("case_1", "case_2"):
        array = random.integers(0, 200, (9, 11, 8)).astype(np.uint8)
        for name, values in (("images", array), ("labels", (array > 100).astype(np.uint8))):
            (folder / name).mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(values, np.diag([-1, 1, 1, 1])), folder / name / f"{case}.nii.gz")
    return {"label_task": "bright", "label_scheme": {0: "background", 1: "bright"}, "body_part": "brain"}


def bids(folder):
    """Sidecars that are inherited, gradients, ages, and a label map that its sidecar says the image of."""
    others_dataset(folder)
    image = "sub-01/ses-pre/anat/sub-01_ses-pre_T1w.nii.gz"
    label = folder / "derivatives/labels/sub-01/sub-01_ses-pre_dseg.nii.gz"
    label.parent.mkdir(parents=True)
    of = nib.load(folder / image)
    nib.save(nib.Nifti1Image((np.asarray(of.dataobj) > 20).astype(np.uint8), of.affine), label)
    label.with_name("sub-01_ses-pre_dseg.json").write_text(f'{{"Sources": ["bids::{image}"]}}')
    label.with_name("sub-01_ses-pre_dseg.tsv").write_text("index\tname\n0\tbackground\n1\ttissue\n")
    return {}


def told(lake):
    """What the curated zone says of a delivery, but for codes that each lake draws anew."""
    volumes, labels = Volumes(lake), Volumes(lake, LABELS)
    arrays = [hashlib.sha256(of.array(name).tobytes()).hexdigest() for of in (volumes, labels) for name in of.ids]
    kept = ("contrast", "body_part", "age", "sex", "echo_time", "manufacturer", "kind", "bvals", "bvecs", "times",
            "slice_times", "task", "scheme", "provenance")  # fmt: skip
    rows = [row for table in (SERIES, VOLUMES, LABELS) for row in lake.table(table).rows()]
    return sorted(arrays), sorted(repr([row.get(name) for name in kept]) for row in rows)


@pytest.mark.parametrize(("dataset", "maps"), [(decathlon, 2), (bids, 1)])
def test_nifti_that_landed_in_a_bucket_gives_what_it_gives_in_a_folder(near, far, tmp_path, dataset, maps):
    facts = dataset(tmp_path / "task")
    for lake in (near, far):
        ingest(lake, tmp_path / "task", "n", licence(), deidentified=True, **facts)
        for station in (receive, deidentify, describe, normalize, map_labels):
            station(lake, "n")
        assert len(Volumes(lake, LABELS)) == maps
        assert not lake.table(QUARANTINE).exists() or lake.table(QUARANTINE).rows() == []
    assert delivered(far, "n") == delivered(near, "n")
    assert told(far) == told(near)


def test_nifti_goes_on_through_what_a_store_does_wrong(far, tmp_path, store, monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    with proxied(store) as faults, monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", faults.address)
        faults.add("throttled", "PUT", "images", times=2)
        faults.add("lost", "PUT", "labels.csv", times=1)
        ingest(far, tmp_path / "task", "n", licence(), deidentified=True, **decathlon(tmp_path / "task"))
        faults.add("failed", "GET", "labels", times=2)
        faults.add("cut", "GET", "images", times=2)
        for station in (receive, deidentify, describe, normalize, map_labels):
            station(far, "n")
        assert {"throttled", "lost", "failed", "cut"} <= set(faults.met)
        assert len(Volumes(far, LABELS)) == 2
        faults.add("expired", "GET", "landing")
        with pytest.raises(CredentialsRefused, match="expired AWS credentials"):
            receive(far, "n")
    receive(far, "n")


def test_what_is_sent_lands_in_a_bucket_too(far, originals):  # noqa: F811
    files = list(originals.values())
    Location("s3://lake/landing/sent-20260101-000000-1").write_bytes("left.dcm", files[0])
    with listening(far) as port:
        assert send(port, files[:3]) == [0, 0, 0]
        eventually(lambda: len(names(far)) == 2)
    assert sorted(len(delivered(far, name)) for name in names(far)) == [1, 3]
