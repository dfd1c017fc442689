"""What is found in the pixels of a series is gone from its files, nothing else is, and the files say so."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from deid.faces import faces
from deid.headers.cleaned import Cleaned
from deid.pixels import burned_in
from deid.pixels.burned_in import Box, Inspection, Seen
from deid.pixels.series import treat
from deid.policy import load_policy
from deid.refusals import Refused
from deid.text.identifiers import Identifiers
from imaging.errors import ImagingError
from schemas.policy import Found
from schemas.reasons import Reason

ORIENTATIONS = {
    "axial": ([1, 0, 0, 0, 1, 0], [0, 0, 3]),
    "axial, feet first": ([-1, 0, 0, 0, 1, 0], [0, 0, -3]),
    "sagittal": ([0, 1, 0, 0, 0, -1], [3, 0, 0]),
    "coronal": ([1, 0, 0, 0, 0, -1], [0, -3, 0]),
}
SHAPE = (6, 8, 10)


@pytest.fixture
def series(mr_image, deidentifiers, subject, written):
    """Cleaned files of a T1 head series of random pixels, and where each pixel lies in RAS millimetres."""

    def make(orientation="axial", photometric="MONOCHROME2", order=range(SHAPE[0])):
        cosines, step = ORIENTATIONS[orientation]
        row, column = np.array(cosines[:3]), np.array(cosines[3:])
        pixels = np.random.default_rng(7).integers(100, 2000, SHAPE).astype("<u2")
        files, places = [], []
        for k in order:
            position = np.array([5, -7, 11]) + k * np.array(step)
            mr_image.SOPInstanceUID = generate_uid(entropy_srcs=[str(k)])
            mr_image.InstanceNumber, mr_image.ImagePositionPatient = k + 1, [float(v) for v in position]
            mr_image.ImageOrientationPatient, mr_image.PixelSpacing = cosines, [2, 2]
            mr_image.SliceThickness, mr_image.SpacingBetweenSlices = 3, 3
            mr_image.Rows, mr_image.Columns = SHAPE[1:]
            mr_image.ImageType, mr_image.SequenceName = ["ORIGINAL", "PRIMARY", "M"], "*tfl3d1"
            mr_image.SeriesDescription = mr_image.ProtocolName = "t1_mprage"
            mr_image.ScanningSequence, mr_image.EchoTime, mr_image.RepetitionTime = "GR", 2.9, 2300
            mr_image.PhotometricInterpretation = photometric
            for weighted in ("DiffusionBValue", "DiffusionGradientOrientation"):
                if weighted in mr_image:
                    delattr(mr_image, weighted)
            for tag in [e.tag for e in mr_image if e.tag.is_private]:
                del mr_image[tag]
            mr_image.PixelData = pixels[k].tobytes()
            files.append(deidentifiers["safe_harbor"].clean(written(mr_image), subject, Identifiers()))
            r, c = np.mgrid[: SHAPE[1], : SHAPE[2]]
            lps = position + 2 * r[..., None] * column + 2 * c[..., None] * row
            places.append(lps * [-1, -1, 1])
        return files, pixels[list(order)], np.array(places)

    return make


def shown(cleaned):
    return pydicom.dcmread(io.BytesIO(cleaned.data))


@pytest.fixture
def no_text(monkeypatch):
    monkeypatch.setattr(burned_in, "inspect", lambda *_: Inspection("clean"))


@pytest.fixture
def a_face(monkeypatch, no_text):
    """A face that fills the space beyond an oblique plane."""

    def inside(ras):
        return ras @ [1.0, 1.0, 0.5] > 5

    def mask(volume, affine):
        index = np.moveaxis(np.indices(volume.shape), 0, -1)
        return inside(index @ affine[:3, :3].T + affine[:3, 3])

    monkeypatch.setattr(faces, "exemption", lambda *_: None)
    monkeypatch.setattr(faces, "judge", lambda *_: faces.Face(shown=True))
    monkeypatch.setattr(faces, "mask", mask)
    monkeypatch.setattr(faces, "verdict", lambda *_: True)
    return inside


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_face_is_blanked_in_the_slices_where_it_lies_in_the_head(series, a_face, orientation, photometric):
    files, pixels, ras = series(orientation, photometric, order=[3, 0, 5, 1, 4, 2])
    hidden = a_face(ras)
    assert hidden.any() and not hidden.all()
    for cleaned, before, gone in zip(
        treat(files, Identifiers(), load_policy("safe_harbor")), pixels, hidden, strict=True
    ):
        after = shown(cleaned)
        np.testing.assert_array_equal(after.pixel_array[~gone], before[~gone])
        fill = before.max() if photometric == "MONOCHROME1" else before.min()
        assert (after.pixel_array[gone] == fill).all()
        assert after.RecognizableVisualFeatures == "NO"
        codes = {item.CodeValue for item in after.DeidentificationMethodCodeSequence}
        assert {"113100", "113101", "113102"} <= codes
        assert any(d.rule == "face" and d.action == "C" for d in cleaned.decisions)


def test_a_face_that_cannot_be_removed_or_must_not_be_touched_holds_the_series(series, a_face, monkeypatch):
    files, _, _ = series()
    held = load_policy("safe_harbor").model_copy(update={"faces": Found.HOLD})
    kept = load_policy("safe_harbor").model_copy(update={"faces": Found.KEEP})
    assert all(isinstance(f, Refused) and f.reason is Reason.FACE_SHOWN for f in treat(files, Identifiers(), held))
    assert [f.bulk for f in treat(files, Identifiers(), kept)] == [f.bulk for f in files]
    monkeypatch.setattr(faces, "verdict", lambda *_: False)
    assert all(isinstance(f, Refused) for f in treat(files, Identifiers(), load_policy("safe_harbor")))


def test_pixels_without_a_finding_stay_as_they_are_and_the_files_say_what_was_checked(series, no_text, monkeypatch):
    monkeypatch.setattr(faces, "judge", lambda *_: faces.Face(shown=False))
    files, _, _ = series()
    for before, after in zip(files, treat(files, Identifiers(), load_policy("safe_harbor")), strict=True):
        assert isinstance(after, Cleaned)
        assert after.bulk == before.bulk
        said = shown(after)
        assert (said.BurnedInAnnotation, said.RecognizableVisualFeatures) == ("NO", "NO")
        codes = {item.CodeValue for item in said.DeidentificationMethodCodeSequence}
        assert "113101" in codes
        assert "113102" not in codes


def test_text_is_blanked_where_it_stands_and_nowhere_else(series, monkeypatch):
    files, pixels, _ = series()
    box = Box(2, 3, 5, 9)
    inspection = Inspection("text", (box,), (Seen("name", "vault", 0.9),))
    monkeypatch.setattr(burned_in, "inspect", lambda *_: inspection)
    monkeypatch.setattr(faces, "judge", lambda *_: faces.Face(shown=False))
    for cleaned, before in zip(treat(files, Identifiers(), load_policy("safe_harbor")), pixels, strict=True):
        after = shown(cleaned).pixel_array
        outside = np.ones(after.shape, bool)
        outside[2:5, 3:9] = False
        np.testing.assert_array_equal(after[outside], before[outside])
        assert (after[~outside] == pixels.min()).all()
        (decision,) = [d for d in cleaned.decisions if d.rule == "burned-in-text"]
        assert (decision.action, decision.detector, decision.score) == ("C", "ocr", 0.9)
    held = load_policy("safe_harbor").model_copy(update={"burned_in": Found.HOLD})
    assert all(isinstance(f, Refused) for f in treat(files, Identifiers(), held))


def test_a_series_in_which_text_may_be_left_is_held(series, monkeypatch):
    files, _, _ = series()
    monkeypatch.setattr(burned_in, "inspect", lambda *_: Inspection("unsure"))
    treated = treat(files, Identifiers(), load_policy("safe_harbor"))
    assert {f.reason for f in treated} == {Reason.BURNED_IN_SUSPECTED}


def test_a_slice_with_text_that_its_neighbours_do_not_have_is_held_and_they_pass(series, monkeypatch):
    files, pixels, _ = series()
    found = Inspection("text", (Box(2, 3, 5, 9, (4,)), Box(0, 0, 2, 2)), (Seen("name", "vault", 0.9),))
    monkeypatch.setattr(burned_in, "inspect", lambda *_: found)
    monkeypatch.setattr(faces, "judge", lambda *_: faces.Face(shown=False))
    treated = treat(files, Identifiers(), load_policy("safe_harbor"))
    assert [isinstance(f, Refused) for f in treated] == [k == 4 for k in range(SHAPE[0])]
    for cleaned, before in zip(treated, pixels, strict=True):
        if isinstance(cleaned, Cleaned):
            expected = before.copy()
            expected[:2, :2] = pixels.min()
            np.testing.assert_array_equal(shown(cleaned).pixel_array, expected)


def test_overlays_in_unused_bits_are_gone(mr_image, deidentifiers, subject, written, no_text):
    pixels = np.arange(16, dtype="<u2").reshape(4, 4)
    mr_image.PixelData = (pixels | 0x8000).astype("<u2").tobytes()
    cleaned = deidentifiers["safe_harbor"].clean(written(mr_image), subject, Identifiers())
    (after,) = treat([cleaned], Identifiers(), load_policy("safe_harbor"))
    np.testing.assert_array_equal(np.frombuffer(shown(after).PixelData, "<u2").reshape(4, 4), pixels)


def test_a_volume_that_cannot_be_put_together_is_said_to_be_unjudged(series, no_text, monkeypatch):
    def fails(*_):
        raise ImagingError(Reason.PIXELS_INVALID, "found nothing, needed pixels")

    monkeypatch.setattr("deid.pixels.series.assemble", fails)
    files, _, _ = series()
    for cleaned in treat(files, Identifiers(), load_policy("safe_harbor")):
        assert [d.action for d in cleaned.decisions if d.rule == "face-unjudged"] == ["K"]
        assert "RecognizableVisualFeatures" not in shown(cleaned)
