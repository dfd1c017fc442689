"""Objects of every kind and encoding: nothing planted leaves, they stay valid, and they still point to each other."""

import io
import shutil
import subprocess
from collections import Counter

import pydicom
import pytest

from deid.headers import objects
from deid.headers.elements import parse
from deid.refusals import Refused
from deid.text.identifiers import Identifiers, gather
from schemas.reasons import Reason
from tests.documents import DOCUMENTS, FINDING, OBJECTS, report
from tests.encodings import COMPRESSED, PLAIN, directory, encoded
from tests.objects import (
    IMAGES,
    ROOT,
    Identity,
    begun,
    code,
    encapsulated_pdf,
    segmentation,
    spectroscopy,
    structures,
)

POLICIES = ("safe_harbor", "expert_determination", "limited_data_set")
ENCODED = [(kind, syntax) for kind in OBJECTS for syntax in PLAIN] + [(k, s) for k in IMAGES for s in COMPRESSED]


@pytest.fixture
def cleaned(deidentifiers, subject):
    """A cleaned object as pydicom reads it, and its bytes."""

    def clean(dataset, syntax=PLAIN["explicit"], policy="safe_harbor", preamble=bytes(128)):
        data = encoded(dataset, syntax, preamble)
        known = Identifiers.of(gather(parse(data, pixels=False).dataset))
        out = deidentifiers[policy].clean(data, subject, known).data
        return pydicom.dcmread(io.BytesIO(out)), out

    return clean


def bytes_of(data):
    """What can be searched: the file, and what it says in two-byte characters."""
    return data.lower(), data.replace(b"\0", b"").lower()


@pytest.mark.parametrize(("kind", "syntax"), ENCODED)
def test_no_planted_identifier_leaves_in_any_encoding(cleaned, kind, syntax):
    who = Identity()
    preamble = who.name.encode().ljust(128, b" ")
    _, data = cleaned(OBJECTS[kind](who), {**PLAIN, **COMPRESSED}[syntax], preamble=preamble)
    searched = bytes_of(data)
    assert not [token for token in who.tokens() if any(token.lower().encode() in text for text in searched)]
    assert ROOT.encode() not in data


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", OBJECTS)
def test_no_planted_identifier_leaves_by_any_policy(cleaned, kind, policy):
    _, data = cleaned(OBJECTS[kind](Identity()), policy=policy)
    assert not [token for token in Identity().tokens() if token.lower().encode() in data.lower()]


@pytest.mark.parametrize("kind", OBJECTS)
def test_every_uncompressed_encoding_gives_the_same_object(cleaned, kind):
    outputs = {cleaned(OBJECTS[kind](Identity()), syntax)[1] for syntax in PLAIN.values()}
    assert len(outputs) == 1


@pytest.mark.parametrize("kind", OBJECTS)
def test_no_private_and_no_unknown_element_leaves_from_any_depth(cleaned, kind):
    dataset, _ = cleaned(OBJECTS[kind](Identity()))
    for element in dataset.iterall():
        assert not element.tag.is_private
        assert element.keyword


@pytest.mark.parametrize(("kind", "syntax"), [(k, s) for k in IMAGES for s in COMPRESSED])
def test_pixels_are_the_same_after_cleaning(cleaned, kind, syntax):
    before = encoded(OBJECTS[kind](Identity()), COMPRESSED[syntax])
    after, _ = cleaned(OBJECTS[kind](Identity()), COMPRESSED[syntax])
    assert after.file_meta.TransferSyntaxUID == COMPRESSED[syntax]
    assert (after.pixel_array == pydicom.dcmread(io.BytesIO(before)).pixel_array).all()


@pytest.mark.parametrize("make", [segmentation, spectroscopy], ids=lambda make: make.__name__)
def test_bulk_data_is_the_same_and_nothing_stands_behind_it(cleaned, make):
    keyword = "SpectroscopyData" if make is spectroscopy else "PixelData"
    before, hidden = make(Identity()), make(Identity())
    hidden[keyword].value = before[keyword].value + b"QUACKENBUSH "
    for dataset in (before, hidden):
        after, data = cleaned(dataset)
        assert after[keyword].value == before[keyword].value
        assert b"QUACKENBUSH" not in data


def test_spectra_that_are_shorter_than_the_header_says_are_refused(cleaned):
    dataset = spectroscopy(Identity())
    dataset.DataPointColumns = 17
    with pytest.raises(Refused, match="pixels_invalid"):
        cleaned(dataset)


def test_references_between_objects_still_point_to_each_other(cleaned):
    out = {kind: cleaned(make(Identity()))[0] for kind, make in OBJECTS.items()}
    image = out["image"]
    assert len({dataset.StudyInstanceUID for dataset in out.values()}) == 1
    series = out["segmentation"].ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    group = out["segmentation"].PerFrameFunctionalGroupsSequence[0]
    source = group.DerivationImageSequence[0].SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == image.SOPInstanceUID
    shown = out["presentation state"].ReferencedSeriesSequence[0]
    assert shown.SeriesInstanceUID == image.SeriesInstanceUID
    assert shown.ReferencedImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    frame = out["structure set"].ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert out["structure set"].StructureSetROISequence[0].ReferencedFrameOfReferenceUID == image.FrameOfReferenceUID
    outlined = frame.RTReferencedStudySequence[0]
    assert outlined.ReferencedSOPInstanceUID == image.StudyInstanceUID
    assert outlined.RTReferencedSeriesSequence[0].SeriesInstanceUID == image.SeriesInstanceUID
    for kind in DOCUMENTS:
        known = out[kind].CurrentRequestedProcedureEvidenceSequence[0]
        assert known.StudyInstanceUID == image.StudyInstanceUID
        said = known.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
        assert said.ReferencedSOPInstanceUID == image.SOPInstanceUID
        items = [i for i in walked(out[kind]) if i.ValueType == "IMAGE"]
        assert items
        assert {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in items} == {image.SOPInstanceUID}


def walked(dataset):
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from walked(item)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_tree_of_a_report_keeps_every_item_in_its_place(cleaned, kind):
    before = list(walked(OBJECTS[kind](Identity())))
    after = list(walked(cleaned(OBJECTS[kind](Identity()))[0]))
    assert [(i.ValueType, i.RelationshipType) for i in after] == [(i.ValueType, i.RelationshipType) for i in before]
    assert ["ConceptNameCodeSequence" in i for i in after] == ["ConceptNameCodeSequence" in i for i in before]


def test_a_report_keeps_findings_numbers_and_public_concepts(cleaned):
    out, _ = cleaned(report(Identity(), "88.33", 12))
    items = list(walked(out))
    texts = [i.TextValue for i in items if i.ValueType == "TEXT"]
    finding = next(t for t in texts if t.startswith(FINDING))
    assert "[NAME]" in finding
    assert "[DATE]" in finding
    volume = next(i for i in items if i.ValueType == "NUM" and i.ConceptNameCodeSequence[0].CodeValue == "118565006")
    assert volume.MeasuredValueSequence[0].NumericValue == 12.5
    assert volume.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "cm3"
    point = next(i for i in items if i.ValueType == "SCOORD")
    assert point.GraphicData == [3.0, 4.0]
    private = [c for i in items for c in i.get("ConceptNameCodeSequence", []) if c.CodingSchemeDesignator == "99LARMOR"]
    assert [c.CodeMeaning for c in private] == ["Removed"]


@pytest.mark.parametrize("policy", POLICIES)
def test_items_that_say_who_somebody_is_lose_it_whatever_it_looks_like(cleaned, policy):
    out, _ = cleaned(report(Identity(patient_id="FLAIR", station="TSE"), "88.33", 12), policy=policy)
    by_concept = {i.ConceptNameCodeSequence[0].CodeValue: i for i in walked(out) if "ConceptNameCodeSequence" in i}
    assert {by_concept[c].TextValue for c in ("121009", "121013", "121016", "121030")} == {"removed"}
    assert {str(by_concept[c].PersonName) for c in ("121008", "121029")} == {"REMOVED"}
    assert by_concept["121031"].Date == "19000101"
    assert by_concept["121033"].MeasuredValueSequence[0].NumericValue == 90
    assert out.VerifyingObserverSequence[0].VerifyingObserverName == "REMOVED"
    assert "AuthorObserverSequence" not in out


def test_what_is_written_over_an_image_does_not_leave(cleaned):
    out, _ = cleaned(OBJECTS["presentation state"](Identity()))
    assert "GraphicAnnotationSequence" not in out
    assert "GraphicLayerSequence" not in out
    assert out.DisplayedAreaSelectionSequence[0].PresentationSizeMode == "SCALE TO FIT"
    assert out.SoftcopyVOILUTSequence[0].WindowWidth == 200


def test_outlines_and_segments_keep_what_research_needs(cleaned):
    structures, _ = cleaned(OBJECTS["structure set"](Identity()))
    assert structures.StructureSetROISequence[0].ROIName == "brain"
    assert structures.ROIContourSequence[0].ContourSequence[0].ContourData == [0, 0, 0, 4, 0, 0, 0, 4, 0]
    segment = cleaned(segmentation(Identity()))[0].SegmentSequence[0]
    assert segment.SegmentLabel == "REMOVED"
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Removed"


@pytest.mark.filterwarnings("ignore:The value for the data element")
def test_outlines_longer_than_a_short_element_leave_whole(cleaned):
    dataset = structures(Identity())
    points = [round(k / 7, 6) for k in range(12_000)]
    dataset.ROIContourSequence[0].ContourSequence[0].ContourData = points
    out, _ = cleaned(dataset, PLAIN["implicit"])
    outline = out.ROIContourSequence[0].ContourSequence[0]["ContourData"]
    assert outline.VR == "UN"  # what the standard asks for where DS has no room for the length
    assert [float(x) for x in outline.value.split(b"\\")] == points


def test_identifiers_of_report_items_are_known_to_the_second_look():
    who = Identity()
    found = gather(parse(encoded(report(who, "88.33", 12))).dataset)
    assert ("id", who.patient_id) in found
    assert ("other", who.serial) in found
    assert ("institution", who.institution) in found
    assert ("clinician", who.clinician) in found
    assert ("birth", who.birth_date) in found


@pytest.mark.parametrize(
    ("sop_class", "modality", "reason"),
    [
        ("104.1", "DOC", Reason.DOCUMENT_NOT_CLEANABLE),
        ("104.2", "DOC", Reason.DOCUMENT_NOT_CLEANABLE),
        ("66", "MR", Reason.NOT_AN_IMAGE),
        ("88.33", "MR", Reason.NOT_MR),
        ("66.4", "MR", Reason.NOT_MR),
        ("7", "US", Reason.NOT_MR),
        ("4", "CT", Reason.NOT_MR),
        ("4.3", "MR", Reason.UNSUPPORTED),
        ("7", "OT", Reason.PIXELS_INVALID),
    ],
)
def test_what_may_not_pass_is_refused_with_its_reason(cleaned, sop_class, modality, reason):
    with pytest.raises(Refused) as refused:
        cleaned(begun(Identity(), sop_class, modality, 1))
    assert refused.value.reason is reason


def test_a_document_whose_text_cannot_be_cleaned_is_refused(cleaned):
    with pytest.raises(Refused, match="document_not_cleanable"):
        cleaned(encapsulated_pdf(Identity()))


def test_a_directory_is_told_apart_from_objects(tmp_path):
    image, text = (encoded(OBJECTS[kind](Identity())) for kind in ("image", "comprehensive report"))
    for data, expected in ((directory(tmp_path, [image, text]), True), (image, False)):
        assert objects.is_directory({tag for tag, _, _ in parse(data).dataset.elements}) is expected


@pytest.mark.parametrize("unit", ["mm", "10*-6.mm2/s", "/min", "mg/dl", "%"])
def test_units_stay_and_annotations_in_them_do_not(cleaned, unit):
    dataset = report(Identity(), "88.33", 12)
    value = next(i for i in walked(dataset) if i.ValueType == "NUM").MeasuredValueSequence[0]
    for said, kept in ((unit, unit), (unit + "{Quackenbush}", "REMOVED")):
        value.MeasurementUnitsCodeSequence[0] = code(said, "UCUM", said)
        out, data = cleaned(dataset)
        again = next(i for i in walked(out) if i.ValueType == "NUM").MeasuredValueSequence[0]
        assert again.MeasurementUnitsCodeSequence[0].CodeValue == kept
        assert b"uackenbush" not in data


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian package dicom3tools) is not installed")
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", OBJECTS)
def test_dciodvfy_finds_no_more_errors_in_the_output(deidentifiers, subject, tmp_path, kind, policy):
    from deid.pixels.series import treat

    data = encoded(OBJECTS[kind](Identity()))
    known = Identifiers.of(gather(parse(data, pixels=False).dataset))
    deidentifier = deidentifiers[policy]
    (out,) = treat([deidentifier.clean(data, subject, known)], known, deidentifier.policy)
    assert not errors(tmp_path, out.data) - errors(tmp_path, data)


def errors(folder, data):
    (folder / "file.dcm").write_bytes(data)
    said = subprocess.run(["dciodvfy", str(folder / "file.dcm")], capture_output=True, text=True, check=False).stderr
    return Counter(line for line in said.splitlines() if line.startswith("Error"))
