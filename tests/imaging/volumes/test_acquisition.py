"""How a volume was acquired is read from what states it, holds along the volume's own axes, and is never guessed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.errors import ImagingError
from imaging.headers.header import Header
from imaging.headers.reading import read_header
from imaging.volumes.acquired import chemistry_of
from imaging.volumes.acquisition import CHEMISTRY, Acquisition
from imaging.volumes.geometry import canonical
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan
from imaging.volumes.volume import Volume
from tests.imaging.volumes.scans import GE, PLANES, SIEMENS, UIH, clock, private

# phase encoding

POSITIVE = {
    "Siemens": (SIEMENS, private(0x0021, "SIEMENS MR SDI 02", x1C=("IS", 1))),
    "UIH": (UIH, private(0x0065, "Image Private Header", x58=("IS", 0))),
    "GE": (
        GE,
        lambda image, *_: (
            setattr(image, "RectilinearPhaseEncodeReordering", "REVERSE_LINEAR"),
            private(0x0043, "GEMS_PARM_01", x2C=("SS", 500))(image, 0, 0),
        ),
    ),
}
NEGATIVE = {
    "Siemens": (SIEMENS, private(0x0021, "SIEMENS MR SDI 02", x1C=("IS", 0))),
    "UIH": (UIH, private(0x0065, "Image Private Header", x58=("IS", 1))),
    "GE": (
        GE,
        lambda image, *_: (
            setattr(image, "RectilinearPhaseEncodeReordering", "LINEAR"),
            private(0x0043, "GEMS_PARM_01", x2C=("SS", 500))(image, 0, 0),
        ),
    ),
}
DIRECTIONS = {
    ("axial", "COL"): "j-",
    ("axial", "ROW"): "i-",
    ("coronal", "COL"): "k-",
    ("coronal", "ROW"): "i-",
    ("sagittal", "COL"): "k-",
    ("sagittal", "ROW"): "j-",
}
"""Direction of growing row or column index along the axes to the right, to the front and to the top."""


def opposite(direction):
    return direction.removesuffix("-") if direction.endswith("-") else f"{direction}-"


@pytest.mark.parametrize("vendor", POSITIVE)
@pytest.mark.parametrize(("plane", "axis"), DIRECTIONS)
def test_phase_encoding_runs_along_the_volume_s_axes(volumes, vendor, plane, axis):
    for table, expected in ((POSITIVE, DIRECTIONS[plane, axis]), (NEGATIVE, opposite(DIRECTIONS[plane, axis]))):
        maker, vary = table[vendor]
        (volume,) = volumes(PLANES[plane][0], vary=vary, Manufacturer=maker, InPlanePhaseEncodingDirection=axis)
        assert volume.acquisition.phase_encoding == expected


@pytest.mark.parametrize(
    "elements",
    [
        {"Manufacturer": "Philips", "InPlanePhaseEncodingDirection": "COL"},
        {"Manufacturer": SIEMENS, "InPlanePhaseEncodingDirection": "COL"},
        {
            "Manufacturer": "Philips",
            "InPlanePhaseEncodingDirection": "COL",
            "RectilinearPhaseEncodeReordering": "LINEAR",
        },
    ],
)
def test_an_axis_without_polarity_is_no_direction(volumes, elements):
    assert volumes(**elements)[0].acquisition.phase_encoding is None
    polar = private(0x0021, "SIEMENS MR SDI 02", x1C=("IS", 1))
    assert volumes(vary=polar, Manufacturer=SIEMENS)[0].acquisition.phase_encoding is None


# read-out


def test_siemens_read_out_follows_from_the_bandwidth_per_pixel(volumes):
    vary = private(0x0019, "SIEMENS MR HEADER", x28=("FD", 25.0))
    (volume,) = volumes(vary=vary, Manufacturer=SIEMENS, InPlanePhaseEncodingDirection="COL")
    assert volume.acquisition.readout_time == pytest.approx(7 / (25.0 * 8))
    (other,) = volumes(vary=vary, Manufacturer=SIEMENS, InPlanePhaseEncodingDirection="COL", ScanningSequence="SE")
    assert other.acquisition.readout_time is None


@pytest.mark.parametrize(
    ("lines", "factor", "options", "expected"),
    [
        (64, "1", ["EPI_GEMS"], 63),
        (128, "0.666667", ["EPI_GEMS", "PFF"], 87),
        (128, "0.5", ["EPI_GEMS"], 63),
        (96, "0.666667", ["EPI_GEMS"], 63),
    ],
)
def test_ge_read_out_follows_from_lines_and_spacing(volumes, lines, factor, options, expected):
    def vary(image, step, place):
        private(0x0043, "GEMS_PARM_01", x2C=("SS", 636), x83=("DS", [factor, "1"]))(image, step, place)

    stated = {"AcquisitionMatrix": [lines, 0, 0, lines], "InPlanePhaseEncodingDirection": "COL"}
    (volume,) = volumes(vary=vary, Manufacturer=GE, ScanOptions=options, **stated)
    # the images have 8 lines, over which the spacing of the acquired ones is spread
    assert volume.acquisition.readout_time == pytest.approx(expected * 636e-6 * 7 / (lines - 1))


def test_a_read_out_that_nothing_states_is_none(volumes):
    vary = private(0x0043, "GEMS_PARM_01", x2C=("SS", 636))
    stated = {"AcquisitionMatrix": [64, 0, 0, 64], "InPlanePhaseEncodingDirection": "COL"}
    (unknown,) = volumes(vary=vary, Manufacturer=GE, **stated)
    assert unknown.acquisition.readout_time is None
    vary = private(0x0043, "GEMS_PARM_01", x2C=("SS", 636), x83=("DS", ["1", "1"]))
    assert volumes(vary=vary, Manufacturer=GE, **stated)[0].acquisition.readout_time is not None
    assert volumes(vary=vary, Manufacturer=GE, AcquisitionMatrix=[64, 0, 0, 64])[0].acquisition.readout_time is None
    (volume,) = volumes(Manufacturer="Philips", InPlanePhaseEncodingDirection="COL", EchoTrainLength=31)
    assert volume.acquisition.readout_time is None


# steps


@pytest.mark.parametrize("order", [("CONTROL", "LABEL"), ("LABEL", "CONTROL")])
def test_label_and_control_of_a_pair_are_steps_in_the_order_of_their_images(volumes, order):
    def vary(image, step, place):
        image.TemporalPositionIdentifier, image.AcquisitionNumber = step // 2 + 1, 1
        private(0x2005, "Philips MR Imaging DD 005", x29=("CS", order[step % 2]))(image, step, place)

    (volume,) = volumes(steps=6, vary=vary, Manufacturer="Philips")
    assert volume.acquisition.step_kinds == tuple(word.lower() for word in order) * 3
    assert volume.array[0, 0, 0].tolist() == [0, 10, 20, 30, 40, 50]


def test_a_series_of_alternate_steps_that_says_nothing_has_no_kinds(volumes):
    assert volumes(steps=6, Manufacturer=SIEMENS)[0].acquisition.step_kinds is None


def test_inversion_times_are_steps_with_a_stated_list(volumes):
    def vary(image, step, place):
        image.InversionTime = 100 * (step + 1)

    (volume,) = volumes(vary=vary)
    assert volume.acquisition.step_kinds == ("inversion 100 ms", "inversion 200 ms", "inversion 300 ms")
    assert volume.acquisition.inversion_time is None


def test_inversion_times_that_differ_from_slice_to_slice_take_no_volume_apart(volumes):
    def vary(image, step, place):
        image.InversionTime = 100 * place

    (volume,) = volumes(vary=vary)
    assert volume.shape[3] == 3
    assert volume.acquisition.step_kinds is None


def enhanced(dataset, groups, **elements):
    """An enhanced instance with these functional groups a frame, each with one item of elements."""
    image = dataset(np.zeros((6, 5), np.uint16), ImagePositionPatient=None, **elements)
    image.NumberOfFrames, frames = len(groups), []
    for group in groups:
        frame = Dataset()
        for sequence, stated in group.items():
            item = Dataset()
            for keyword, value in stated.items():
                setattr(item, keyword, value)
            setattr(frame, sequence, Sequence([item]))
        frames.append(frame)
    image.PerFrameFunctionalGroupsSequence = Sequence(frames)
    image.SharedFunctionalGroupsSequence = Sequence([Dataset()])
    image.PixelData = np.repeat(np.arange(len(groups), dtype="<u2"), 30).tobytes()
    return image


def frame(place, **groups):
    return {"PlanePositionSequence": {"ImagePositionPatient": [0.0, 0.0, 3.0 * place]}, **groups}


def volumes_of(image, file_of):
    data = file_of(image)
    header = read_header(data)
    found = plan([header])
    assert not found.rejected
    return [assemble(volume, lambda _: stored_pixels(data, header)) for volume in found.volumes]


def test_frames_state_their_labelling_in_the_standard_s_words(dataset, file_of):
    contexts = ["M_ZERO_SCAN", "CONTROL", "LABEL", "CONTROL", "LABEL"]
    groups = [
        frame(
            place,
            MRArterialSpinLabelingSequence={"ASLContext": context},
            FrameContentSequence={"TemporalPositionIndex": step + 1},
            TemporalPositionSequence={"TemporalPositionTimeOffset": 4.5 * step},
        )
        for step, context in enumerate(contexts)
        for place in range(3)
    ]
    (volume,) = volumes_of(enhanced(dataset, groups), file_of)
    assert volume.acquisition.step_kinds == ("m0scan", "control", "label", "control", "label")
    assert volume.times.tolist() == [0, 4.5, 9, 13.5, 18]
    assert volume.array[0, 0, 0].tolist() == [0, 3, 6, 9, 12]


def test_frames_of_coils_and_of_dixon_parts_are_volumes(dataset, file_of):
    groups = [
        frame(place, MRReceiveCoilSequence={"ReceiveCoilName": f"H{coil}"}) for coil in (1, 2) for place in range(3)
    ]
    assert [volume.acquisition.coil for volume in volumes_of(enhanced(dataset, groups), file_of)] == ["H1", "H2"]
    groups = [
        frame(place, MRImageFrameTypeSequence={"FrameType": ["DERIVED", "PRIMARY", "DIXON", word]})
        for word in ("WATER", "FAT")
        for place in range(3)
    ]
    found = volumes_of(enhanced(dataset, groups), file_of)
    assert [volume.acquisition.chemistry for volume in found] == ["water", "fat"]


# settings of each volume


@pytest.mark.parametrize(
    ("keyword", "name"),
    [("EchoTime", "echo_time"), ("FlipAngle", "flip_angle"), ("RepetitionTime", "repetition_time")],
)
def test_each_setting_gives_a_volume_that_states_it(volumes, keyword, name):
    def vary(image, step, place):
        setattr(image, keyword, 10 * (step + 1))

    made = volumes(vary=vary)
    assert [getattr(volume.acquisition, name) for volume in made] == [10, 20, 30]
    assert [volume.kind for volume in made] == ["static"] * 3
    assert made[0].acquisition.inversion_time is None


def test_each_coil_gives_a_volume_that_names_it(volumes):
    vary = private(0x0051, "SIEMENS MR HEADER", x0F=("LO", lambda step, place: f"H{step + 1}"))
    assert [volume.acquisition.coil for volume in volumes(vary=vary, Manufacturer=SIEMENS)] == ["H1", "H2", "H3"]


def test_coils_that_change_along_the_stack_split_nothing_and_name_nothing(volumes):
    (volume,) = volumes(steps=1, vary=lambda image, _, place: setattr(image, "ReceiveCoilName", f"S{place // 2}"))
    assert volume.acquisition.coil is None


@pytest.mark.parametrize("name", ["HeadNeck_20", "HEA;HEP", "Meyer", "M. Sc. 12"])
def test_what_is_no_element_of_an_array_is_no_coil(volumes, name):
    assert volumes(steps=1, ReceiveCoilName=name)[0].acquisition.coil is None


@pytest.mark.parametrize(
    ("maker", "words", "expected"),
    [
        (SIEMENS, ("M", "DIXON", "WATER"), "water"),
        (SIEMENS, ("M", "NORM", "DIS2D", "FAT"), "fat"),
        (SIEMENS, ("M", "DIXON", "IN_PHASE"), "in-phase"),
        (SIEMENS, ("M", "DIXON", "OPP_PHASE"), "out-of-phase"),
        (SIEMENS, ("M", "DIXON", "W"), "water"),
        (SIEMENS, ("F", "ND"), None),
        (GE, ("DIXON", "OUT_PHASE"), "out-of-phase"),
        (GE, ("DIXON", "FATFRAC"), "fat-fraction"),
        ("Philips", ("W", "W", "DERIVED"), "water"),
        ("Philips", ("IP", "IP", "DERIVED"), "in-phase"),
        ("Philips", ("OP", "OP", "DERIVED"), "out-of-phase"),
        ("Philips", ("FF", "FF", "DERIVED"), "fat-fraction"),
        (UIH, ("M", "WATER"), "water"),
        (SIEMENS, ("M", "WATER", "FAT"), None),
        (SIEMENS, ("M", "ND"), None),
    ],
)
def test_parts_of_dixon_scans_are_named_in_every_vendor_s_words(maker, words, expected):
    assert chemistry_of(Header(manufacturer=maker, image_type=("DERIVED", "PRIMARY", *words))) == expected


def test_parts_of_a_dixon_scan_are_volumes(volumes):
    words = ["WATER", "FAT", "IN_PHASE", "OPP_PHASE"]

    def vary(image, step, place):
        image.ImageType = ["DERIVED", "PRIMARY", "M", "DIXON", words[step]]

    made = volumes(steps=4, vary=vary, Manufacturer=SIEMENS)
    assert [volume.acquisition.chemistry for volume in made] == ["water", "fat", "in-phase", "out-of-phase"]


def test_no_word_means_two_chemistries():
    words = [word for known in CHEMISTRY.values() for word in known]
    assert len(words) == len(set(words))


# points in time


@pytest.mark.parametrize(
    ("elements", "vary", "expected"),
    [
        ({"TemporalResolution": 4500, "NumberOfTemporalPositions": 3}, None, [0, 4.5, 9]),
        ({}, lambda image, step, place: setattr(image, "ContentTime", clock(step, step)), [0, 3, 6]),
        ({}, private(0x2005, "Philips MR Imaging DD 001", xA0=("FL", lambda step, place: 7.5 * step)), [0, 7.5, 15]),
        ({"Manufacturer": SIEMENS, "ContentTime": "101500"}, None, None),
    ],
)
def test_steps_of_a_dynamic_scan_have_the_times_that_something_states(volumes, elements, vary, expected):
    stated = {"AcquisitionTime": "101500", "ScanningSequence": "GR"} | elements
    (volume,) = volumes(vary=vary or (lambda image, step, place: None), **stated)
    assert (None if volume.times is None else volume.times.tolist()) == expected


# defects


@pytest.mark.parametrize(
    "vary",
    [
        private(0x0019, "SIEMENS MR HEADER", x16=("DS", "1.5"), x28=("FD", float("nan"))),
        private(0x2005, "Philips MR Imaging DD 001", xA0=("FL", float("inf"))),
        private(0x0043, "GEMS_PARM_01", x2A=("OB", bytes(900)), x83=("DS", [0.0, 1.0]), x2C=("SS", -1)),
        private(0x0025, "GEMS_SERS_01", x1B=("OB", b"no protocol")),
        lambda image, *_: setattr(image, "TemporalResolution", 0),
    ],
)
def test_no_image_is_refused_for_what_no_voxel_depends_on(volumes, vary):
    (volume,) = volumes(vary=vary, AcquisitionTime=None, RepetitionTime=None)
    assert volume.times is None
    assert volume.acquisition.readout_time is None


@pytest.mark.parametrize(
    ("facts", "said"), [({"slice_times": (0.0, 1.0)}, "slice times"), ({"step_kinds": ("label",) * 3}, "kinds")]
)
def test_a_volume_refuses_facts_of_another_length(facts, said):
    with pytest.raises(ImagingError, match=said):
        Volume(np.zeros((4, 4, 3)), np.eye(4), acquisition=Acquisition(**facts))


# axes


@given(
    permutation=st.permutations([0, 1, 2]),
    signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3),
    direction=st.sampled_from(["i", "i-", "j", "j-", "k", "k-"]),
)
@settings(max_examples=40, deadline=None)
def test_facts_move_with_the_voxels(permutation, signs, direction):
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[permutation] * signs
    moved = canonical(affine, (3, 4, 5))
    times = tuple(range(5))
    found = Acquisition(slice_times=times, phase_encoding=direction).along(moved)
    ramp = np.broadcast_to(np.arange(5), (3, 4, 5))
    line = np.moveaxis(moved.apply(ramp), found.slice_axis, 0)[:, 0, 0]
    assert found.slice_times == tuple(line)
    axis = "ijk".index(direction[0])
    index = np.moveaxis(np.broadcast_to(np.arange(3), (3, 3, 3)), 2, axis)
    grows = np.moveaxis(moved.apply(index), "ijk".index(found.phase_encoding[0]), 0)[:, 0, 0]
    assert (grows[1] > grows[0]) == (direction.endswith("-") == found.phase_encoding.endswith("-"))
