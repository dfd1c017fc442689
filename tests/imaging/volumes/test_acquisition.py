"""How a volume was acquired is read from what states it, holds along the volume's own axes, and is never guessed."""

import gzip
import struct

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

PLANES = {
    "axial": ([1, 0, 0, 0, 1, 0], 2, False),
    "axial, feet last": ([1, 0, 0, 0, -1, 0], 2, True),
    "coronal": ([1, 0, 0, 0, 0, -1], 1, True),
    "sagittal": ([0, 1, 0, 0, 0, -1], 0, False),
}
"""Rows and columns in LPS axes, the canonical axis of the slices, whether it runs against their order."""
OFFSETS = (0.0, 0.8, 0.4, 1.2, 1.6)
SIEMENS, GE, UIH = "SIEMENS", "GE MEDICAL SYSTEMS", "UIH"


@pytest.fixture
def volumes(dataset, file_of):
    """Makes the volumes of a series; `vary` changes an image by its step and place in the stack."""

    def make(orientation=PLANES["axial"][0], depth=5, steps=3, vary=lambda image, step, place: None, **elements):
        normal = np.cross(orientation[:3], orientation[3:])
        files = []
        for step in range(steps):
            for place in range(depth):
                stated = {
                    "ImageOrientationPatient": orientation,
                    "ImagePositionPatient": [float(x) for x in normal * 3 * place],
                    "InstanceNumber": step * depth + place + 1,
                    "AcquisitionNumber": step + 1,
                    "AcquisitionTime": clock(step, 0.0),
                    "ScanningSequence": ["EP", "GR"],
                    "MRAcquisitionType": "2D",
                    "RepetitionTime": 2000,
                    "EchoTime": 30,
                    "FlipAngle": 70,
                }
                image = dataset(np.full((8, 8), 10 * step + place, np.uint16), **(stated | elements))
                vary(image, step, place)
                files.append(file_of(image))
        headers = [read_header(data) for data in files]
        found = plan(headers)
        assert not found.rejected
        return [assemble(volume, lambda i: stored_pixels(files[i], headers[i])) for volume in found.volumes]

    return make


def clock(step, offset):
    return f"{101500 + 2 * step + offset:013.6f}"


def by_acquisition_time(image, step, place):
    image.AcquisitionTime = clock(step, OFFSETS[place])


def private(group, creator, **elements):
    """Adds private elements, as `x1C=("IS", 1)`; a value may be a function of step and place."""

    def vary(image, step, place):
        block = image.private_block(group, creator, create=True)
        for name, (vr, value) in elements.items():
            block.add_new(int(name[1:], 16), vr, value(step, place) if callable(value) else value)

    return vary


# slice times


@pytest.mark.parametrize("maker", [SIEMENS, UIH])
@pytest.mark.parametrize("name", PLANES)
def test_slice_times_lie_along_the_axis_and_in_the_order_of_the_volume(volumes, maker, name):
    orientation, axis, reversed_ = PLANES[name]
    (volume,) = volumes(orientation, vary=by_acquisition_time, Manufacturer=maker)
    assert volume.acquisition.slice_axis == axis
    assert volume.acquisition.slice_times == (OFFSETS[::-1] if reversed_ else OFFSETS)
    # each slice holds its own place as value, so that the order of voxels is checked too
    order = np.moveaxis(volume.array[..., 0], axis, 0)[:, 0, 0]
    assert [OFFSETS[int(place)] for place in order] == list(volume.acquisition.slice_times)


def test_times_over_midnight_go_on(volumes):
    def vary(image, step, place):
        image.AcquisitionTime = ["235959.5", "235959.9", "000000.3", "000000.7", "000001.1"][place]

    (volume,) = volumes(steps=1, vary=vary, Manufacturer=SIEMENS)
    assert volume.acquisition.slice_times == (0.0, 0.4, 0.8, 1.2, 1.6)


@pytest.mark.parametrize(
    ("elements", "vary"),
    [
        ({"Manufacturer": "Philips"}, by_acquisition_time),
        ({"Manufacturer": "CANON_MEC"}, by_acquisition_time),
        ({"Manufacturer": SIEMENS}, lambda image, step, place: None),
        ({"Manufacturer": SIEMENS, "RepetitionTime": 1500}, by_acquisition_time),
        ({"Manufacturer": SIEMENS, "RepetitionTime": None}, by_acquisition_time),
        ({"Manufacturer": SIEMENS, "MRAcquisitionType": "3D"}, by_acquisition_time),
        ({"Manufacturer": GE}, by_acquisition_time),
    ],
)
def test_slice_times_that_nothing_states_are_none(volumes, elements, vary):
    (volume,) = volumes(vary=vary, **elements)
    assert volume.acquisition.slice_times is None


def test_a_stack_with_a_missing_slice_has_no_slice_times(volumes):
    def vary(image, step, place):
        by_acquisition_time(image, step, place)
        image.ImagePositionPatient = [0, 0, 3 * (place + (place > 2))]

    (volume,) = volumes(steps=1, vary=vary, Manufacturer=SIEMENS)
    assert volume.missing_slices == (3,)
    assert volume.acquisition.slice_times is None


def test_the_scanner_s_clock_stands_in_where_times_of_day_are_gone(volumes):
    vary = private(0x0019, "SIEMENS MR HEADER", x16=("DS", lambda step, place: f"{2 * step + OFFSETS[place]:.4f}"))
    (volume,) = volumes(vary=vary, Manufacturer=SIEMENS, AcquisitionTime=None)
    assert volume.acquisition.slice_times == OFFSETS
    assert volume.times.tolist() == [0, 2, 4]


@pytest.mark.parametrize("unit", [1.0, 10.0, 1e-3])
def test_ge_s_timer_is_read_in_whatever_unit_fills_the_repetition_time(volumes, unit):
    vary = private(0x0021, "GEMS_RELA_01", x5E=("DS", lambda step, place: unit * 1000 * (2 * step + OFFSETS[place])))
    (volume,) = volumes(vary=vary, Manufacturer=GE)
    assert volume.acquisition.slice_times == OFFSETS


def test_ge_s_trigger_times_are_slice_times_of_echo_planar_scans_alone(volumes):
    def vary(image, step, place):
        image.TriggerTime = 1000 * OFFSETS[place]

    (volume,) = volumes(vary=vary, Manufacturer=GE)
    assert volume.acquisition.slice_times == OFFSETS
    assert volumes(vary=vary, Manufacturer=GE, ScanningSequence="GR")[0].acquisition.slice_times is None


def protocol(order):
    packed = gzip.compress(f'SLICEORDER "{order}"\n'.encode())
    return struct.pack("<I", len(packed)) + packed


@pytest.mark.parametrize(
    ("order", "bands", "expected"),
    [
        (0, "1", (0.0, 0.4, 0.8, 1.2, 1.6)),
        (1, "0", (0.0, 1.2, 0.4, 1.6, 0.8)),
        (0, "2", (0.0, 0.666667, 1.333333, 0.0, 0.666667)),
        (1, "2", (0.0, 1.333333, 0.666667, 0.0, 1.333333)),
        (1, None, None),
        (7, "1", None),
    ],
)
def test_ge_s_slice_order_gives_times_where_slices_are_excited_one_by_one(volumes, order, bands, expected):
    def vary(image, step, place):
        private(0x0025, "GEMS_SERS_01", x1B=("OB", protocol(order)))(image, step, place)
        if bands:
            private(0x0043, "GEMS_PARM_01", xB6=("LO", [bands, "4", "19"]))(image, step, place)

    (volume,) = volumes(vary=vary, Manufacturer=GE, SoftwareVersions="RX27.0_R02_1831.a")
    assert volume.acquisition.slice_times == expected


@pytest.mark.parametrize(
    ("release", "bands", "pause", "weighting"),
    [
        (None, "2", None, None),
        ("a name of one's own", "2", None, None),
        ("DV25.1_R02_1549.b", "2", None, None),
        ("DV28.0_R02_1947.a", "2", -1.0, None),
        ("DV28.0_R02_1947.a", "1", -1.0, None),
        ("DV28.0_R02_1947.a", "2", None, 1000),
    ],
)
def test_ge_s_slice_order_says_nothing_where_release_pause_or_kind_leave_it_open(
    volumes, release, bands, pause, weighting
):
    def vary(image, step, place):
        private(0x0025, "GEMS_SERS_01", x1B=("OB", protocol(1)))(image, step, place)
        private(0x0043, "GEMS_PARM_01", xB6=("LO", [bands, "4", "19"]))(image, step, place)
        if pause:
            private(0x0043, "GEMS_PARM_01", x7C=("FL", pause))(image, step, place)
        if weighting and step:
            private(0x0043, "GEMS_PARM_01", x39=("IS", [weighting, 8, 0, 0]))(image, step, place)
            private(0x0019, "GEMS_ACQU_01", xBB=("DS", 1), xBC=("DS", 0), xBD=("DS", 0))(image, step, place)

    (volume,) = volumes(vary=vary, Manufacturer=GE, SoftwareVersions=release, InPlanePhaseEncodingDirection="COL")
    assert (volume.kind == "diffusion") == bool(weighting)
    assert volume.acquisition.slice_times is None


@pytest.mark.parametrize(
    ("depth", "bands", "order", "downwards", "repetition", "pattern"),
    [
        (77, 8, 1, False, 1000, (0, 0.5, 0.1, 0.6, 0.2, 0.7, 0.3, 0.9, 0.4, 0.8)),
        (77, 8, 0, True, 1000, (0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0, 0.9, 0.8, 0.7)),
        (72, 8, 1, True, 1000, tuple(n / 9 for n in (4, 8, 3, 7, 2, 6, 1, 5, 0))),
        (48, 3, 1, False, 2000, tuple(n / 8 for n in (0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 15, 7, 14))),
        (45, 3, 1, True, 2000, tuple(n * 2 / 15 for n in (7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0))),
    ],
)
def test_times_of_ge_s_own_scans_with_several_slices_at_once(
    volumes, depth, bands, order, downwards, repetition, pattern
):
    """As in the sidecars of series 6, 13, 8 and 14, and of epiRT series 7 with a pause, of dcm_qa_ge."""

    def vary(image, step, place):
        image.ImagePositionPatient = [0, 0, 2.0 * (depth - 1 - place if downwards else place)]
        private(0x0025, "GEMS_SERS_01", x1B=("OB", protocol(order)))(image, step, place)
        private(0x0043, "GEMS_PARM_01", xB6=("LO", [f"{bands}", "4", "19"]), x7C=("FL", 0.055))(image, step, place)

    release = ["28", "LX", "MR Software release:DV28.0_R02_1947.a"]
    (volume,) = volumes(
        depth=depth, steps=2, vary=vary, Manufacturer=GE, SoftwareVersions=release, RepetitionTime=repetition
    )
    found = volume.acquisition.slice_times
    assert found == pytest.approx([pattern[place % len(pattern)] for place in range(depth)], abs=1e-6)


def test_trigger_times_of_ge_are_not_those_of_slices_excited_together(volumes):
    """They are as if each slice had been excited alone, and fit a repetition all the same."""

    def vary(image, step, place):
        image.TriggerTime = 1000 * OFFSETS[place]
        private(0x0043, "GEMS_PARM_01", xB6=("LO", ["2", "4", "19"]))(image, step, place)

    (unordered,) = volumes(vary=vary, Manufacturer=GE, SoftwareVersions="DV28.0_R02_1947.a")
    assert unordered.acquisition.slice_times is None

    def ordered(image, step, place):
        vary(image, step, place)
        private(0x0025, "GEMS_SERS_01", x1B=("OB", protocol(1)))(image, step, place)

    (volume,) = volumes(vary=ordered, Manufacturer=GE, SoftwareVersions="DV28.0_R02_1947.a")
    assert volume.acquisition.slice_times == (0.0, 1.333333, 0.666667, 0.0, 1.333333)


def test_a_pause_of_its_own_length_after_each_volume_gives_no_times_of_steps(volumes):
    for pause, expected in ((0.5, [0, 2.5, 5]), (-1.0, None)):
        vary = private(0x0043, "GEMS_PARM_01", x7C=("FL", pause))
        (volume,) = volumes(vary=vary, Manufacturer=GE, AcquisitionTime="101500")
        assert (volume.times is None) if expected is None else (volume.times.tolist() == expected)


@pytest.mark.parametrize("towards_head", [True, False])
def test_tiles_of_a_mosaic_carry_their_times_with_them(dataset, file_of, towards_head):
    pixels = np.repeat(np.repeat(np.arange(9).reshape(3, 3), 4, 0), 4, 1).astype(np.uint16)
    image = dataset(
        pixels, Manufacturer=SIEMENS, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"], SpacingBetweenSlices=3.0
    )
    image.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", 7)
    times = [1500.0, 0.0, 900.0, 300.0, 1200.0, 600.0, 1800.0]
    image.private_block(0x0019, "SIEMENS MR HEADER").add_new(0x29, "FD", times)
    own = image.private_block(0x0029, "LARMOR FACTS", create=True)
    own.add_new(0x01, "FD", [0.0, 0.0, 1.0 if towards_head else -1.0])
    data = file_of(image)
    header = read_header(data)
    volume = assemble(plan([header]).volumes[0], lambda _: stored_pixels(data, header))
    found = volume.acquisition.slice_times
    assert found == tuple(time / 1000 for time in (times if towards_head else times[::-1]))
    assert [times[int(tile)] / 1000 for tile in volume.array[0, 0]] == list(found)


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
