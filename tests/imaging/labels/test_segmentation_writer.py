"""A label map as a DICOM segmentation lies where it was drawn, refers to what it was drawn on, and adds nothing."""

import io
import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from imaging.errors import ImagingError
from imaging.headers.headers import HeaderReader
from imaging.labels.drawings import Grid, paint
from imaging.labels.segment_codes import PRIVATE, coded
from imaging.labels.segmentation_writer import Origin, write
from imaging.labels.segmentations import read
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan
from schemas.reasons import Reason
from tests.imaging.conftest import DATA, make_dataset, to_bytes

SCHEME = {0: "background", 2: "white matter", 5: "Dr. Who's spot"}
ORIGIN = Origin("brain-tiny", "c0ffee" * 10)
AXIAL, SAGITTAL = [1.0, 0, 0, 0, 1, 0], [0, 1.0, 0, 0, 0, -1]


def classic(orientation=AXIAL, places=(0, 1, 2, 3), steps=1, **elements):
    """Files of a stack in mixed order, 6 x 5 pixels a slice."""
    normal = np.cross(orientation[:3], orientation[3:])
    files = [
        make_dataset(
            ImagePositionPatient=list(np.array([-10.0, -20, 5]) + normal * 2.5 * place), InstanceNumber=number,
            ImageOrientationPatient=orientation, SOPInstanceUID=f"1.2.3.4.{number}", FrameOfReferenceUID="1.2.9",
            PatientID="P1", PatientName="SECRET^JANE", TemporalPositionIdentifier=step + 1,
            ContentTime=f"1000{step:02}", **elements,
        )
        for number, (step, place) in enumerate([(s, p) for s in range(steps) for p in places])
    ]  # fmt: skip
    return [to_bytes(dataset) for dataset in files[::-1]]


def enhanced(steps=1, slices=4):
    """A multi-frame instance whose frames say all by themselves, steps one after the other."""
    pixels = np.arange(slices * steps * 30, dtype=np.uint16).reshape(-1, 5)
    dataset = make_dataset(
        pixels, SOPClassUID=EnhancedMRImageStorage, NumberOfFrames=slices * steps, Rows=6, FrameOfReferenceUID="1.2.9",
        ImagePositionPatient=None, ImageOrientationPatient=None, PixelSpacing=None, SliceThickness=None,
        ImageType=["ORIGINAL", "PRIMARY", "M", "NONE"], SharedFunctionalGroupsSequence=[Dataset()],
    )  # fmt: skip

    def group(**elements):
        item = Dataset()
        for name, value in elements.items():
            setattr(item, name, value)
        return [item]

    dataset.PerFrameFunctionalGroupsSequence = [
        group(
            PlanePositionSequence=group(ImagePositionPatient=[-10.0, -20.0, 5.0 + 2.5 * place]),
            PlaneOrientationSequence=group(ImageOrientationPatient=AXIAL),
            PixelMeasuresSequence=group(PixelSpacing=[0.5, 0.75], SliceThickness=2.5),
            FrameContentSequence=group(TemporalPositionIndex=step + 1),
        )[0]
        for step in range(steps)
        for place in range(slices)
    ]
    return [to_bytes(dataset)]


def imaged(files, number=0):
    reader = HeaderReader()
    headers = [reader.read(data) for data in files]
    planned = plan(headers).volumes[number]
    return planned, assemble(planned, lambda i: stored_pixels(files[i], headers[i]))


def drawn(volume, seed=0):
    return np.random.default_rng(seed).choice([0, 2, 5], volume.shape[:3]).astype(np.uint8)


CASES = {
    "axial": classic, "sagittal": lambda: classic(SAGITTAL), "gap": lambda: classic(places=(0, 1, 2, 4)),
    "steps": lambda: classic(steps=3), "enhanced": enhanced, "enhanced, steps": lambda: enhanced(steps=2),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_segmentation_lies_on_the_voxels_it_was_drawn_on(case):
    files = CASES[case]()
    planned, volume = imaged(files)
    labels = drawn(volume)
    written = write(labels, planned, files, SCHEME, ORIGIN)
    for missing in volume.missing_slices:
        labels[tuple(slice(None) if axis != volume.missing_axis else missing for axis in range(3))] = 0
    (painted,) = paint(read(written), Grid(volume.affine, volume.shape[:3]))
    numbers = np.array([0, 0, 1, 0, 0, 2])  # segments are numbered from 1 in the order of their values
    np.testing.assert_array_equal(painted.map.array, numbers[labels])


def test_each_slice_of_a_classic_series_is_referred_to():
    files = classic(SAGITTAL)
    planned, volume = imaged(files)
    labels = drawn(volume)
    seg = hd.seg.segread(io.BytesIO(write(labels, planned, files, SCHEME, ORIGIN)))
    uids = [f"1.2.3.4.{number}" for number in range(4)]
    slices = seg.get_pixels_by_source_instance(uids, combine_segments=True)
    # columns run to the back and rows downwards, where the volume's axes run to the front and upwards
    expected = np.array([0, 0, 1, 0, 0, 2])[labels]
    position = pydicom.dcmread(io.BytesIO(files[-1])).ImagePositionPatient
    first = 0 if -position[0] < volume.affine[0, 3] + 0.1 else -1
    np.testing.assert_array_equal(slices[0], expected[first].T[::-1, ::-1])
    assert seg.FrameOfReferenceUID == "1.2.9"


def test_frames_of_a_multi_frame_instance_are_referred_to_by_their_own_numbers():
    files = enhanced(steps=2)
    planned, volume = imaged(files)
    seg = pydicom.dcmread(io.BytesIO(write(drawn(volume), planned, files, SCHEME, ORIGIN)))
    source = pydicom.dcmread(io.BytesIO(files[0]))
    for group in seg.PerFrameFunctionalGroupsSequence:
        number = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        theirs = source.PerFrameFunctionalGroupsSequence[number - 1].PlanePositionSequence[0].ImagePositionPatient
        assert group.PlanePositionSequence[0].ImagePositionPatient == theirs


def test_a_segment_says_what_it_shows_and_what_made_it():
    files = classic()
    planned, volume = imaged(files)
    seg = pydicom.dcmread(io.BytesIO(write(drawn(volume), planned, files, SCHEME, ORIGIN)))
    known, own = seg.SegmentSequence
    assert (known.SegmentLabel, known.SegmentedPropertyTypeCodeSequence[0].CodeValue) == ("white matter", "389080008")
    assert own.SegmentedPropertyTypeCodeSequence[0].CodeValue == "LABEL-5"
    assert own.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator == PRIVATE
    (algorithm,) = own.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (ORIGIN.name, ORIGIN.version)
    assert own.SegmentAlgorithmType == "AUTOMATIC"


def test_a_person_is_named_as_in_the_source_and_nothing_is_added():
    """Of a de-identified source, no name comes back; times are the study's where none are given."""
    named = classic()
    planned, volume = imaged(named)
    assert b"SECRET" in write(drawn(volume), planned, named, SCHEME, ORIGIN)
    files = []
    for data in named:
        dataset = pydicom.dcmread(io.BytesIO(data))
        del dataset.PatientName
        files.append(to_bytes(dataset))
    one, other = (write(drawn(volume), planned, files, SCHEME, ORIGIN) for _ in range(2))
    assert one == other
    seg = pydicom.dcmread(io.BytesIO(one))
    assert (str(seg.PatientName), seg.PatientID, seg.ContentDate) == ("", "P1", "19000101")


def test_a_map_that_does_not_fit_or_says_more_than_its_scheme_is_refused():
    files = classic()
    planned, volume = imaged(files)
    labels = drawn(volume)
    for wrong, scheme in ((labels[1:], SCHEME), (labels, {0: "background", 2: "x"}), (labels * 0, {0: "background"})):
        with pytest.raises(ImagingError) as caught:
            write(wrong, planned, files, scheme, ORIGIN)
        assert caught.value.reason is Reason.LABEL_MISFIT
    lost = classic()
    for i, data in enumerate(lost):
        dataset = pydicom.dcmread(io.BytesIO(data))
        del dataset.FrameOfReferenceUID
        lost[i] = to_bytes(dataset)
    with pytest.raises(ImagingError, match="frame of reference"):
        write(labels, planned, lost, SCHEME, ORIGIN)


def test_an_empty_map_is_a_segmentation_too():
    files = classic()
    planned, volume = imaged(files)
    seg = pydicom.dcmread(io.BytesIO(write(drawn(volume) * 0, planned, files, SCHEME, ORIGIN)))
    assert not seg.pixel_array.any()


@pytest.mark.parametrize(
    ("name", "code"),
    [("Grey Matter", "389081007"), ("hippocampus", "5366008"), ("cerebrospinal fluid", "65216001")],
)
def test_names_are_found_among_dicom_s_concepts(name, code):
    assert coded(name, 1).type[:2] == (code, "SCT")
    assert coded("my own thing", 7).type == ("LABEL-7", PRIVATE, "my own thing")


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="found no dciodvfy, needed dicom3tools")
@pytest.mark.parametrize("case", ["axial", "gap", "steps"])
def test_the_checker_of_dicom_objects_finds_no_error(case, tmp_path):
    files = CASES[case]()
    planned, volume = imaged(files)
    (tmp_path / "seg.dcm").write_bytes(write(drawn(volume), planned, files, SCHEME, ORIGIN))
    ran = subprocess.run(["dciodvfy", str(tmp_path / "seg.dcm")], capture_output=True, text=True)
    assert [line for line in ran.stderr.splitlines() if line.startswith("Error")] == []


@pytest.mark.data
@pytest.mark.parametrize("folder", ["dcm_qa_enh/In", "dcm_qa_nih/In"])
def test_segmentations_of_scanners_series_come_back(folder):
    if not (DATA / folder).is_dir():
        pytest.skip("found no such data beside the project")
    series: dict[str, list[bytes]] = {}
    for path in sorted(Path(DATA / folder).rglob("*.dcm")):
        series.setdefault(str(path.parent), []).append(path.read_bytes())
    assert series
    for files in list(series.values())[:4]:
        planned, volume = imaged(files)
        labels = drawn(volume)
        (painted,) = paint(read(write(labels, planned, files, SCHEME, ORIGIN)), Grid(volume.affine, volume.shape[:3]))
        np.testing.assert_array_equal(painted.map.array, np.array([0, 0, 1, 0, 0, 2])[labels])
