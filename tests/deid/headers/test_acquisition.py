"""How a volume was acquired is read of a cleaned series as of the original: from times since the scan's start, not
from times of day, where the policy takes those away."""

import gzip
import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid.headers.headers import Deidentifier
from deid.policy import load_policy
from deid.text.identifiers import Identifiers
from deid.vault import Subject
from imaging.headers.reading import read_header
from imaging.phantom import BodyPart, PhantomConfig, Vendor, generate
from imaging.volumes.series import plan

SUBJECT = Subject("SABCDEFGHIJKL", bytes(range(32)))
OFFSETS = (0.0, 0.8, 0.4, 1.2, 1.6)
SIEMENS, GE, PHILIPS = "SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems"


@pytest.fixture(scope="module", params=["safe_harbor", "expert_determination", "limited_data_set"])
def clean(request):
    """De-identifies a file by one of the shipped policies."""
    deidentifier = Deidentifier(load_policy(request.param))
    return lambda data: deidentifier.clean(data, SUBJECT, Identifiers()).data


def facts(files):
    """What is known of each volume of a series: shape of its plan, kind, times and how it was acquired."""
    found = plan([read_header(data) for data in files])
    assert not found.rejected
    return [
        (volume.instances.shape, volume.kind, volume.times if volume.times is None else volume.times.tolist())
        for volume in found.volumes
    ], [volume.acquisition for volume in found.volumes]


@pytest.fixture(scope="module", params=list(Vendor))
def phantom(request, tmp_path_factory):
    """The series of a phantom."""
    root = tmp_path_factory.mktemp("phantom")
    config = PhantomConfig(
        "study", seed=7, subjects=1, vendors=(request.param,), body_parts=(BodyPart.HEAD,), matrix=32, slices=8,
        faults=False,
    )  # fmt: skip
    generate(root / "study", root / "answers", config)
    series = {}
    for path in sorted((root / "study").rglob("*")):
        if path.is_file() and (data := path.read_bytes())[128:132] == b"DICM":
            series.setdefault(read_header(data).series_uid, []).append(data)
    return list(series.values())


def test_a_phantom_of_each_dialect_keeps_its_facts(phantom, clean):
    assert len(phantom) == 4
    stated = set()
    for files in phantom:
        before = facts(files)
        assert facts([clean(data) for data in files]) == before
        stated |= {name for known in before[1] for name in known.__slots__ if getattr(known, name) is not None}
    assert {"echo_time", "inversion_time", "flip_angle", "repetition_time"} <= stated


@pytest.fixture
def series(mr_image, written):
    """Makes the files of a functional series; `vary` changes an image by its step and place."""

    def make(vary, steps=2, depth=5, **elements):
        files = []
        for step in range(steps):
            for place in range(depth):
                image = Dataset(mr_image)
                for group in (0x0019,):  # the weighting that the image of the other tests has
                    for tag in [tag for tag in image.keys() if tag.group == group]:  # noqa: SIM118
                        del image[tag]
                image.Rows = image.Columns = 4
                for keyword, value in {
                    "SOPInstanceUID": f"1.2.3.{step}.{place}",
                    "InstanceNumber": step * depth + place + 1,
                    "AcquisitionNumber": step + 1,
                    "AcquisitionTime": f"{101500 + 2 * step + OFFSETS[place]:013.6f}",
                    "ImagePositionPatient": [0.0, 0.0, 3.0 * place],
                    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                    "ScanningSequence": ["EP", "GR"],
                    "RepetitionTime": 2000,
                    "MRAcquisitionType": "2D",
                    "InPlanePhaseEncodingDirection": "COL",
                    "AcquisitionMatrix": [4, 0, 0, 4],
                    "DiffusionBValue": None,
                    "TriggerTime": None,
                    "NumberOfTemporalPositions": None,
                    "TemporalPositionIdentifier": None,
                    **elements,
                }.items():
                    if value is None:
                        if keyword in image:
                            delattr(image, keyword)
                    else:
                        setattr(image, keyword, value)
                vary(image, step, place)
                files.append(written(image))
        return files

    return make


def private(image, group, creator, **elements):
    block = image.private_block(group, creator, create=True)
    for name, (vr, value) in elements.items():
        block.add_new(int(name[1:], 16), vr, value)


def siemens(image, step, place):
    private(image, 0x0019, "SIEMENS MR HEADER", x16=("DS", f"{2 * step + OFFSETS[place]:.4f}"), x28=("FD", 24.414))
    private(image, 0x0021, "SIEMENS MR SDI 02", x1C=("IS", "1"))


def user_data():
    data = bytearray(2400)
    struct.pack_into("<f", data, 0, 28.0)
    struct.pack_into("<H", data, 0x4C + 0x3A, 0x800)
    return bytes(data)


def ge(image, step, place):
    packed = gzip.compress(b'SLICEORDER "1"\nVIEWORDER "0"\n')
    private(image, 0x0025, "GEMS_SERS_01", x1B=("OB", struct.pack("<I", len(packed)) + packed))
    private(
        image, 0x0043, "GEMS_PARM_01", x2A=("OB", user_data()), x2C=("SS", 500), x83=("DS", ["1", "1"]),
        xB6=("LO", ["1", "0", "3", "0"]),
    )  # fmt: skip


def ge_together(image, step, place):
    """Two slices at once, and a pause after each volume."""
    ge(image, step, place)
    image.private_block(0x0043, "GEMS_PARM_01").add_new(0xB6, "LO", ["2", "4", "19"])
    image.private_block(0x0043, "GEMS_PARM_01").add_new(0x7C, "FL", 0.25)


def ge_diffusion(image, step, place):
    """Two slices at once, by a model that may spread them over repetitions, and says that it does not."""
    ge_together(image, step, place)
    image.private_block(0x0043, "GEMS_PARM_01").add_new(0x39, "IS", [1000 * step, 8, 0, 0])
    private(
        image, 0x0019, "GEMS_ACQU_01", x9E=("LO", "EPI2"), xB6=("DS", "0.72"), xBB=("DS", "1"), xBC=("DS", "0"),
        xBD=("DS", "0"),
    )  # fmt: skip


RELEASE = {"Manufacturer": GE, "SoftwareVersions": ["28", "LX", "MR Software release:DV28.0_R02_1947.a"]}


def philips(image, step, place):
    image.TemporalPositionIdentifier, image.AcquisitionNumber = step // 2 + 1, 1
    private(image, 0x2005, "Philips MR Imaging DD 005", x29=("CS", ["CONTROL", "LABEL"][step % 2]))
    private(image, 0x2005, "Philips MR Imaging DD 001", xA0=("FL", 2.0 * step))


def coils(image, step, place):
    private(image, 0x0051, "SIEMENS MR HEADER", x0F=("LO", f"H{step + 1}"))


def dixon(image, step, place):
    image.ImageType = ["DERIVED", "PRIMARY", "M", "DIXON", ["WATER", "FAT"][step]]


@pytest.mark.parametrize(
    ("vary", "elements", "stated"),
    [
        (siemens, {"Manufacturer": SIEMENS}, {"slice_times", "phase_encoding", "readout_time"}),
        (ge, {"Manufacturer": GE}, {"slice_times", "phase_encoding", "readout_time"}),
        (ge_together, RELEASE | {"AcquisitionTime": "101500"}, {"slice_times", "phase_encoding", "readout_time"}),
        (ge_diffusion, RELEASE | {"ManufacturerModelName": "SIGNA Premier"}, {"slice_times", "readout_time"}),
        (philips, {"Manufacturer": PHILIPS, "steps": 4}, {"step_kinds"}),
        (coils, {"Manufacturer": SIEMENS, "steps": 3}, {"coil"}),
        (dixon, {"Manufacturer": SIEMENS}, {"chemistry"}),
    ],
    ids=["Siemens", "GE", "GE, slices together", "GE, diffusion", "Philips", "coils", "Dixon"],
)
def test_facts_of_every_kind_outlive_cleaning(series, clean, vary, elements, stated):
    files = series(vary, **elements)
    before = facts(files)
    for known in before[1]:
        assert all(getattr(known, name) is not None for name in stated)
    assert facts([clean(data) for data in files]) == before


def test_times_of_day_leave_with_the_policy_that_keeps_them_and_are_replaced_by_nothing(series, clean):
    files = series(lambda *_: None, Manufacturer=SIEMENS)
    _, (before,) = facts(files)
    _, (after,) = facts([clean(data) for data in files])
    assert before.slice_times == OFFSETS
    has_times = read_header(clean(files[0])).acquisition_time is not None
    assert after.slice_times == (OFFSETS if has_times else None)


@pytest.mark.parametrize("text", ["MEYER", "H1 MEYER", "HEA;HEP", "MEYER12", "h1"])
def test_a_coil_string_that_is_no_element_does_not_leave(series, clean, text):
    def vary(image, step, place):
        private(image, 0x0051, "SIEMENS MR HEADER", x0F=("LO", text))
        image.pop("ReceiveCoilName", None)

    cleaned = clean(series(vary, steps=1, Manufacturer=SIEMENS)[0])
    assert text.encode() not in cleaned
    assert read_header(cleaned).scanned.coil == ""


def test_text_of_ge_s_blobs_does_not_leave(series, clean):
    def vary(image, step, place):
        ge(image, step, place)
        block = image.private_block(0x0043, "GEMS_PARM_01")
        block.add_new(0x2A, "OB", user_data()[:-16] + b"MEYER^ANNA      ")
        block.add_new(0xB6, "LO", ["1", "MEYER", "ANNA"])

    cleaned = clean(series(vary, steps=1, Manufacturer=GE)[0])
    assert b"MEYER" not in cleaned
    assert read_header(cleaned).scanned.slices_at_once == 1


def test_frames_of_a_siemens_enhanced_object_keep_their_clock_and_polarity(mr_image, written, clean):
    image = Dataset(mr_image)
    for keyword in ("ImagePositionPatient", "TriggerTime", "DiffusionBValue"):
        image.pop(keyword, None)
    image.Manufacturer, image.SOPClassUID = SIEMENS, "1.2.840.10008.5.1.4.1.1.4.1"
    image.NumberOfFrames, image.RepetitionTime, image.ScanningSequence = 5, 2000, ["EP", "GR"]
    image.InPlanePhaseEncodingDirection, image.MRAcquisitionType = "ROW", "2D"
    image.PixelData = np.arange(5 * 16, dtype="<u2").tobytes()
    frames = []
    for place in range(5):
        frame, content, position, inner = Dataset(), Dataset(), Dataset(), Dataset()
        content.FrameAcquisitionDateTime = f"20210417{101500 + OFFSETS[place]:013.6f}"
        position.ImagePositionPatient = [0.0, 0.0, 3.0 * place]
        private(inner, 0x0021, "SIEMENS MR SDI 02", x04=("DS", f"{OFFSETS[place]}"), x1C=("IS", "0"), x4F=("LO", "H3"))
        frame.FrameContentSequence, frame.PlanePositionSequence = Sequence([content]), Sequence([position])
        private(frame, 0x0021, "SIEMENS MR SDI 02", xFE=("SQ", Sequence([inner])))
        frames.append(frame)
    image.PerFrameFunctionalGroupsSequence = Sequence(frames)
    image.SharedFunctionalGroupsSequence = Sequence([Dataset()])
    data = written(image)
    _, (before,) = facts([data])
    assert before.slice_times == OFFSETS
    assert before.phase_encoding == "i-"
    assert before.coil == "H3"
    assert facts([clean(data)])[1] == [before]
