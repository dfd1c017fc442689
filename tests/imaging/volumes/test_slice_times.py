"""When a slice was taken is read where scanners say it, and nothing is made up where they do not."""

import gzip
import struct

import numpy as np
import pytest

from imaging.headers.reading import read_header
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan
from tests.imaging.volumes.scans import GE, OFFSETS, PLANES, SIEMENS, UIH, by_acquisition_time, private


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
