"""A delivery of every kind of object comes through: each is kept, set aside or held, and none is lost or leaks."""

import datetime as dt
import io

import pydicom
import pytest
from pydicom.fileset import FileSet

from lake.zones import Lake
from lineage.terms.refusal import Refusal
from schemas.delivery import Delivery
from schemas.reasons import Reason
from schemas.tables import DECISIONS, INSTANCES, QUARANTINE, RECEIVED, REPORTS, SERIES, VOLUMES
from stages.export.export import export
from stages.export.target import ExportError
from stages.instances import deidentify
from stages.intake.sniff import sniff
from stages.received import receive
from stages.reports import write_reports
from stages.second_look.residual import scan, scan_reports
from stages.series import describe
from stages.upkeep.reconcile import balance, volume_balance
from stages.volumes import normalize
from tests import synthetic
from tests.documents import DOCUMENTS, OBJECTS
from tests.encodings import directory, encoded
from tests.objects import ROOT, Identity, encapsulated_pdf, mr_image

NAME, SLICES = "objects", 6
ALONE = ("capture", "captures", "segmentation fractional", "spectroscopy", "segmentation", "structure set",
         "presentation state", *DOCUMENTS)  # fmt: skip


def stack(who):
    """An MR series of a few slices."""
    for number in range(SLICES):
        ds = mr_image(who)
        ds.SOPInstanceUID, ds.InstanceNumber = f"{ROOT}.3.1{f'.{number}' if number else ''}", number + 1
        ds.ImagePositionPatient = [0, 0, number]
        yield ds


@pytest.fixture(scope="module")
def treated(tmp_path_factory):
    """A lake through whose stations the delivery went."""
    lake = Lake.open(tmp_path_factory.mktemp("objects") / "lake", workers=1)
    folder, who = lake.landing / NAME, Identity()
    folder.mkdir(parents=True)
    files = [encoded(ds) for ds in stack(who)] + [encoded(OBJECTS[kind](who)) for kind in ALONE]
    for number, data in enumerate(files):
        (folder / f"{number:03}.dcm").write_bytes(data)
    (folder / "letter.dcm").write_bytes(encoded(encapsulated_pdf(who)))
    (folder / "DICOMDIR").write_bytes(directory(tmp_path_factory.mktemp("media"), files))
    lake.licences.mkdir(parents=True)
    synthetic.know(lake, synthetic.licence())
    manifest = Delivery(
        name=NAME, licensor="Hospital Consortium", licence="open-licence", received=dt.date(2024, 1, 2)
    )  # fmt: skip
    manifest.write(folder / "delivery.yaml")
    receive(lake, NAME)
    deidentify(lake, NAME)
    for station in (describe, normalize, write_reports):
        station(lake, NAME)
    return lake


def test_every_object_is_kept_set_aside_or_held_for_its_reason(treated):
    held = treated.table(QUARANTINE).rows(["reason", "stage"], {"delivery": NAME})
    assert [(row["reason"], row["stage"]) for row in held] == [(str(Reason.DOCUMENT_NOT_CLEANABLE), "received")]
    received = treated.table(RECEIVED).rows(["content", "outcome"], {"delivery": NAME})
    assert [row["outcome"] for row in received if row["content"] == "directory"] == ["kept"]
    sheet = balance(treated, NAME)
    assert sheet.balanced
    assert (sheet.received, sheet.kept, sheet.quarantined) == (SLICES + len(ALONE) + 2, SLICES + len(ALONE) + 1, 1)


def test_objects_that_are_no_images_are_instances_and_neither_series_nor_errors(treated):
    assert len(treated.table(INSTANCES).rows(["instance"], {"delivery": NAME})) == SLICES + len(ALONE)
    assert [row["instances"] for row in treated.table(SERIES).rows(["instances"], {"delivery": NAME})] == [SLICES]
    assert len(treated.table(VOLUMES).rows(["volume"], {"delivery": NAME})) == 1
    assert volume_balance(treated, NAME).balanced


def test_text_of_structured_reports_becomes_rows_of_reports(treated):
    rows = treated.table(REPORTS).rows(["source", "text", "removed"], {"delivery": NAME})
    told = [row for row in rows if row["source"] == "structured"]
    assert len(told) == 3
    for row in told:
        assert "Finding: Enlarged ventricles without signs of acute infarction." in row["text"]
        assert row["removed"] > 0
    assert sum(": 12.5 cm3" in row["text"] for row in told) == 2


def test_no_planted_identifier_is_found_in_what_leaves(treated):
    tokens = [token.lower() for token in Identity().tokens()]
    for table in (INSTANCES, SERIES, REPORTS, DECISIONS):
        for row in treated.table(table).rows([c.name for c in table.columns], {"delivery": NAME}):
            for value in row.values():
                text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                assert not [token for token in tokens if token in text.lower()], table.name
    assert not scan(treated, NAME).findings
    assert not scan_reports(treated, NAME).findings


def test_a_dicom_export_has_a_directory_of_its_own_and_the_files_of_the_lake(treated, tmp_path):
    synthetic.frozen(treated, splits=(1.0, 0.0, 0.0), labels=False)
    made = export(treated, "cohort", tmp_path / "out", form="dicom")
    files = FileSet(tmp_path / "out" / "DICOMDIR")
    assert len(files) == SLICES
    lake = {r["instance"]: r["dicom"] for r in treated.table(INSTANCES).rows(["instance", "dicom"], {"delivery": NAME})}
    for entry in files:
        with open(entry.path, "rb") as file:
            assert file.read() == lake[entry.SOPInstanceUID]
    content = b"".join(p.read_bytes() for p in sorted((tmp_path / "out").rglob("*")) if p.is_file()).lower()
    assert not [token for token in Identity().tokens() if token.lower().encode() in content]
    assert (made.volumes, made.labels) == (1, 0)
    again = export(treated, "cohort", tmp_path / "again", form="dicom")
    assert again.sha256 == made.sha256


def test_an_export_of_files_that_were_treated_anew_says_so_and_writes_nothing(treated, tmp_path, monkeypatch):
    synthetic.frozen(treated, "later", splits=(1.0, 0.0, 0.0), labels=False)
    monkeypatch.setattr("stages.export.media.instances", lambda *_: iter(()))
    with pytest.raises(ExportError, match="freeze a new release"):
        export(treated, "later", tmp_path / "out", form="dicom")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", OBJECTS)
def test_every_kind_is_recognized_on_arrival(kind):
    found = sniff(encoded(OBJECTS[kind](Identity())), "IM0001")
    assert (found.content, found.reason) == ("dicom", None)
    assert ("name", Identity().name) in found.identifiers


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_that_ends_early_is_truncated(kind):
    data = encoded(OBJECTS[kind](Identity()))
    assert sniff(data[:-5], "IM0001").reason in {Reason.TRUNCATED, Reason.HEADER_INVALID}


def test_an_old_directory_names_nobody_in_a_new_one(treated, tmp_path):
    synthetic.frozen(treated, "third", splits=(1.0, 0.0, 0.0), labels=False)
    export(treated, "third", tmp_path / "out", form="dicom")
    directory_ = pydicom.dcmread(io.BytesIO((tmp_path / "out" / "DICOMDIR").read_bytes()))
    names = {str(r.PatientName) for r in directory_.DirectoryRecordSequence if r.DirectoryRecordType == "PATIENT"}
    assert len(names) == 1
    assert not {part for part in Identity().name.split("^") if part in "".join(names)}


def test_terms_are_asked_for_dicom_too(treated, tmp_path):
    synthetic.frozen(treated, "fourth", splits=(1.0, 0.0, 0.0), labels=False)
    with pytest.raises(Refusal):
        export(treated, "fourth", tmp_path / "out", form="dicom", purpose="advertising")
