"""What a person hands over becomes a delivery, or a refusal that says what to do."""

import datetime as dt
import io
import os
import tarfile
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lake.voxels.volumes import Volumes
from lineage.terms import terms
from lineage.terms.refusal import Refusal
from schemas.document import DocumentError
from schemas.licence import Licence
from schemas.tables import LABELS, QUARANTINE, SERIES, VOLUMES
from stages.instances import deidentify
from stages.intake.intake import IntakeError, files, ingest
from stages.labels import map_labels
from stages.received import receive
from stages.series import describe
from stages.volumes import normalize


def licence(**changes):
    facts = {"id": "l", "title": "T", "licensor": "L", "valid_from": dt.date(2020, 1, 1), "purposes": ["research"]}
    return Licence(**(facts | changes))


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "export"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "note.txt").write_text("hello")
    return folder


def known(lake, document):
    lake.licences.mkdir(parents=True, exist_ok=True)
    document.write(lake.licences / f"{document.id}.yaml")
    return terms.install(lake, document.id)


def test_a_folder_becomes_a_delivery_and_stays_as_it_was(lake, source):
    manifest = ingest(lake, source, "a", known(lake, licence()))
    assert files(lake.landing / "a") == ["sub/note.txt"]
    assert files(source) == ["sub/note.txt"]
    assert (manifest.licensor, manifest.expected_files, manifest.purpose) == ("L", 1, "research")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_becomes_a_delivery(lake, source, tmp_path, kind):
    archive = tmp_path / f"delivery.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.write(source / "sub" / "note.txt", "sub/note.txt")
    else:
        with tarfile.open(archive, "w:gz") as file:
            file.add(source / "sub", "sub")
    ingest(lake, archive, "a", known(lake, licence()))
    assert files(lake.landing / "a") == ["sub/note.txt"]


def test_an_archive_cannot_write_outside_its_folder(lake, tmp_path):
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as file:
        info = tarfile.TarInfo("../../escaped.txt")
        info.size = 1
        file.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(IntakeError, match="lead out of it"):
        ingest(lake, archive, "a", known(lake, licence()))
    assert not list(tmp_path.rglob("escaped.txt"))
    assert not (lake.landing / "a").exists()


def test_an_archive_cannot_explode(lake, tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(50_000_000))
    with pytest.raises(IntakeError, match="grows more than"):
        ingest(lake, archive, "a", known(lake, licence()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"valid_until": dt.date(2021, 1, 1)}, "valid_until"),
        ({"valid_from": dt.date(2999, 1, 1)}, "valid_from"),
        ({"deliveries": ["other-*"]}, "deliveries"),
    ],
    ids=["expired", "not yet", "another delivery"],
)
def test_a_licence_that_does_not_allow_it_refuses_and_leaves_nothing(lake, source, changes, said):
    with pytest.raises(Refusal, match=said):
        ingest(lake, source, "a", known(lake, licence(**changes)))
    assert not (lake.landing / "a").exists()


def test_a_licence_that_expired_after_intake_stops_the_next_station(lake, source):
    ingest(lake, source, "a", known(lake, licence()))
    receive(lake, "a")
    known(lake, licence(valid_until=dt.date(2021, 1, 1)))
    with pytest.raises(Refusal, match="valid_until"):
        deidentify(lake, "a")


def test_empty_missing_or_taken_is_said(lake, source, tmp_path):
    document = known(lake, licence())
    (tmp_path / "empty").mkdir()
    with pytest.raises(IntakeError, match="empty folder"):
        ingest(lake, tmp_path / "empty", "a", document)
    with pytest.raises(IntakeError, match="no such file or folder"):
        ingest(lake, tmp_path / "nowhere", "a", document)
    ingest(lake, source, "a", document)
    with pytest.raises(IntakeError, match="larmor run a"):
        ingest(lake, source, "a", document)


def test_a_delivery_without_a_manifest_or_with_a_list_that_is_not_there_is_refused(lake, source):
    with pytest.raises(DocumentError, match=r"delivery\.yaml"):
        receive(lake, "nobody")
    ingest(lake, source, "a", known(lake, licence()), reports="reports.csv")
    with pytest.raises(DocumentError, match="names a list that is not in the delivery"):
        receive(lake, "a")


def test_a_file_whose_checksum_is_another_is_held(lake, source):
    (source / "SUMS").write_text("0" * 64 + "  sub/note.txt\n")
    ingest(lake, source, "a", known(lake, licence()), checksums="SUMS")
    receive(lake, "a")
    assert [row["reason"] for row in lake.table(QUARANTINE).rows()] == ["checksum_mismatch"]


def test_a_link_out_of_the_delivery_is_held_and_not_followed(lake, source, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (source / "link").symlink_to(tmp_path / "secret")
    ingest(lake, source, "a", known(lake, licence()))
    outcome = receive(lake, "a")
    assert outcome.quarantined == 2
    assert "link" in {row["path"] for row in lake.table(QUARANTINE).rows()}


def test_nifti_images_with_labels_come_through(lake, tmp_path):
    random, folder = np.random.default_rng(0), tmp_path / "task"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    arrays = {}
    for case in ("case_1", "case_2"):
        arrays[case] = random.integers(0, 200, (9, 11, 8)).astype(np.uint8)
        nib.save(nib.Nifti1Image(arrays[case], np.diag([-1, 1, 1, 1])), folder / "images" / f"{case}.nii.gz")
        label = (arrays[case] > 100).astype(np.uint8)
        nib.save(nib.Nifti1Image(label, np.diag([-1, 1, 1, 1])), folder / "labels" / f"{case}.nii.gz")
    facts = {"deidentified": True, "contrast": "T1", "body_part": "brain"}
    facts |= {"label_task": "bright", "label_scheme": {0: "background", 1: "bright"}}
    ingest(lake, folder, "n", known(lake, licence()), **facts)
    for station in (receive, deidentify, describe, normalize, map_labels):
        station(lake, "n")
    volumes, labels = Volumes(lake), Volumes(lake, LABELS)
    assert len(volumes) == len(labels) == 2
    assert {row["subject"] for row in lake.table(VOLUMES).rows()} == {
        row["subject"] for row in lake.table(LABELS).rows()
    }
    stored = {volumes.array(v)[::-1].tobytes() for v in volumes.ids}
    assert stored == {array.tobytes() for array in arrays.values()}
    for name in labels.ids:
        np.testing.assert_array_equal(labels.array(name), volumes.array(labels.row(name)["volume"]) > 100)
    assert {(row["contrast"], row["body_part"]) for row in lake.table(SERIES).rows()} == {("T1", "brain")}


def test_nifti_without_the_licensors_word_is_refused(lake, tmp_path):
    (tmp_path / "task").mkdir()
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), tmp_path / "task" / "a.nii")
    with pytest.raises(DocumentError, match="deidentified: true"):
        ingest(lake, tmp_path / "task", "n", known(lake, licence()))


def test_names_of_any_bytes_come_through(lake, source, tmp_path):
    """Latin-1 names of an old archive are spelt out; line breaks, backslashes and the longest names stay."""
    for name in (b"caf\xe9/na\xefve.dcm", b"two\nlines.dcm", b"back\\slash #1%41.dcm", "ünï.dcm".encode(), b"x" * 255):
        file = Path(os.fsdecode(os.fsencode(source) + b"/" + name))
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"hello")
    ingest(lake, source, "a", known(lake, licence()))
    receive(lake, "a")
    paths = {row["path"] for row in lake.table(QUARANTINE).rows()}
    spelt = {"caf\\xe9/na\\xefve.dcm", "two\nlines.dcm", "back\\slash #1%41.dcm", "ünï.dcm", "x" * 255, "sub/note.txt"}
    assert paths == spelt
    assert all((lake.landing / "a" / path).is_file() for path in paths)


def test_a_name_that_no_table_can_hold_is_told_where_the_delivery_did_not_come_by_ingest(lake, source):
    ingest(lake, source, "a", known(lake, licence()))
    Path(os.fsdecode(os.fsencode(lake.landing) + b"/a/caf\xe9.dcm")).write_bytes(b"hello")
    with pytest.raises(DocumentError, match=r"no UTF-8, .* larmor ingest") as error:
        receive(lake, "a")
    assert "caf" not in str(error.value)


def stored(tmp_path, *names):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, b"Doe^Jane" * 100)
    return archive, bytearray(archive.read_bytes())


def damaged(tmp_path, fault):
    """An archive of a file `jane.dcm` that does not unpack."""
    archive, data = stored(tmp_path, "jane.dcm", "jane.dcm/x") if fault == "folder" else stored(tmp_path, "jane.dcm")
    directory = data.rfind(b"PK\1\2")
    if fault == "content":
        data[100] ^= 255
    elif fault == "encrypted":
        data[6], data[directory + 8] = 1, 1
    elif fault == "method":
        data[8], data[directory + 10] = 99, 99
    archive.write_bytes(data)
    if fault in ("ends early", "long name"):
        archive = tmp_path / "a.tar.gz"
        with tarfile.open(archive, "w:gz") as file:
            info = tarfile.TarInfo("jane" * (100 if fault == "long name" else 1))
            info.size = 100_000
            file.addfile(info, io.BytesIO(np.random.default_rng(1).bytes(info.size)))
        if fault == "ends early":
            archive.write_bytes(archive.read_bytes()[:50_000])
    return archive


@pytest.mark.parametrize("fault", ["content", "encrypted", "method", "folder", "ends early", "long name"])
def test_an_archive_that_does_not_unpack_is_refused_without_a_name_of_its_files(lake, tmp_path, fault):
    with pytest.raises(IntakeError, match="does not unpack") as error:
        ingest(lake, damaged(tmp_path, fault), "a", known(lake, licence()))
    assert "jane" not in str(error.value)
    assert not list(lake.landing.iterdir())
