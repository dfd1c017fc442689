"""Where Larmor gives another volume than dcm2niix, or none: each case of `docs/explanation/volumes-and-dcm2niix.md`."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.errors import ImagingError
from imaging.headers.reading import read_header
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan
from schemas.reasons import Reason
from tests.imaging.vendor_forms import frames
from tests.imaging.vendor_series import SLICES, Maker


def volumes_of(files):
    headers = [read_header(data) for data in files]
    found = plan(headers)
    made = [assemble(volume, lambda i: stored_pixels(files[i], headers[i])) for volume in found.volumes]
    return made, [rejected.reason for rejected in found.rejected]


@pytest.fixture
def at(instance):
    """Makes an axial slice at some height, mm."""

    def make(z, number=1, y=-20.0, **elements):
        return instance(InstanceNumber=number, ImagePositionPatient=[-10.0, y, z], **elements)

    return make


def test_slabs_that_lie_apart_are_volumes_of_their_own(at):
    heights = [0, 3, 6, 9, 29.5, 32.5, 35.5, 38.5]
    made, rejected = volumes_of([at(z, k) for k, z in enumerate(heights, 1)])
    assert not rejected
    assert [volume.shape for volume in made] == [(5, 6, 4), (5, 6, 4)]
    assert sorted(volume.affine[2, 3] for volume in made) == [0, 29.5]
    assert all(volume.spacing[2] == pytest.approx(3) for volume in made)


def test_slabs_of_other_distances_are_volumes_of_their_own_at_every_step(at):
    heights = [0, 3, 6, 9, 15.5, 22, 28.5]
    files = [at(z, 10 * t + k, AcquisitionNumber=t) for t in (1, 2) for k, z in enumerate(heights)]
    made, rejected = volumes_of(files)
    assert not rejected
    assert sorted((volume.shape, round(volume.spacing[2], 3)) for volume in made) == [
        ((5, 6, 3, 2), 6.5), ((5, 6, 4, 2), 3.0)
    ]  # fmt: skip


def test_distances_that_vary_all_along_are_refused(at):
    made, rejected = volumes_of([at(z, k) for k, z in enumerate([0, 3, 7, 12, 18, 25, 33], 1)])
    assert not made
    assert set(rejected) == {Reason.GEOMETRY_INCONSISTENT}


def test_a_missing_slice_is_marked_and_not_closed_up(at):
    made, _ = volumes_of([at(3 * k, k + 1) for k in range(8) if k != 4])
    assert made[0].shape == (5, 6, 8)
    assert made[0].missing_slices == (4,)


def test_a_leaning_stack_has_a_leaning_affine(at):
    made, _ = volumes_of([at(3 * k, k + 1, y=-20 + k) for k in range(6)])
    assert made[0].affine[:3, 2].tolist() == pytest.approx([0, -1, 3])
    assert made[0].tilt == pytest.approx(np.degrees(np.arctan(1 / 3)))


def test_jitter_of_positions_does_not_add_up(at):
    shifts = np.random.default_rng(0).uniform(-0.05, 0.05, 20)
    shifts[0] = shifts[-1] = 0
    made, _ = volumes_of([at(3 * k + shift, k + 1) for k, shift in enumerate(shifts)])
    assert made[0].spacing[2] == pytest.approx(3)


@pytest.mark.parametrize(
    ("pixels", "bits", "expected"),
    [
        (np.full((6, 5), -7, np.int8), {}, -7),
        (np.full((6, 5), 5 << 2, np.uint16), {"BitsStored": 12, "HighBit": 13}, 5),
    ],
    ids=["signed bytes", "high bit below the top"],
)
def test_stored_bits_are_read_as_the_header_says(at, pixels, bits, expected):
    made, _ = volumes_of([at(3 * k, k + 1, pixels=pixels, **bits) for k in range(3)])
    assert (made[0].array == expected).all()


def test_an_age_that_is_none_costs_no_image(at):
    assert read_header(at(0, PatientAge="99")).age is None


def test_a_mosaic_that_does_not_divide_into_its_tiles_is_refused(dataset, file_of):
    kind = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    made = dataset(np.ones((7, 8), np.uint16), ImageType=kind, SpacingBetweenSlices=3)
    made.private_block(0x19, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", 4)
    assert volumes_of([file_of(made)]) == ([], [Reason.PIXELS_INVALID])


def test_a_united_imaging_mosaic_without_places_is_refused(dataset, file_of):
    made = dataset(np.ones((8, 8), np.uint16), Manufacturer="UIH", ImageType=["ORIGINAL", "PRIMARY", "M", "VFRAME"])
    block = made.private_block(0x65, "Image Private Header", create=True)
    block.add_new(0x50, "DS", 4)
    assert volumes_of([file_of(made)]) == ([], [Reason.UNSUPPORTED])
    tile = Dataset()
    tile.ImagePositionPatient = [0.0, 0.0, 0.0]
    block.add_new(0x51, "SQ", Sequence([tile] * 3))
    assert volumes_of([file_of(made)]) == ([], [Reason.UNSUPPORTED])


def test_pixels_that_are_no_numbers_are_refused(dataset, file_of):
    made = dataset(np.ones((6, 5), np.uint32))
    made.FloatPixelData = np.full((6, 5), np.nan, "<f4").tobytes()
    del made.PixelData
    data = file_of(made)
    header = read_header(data)
    with pytest.raises(ImagingError) as caught:
        assemble(plan([header]).volumes[0], [stored_pixels(data, header)])
    assert caught.value.reason is Reason.PIXELS_INVALID


def test_floating_point_pixels_of_other_bits_are_refused(dataset, file_of):
    made = dataset(np.ones((6, 5), np.uint16))
    made.FloatPixelData = np.ones((6, 5), "<f4").tobytes()
    del made.PixelData
    assert volumes_of([file_of(made)]) == ([], [Reason.PIXELS_INVALID])


def test_slices_of_other_pixel_spacings_are_volumes_of_their_own(at):
    files = [at(3 * k, 10 * n + k, PixelSpacing=[side, side]) for n, side in enumerate((0.5, 0.7)) for k in range(3)]
    made, rejected = volumes_of(files)
    assert not rejected
    assert [volume.spacing[:2] for volume in made] == [(0.5, 0.5), (0.7, 0.7)]


def test_a_repetition_time_of_each_slice_splits_no_volume(at):
    made, rejected = volumes_of([at(3 * k, k + 1, RepetitionTime=500.0 + k) for k in range(4)])
    assert not rejected
    assert [volume.shape for volume in made] == [(5, 6, 4)]


def test_positions_of_source_images_are_not_the_images_own(dataset, file_of):
    files = []
    for k in range(4):
        made = dataset(ImagePositionPatient=[-10.0, -20.0, 3.0 * k], InstanceNumber=k + 1)
        source = Dataset()
        source.ImagePositionPatient = [9.0, 9.0, 9.0]
        made.SourceImageSequence = Sequence([source])
        files.append(file_of(made))
    (volume,), _ = volumes_of(files)
    assert volume.affine[2].tolist() == [0, 0, 3, 0]


def test_united_imaging_directions_are_unit_vectors(dataset, file_of):
    made = dataset(Manufacturer="UIH")
    block = made.private_block(0x65, "Image Private Header", create=True)
    block.add_new(0x09, "FD", 1000.0)
    block.add_new(0x37, "FD", [0.5, 0.5, 0.0])
    (volume,), _ = volumes_of([file_of(made)])
    assert np.linalg.norm(volume.bvecs) == pytest.approx(1)


def test_frames_of_an_aborted_step_are_left_out_and_told(dataset, file_of):
    maker = Maker(dataset, "aborted", 1)
    every = [{"k": k, "dims": [1, k + 1, t + 1], "temporal": t + 1} for t in range(3) for k in range(SLICES)]
    frames(maker, every[:-2], [0x00209056, 0x00209057, 0x00209128], shuffled=False)
    (volume,), reasons = volumes_of([file_of(maker.made[0])])
    assert volume.shape[2:] == (SLICES, 2)
    assert reasons == [Reason.GEOMETRY_INCONSISTENT]


@pytest.mark.parametrize(("thickness", "gap"), [(2.4, 0.6), (4.0, -1.0), (None, None)])
def test_gaps_and_overlaps_of_slices_are_recorded(at, thickness, gap):
    made, _ = volumes_of([at(3 * k, k + 1, SliceThickness=thickness) for k in range(4)])
    assert made[0].gap == (None if gap is None else pytest.approx(gap))


def test_a_single_slice_has_no_gap(at):
    made, _ = volumes_of([at(0)])
    assert made[0].gap is None
