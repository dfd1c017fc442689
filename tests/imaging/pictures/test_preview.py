"""A preview shows the patient the right way round, in proportion and with its intensities, as a PNG anyone can open."""

import io

import numpy as np
import pytest
from PIL import Image

from imaging.errors import ImagingError
from imaging.pictures.lettering import drawn
from imaging.pictures.preview import PANEL, histogram, overlay, png, preview
from imaging.volumes.statistics import statistics
from imaging.volumes.volume import Volume


def opened(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def marked(shape=(20, 30, 40), spacing=(1.0, 1.0, 1.0)):
    """A volume with a bright block at the patient's right front top."""
    array = np.zeros(shape, np.int16)
    array[shape[0] // 2 :, shape[1] // 2 :, shape[2] // 2 :] = 1000
    return Volume(array, np.diag([*spacing, 1.0]))


def centre_of_light(panel):
    return np.argwhere(panel > 128).mean(axis=0) - (np.array(panel.shape) - 1) / 2


def test_right_is_left_front_and_top_are_up():
    picture = opened(preview(marked()))
    assert picture.shape == (PANEL, 4 * PANEL)
    axial, coronal, sagittal, _ = np.split(picture, 4, axis=1)
    for panel in (axial, coronal):
        down, right = centre_of_light(panel)
        assert down < 0 > right  # front or top is up; the patient's right is on the left
    down, right = centre_of_light(sagittal)
    assert down < 0 > right  # top is up, the front to the left


def test_a_missing_middle_slice_leaves_no_empty_plane():
    array = np.broadcast_to(np.arange(1000, 3000, 100, dtype=np.int16)[:, None, None], (20, 30, 40)).copy()
    array[..., 15:25] = 0
    picture = opened(preview(Volume(array, np.eye(4), missing_slices=tuple(range(15, 25)))))
    axial = picture[:, :PANEL]
    assert (axial > 128).mean() > 0.1


def test_millimetres_are_equally_long_in_all_planes():
    lit = Volume(np.full((20, 30, 10), 5, np.int16), np.diag([2.0, 1.0, 4.0, 1.0]))
    lit.array[0] = 9
    panels = np.split(opened(preview(lit)), 4, axis=1)
    extents = Volume(lit.array, lit.affine).spacing * np.array(lit.shape)
    assert extents.tolist() == [40, 30, 40]
    label = np.ones(lit.shape, np.uint8)
    shown = [np.argwhere(panel.any(axis=2)) for panel in np.split(opened(overlay(lit, label)), 3, axis=1)]
    sizes = [tuple(int(n) for n in np.ptp(found, axis=0) + 1) for found in shown]
    assert sizes == [(120, 160), (160, 160), (160, 120)]
    assert all(panel.shape == (PANEL, PANEL) for panel in panels)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 1, 3), (4, 4, 4, 3)], ids=str)
@pytest.mark.parametrize("value", [0, 7, np.nan], ids=str)
def test_degenerate_volumes_still_have_a_picture(shape, value):
    volume = Volume(np.full(shape, value, np.float32), np.eye(4), kind="dynamic" if len(shape) == 4 else "static")
    assert opened(preview(volume)).shape == (PANEL, 4 * PANEL)


def test_each_plane_names_its_sides():
    plain = Volume(np.zeros((20, 20, 20), np.int16), np.eye(4))
    planes = np.split(opened(preview(plain)), 4, axis=1)[:3]
    for plane, sides in zip(planes, ("RLAP", "RLSI", "APSI"), strict=True):
        edges = (plane[60:100, :16], plane[60:100, -16:], plane[:16, 60:100], plane[-16:, 60:100])
        for edge, side in zip(edges, sides, strict=True):
            rows, columns = (np.unique(place) for place in np.nonzero(edge))
            shown = edge[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] > 0
            np.testing.assert_array_equal(shown, drawn(side))


def test_the_histogram_marks_where_the_background_ends():
    array = np.random.default_rng(0).rayleigh(10, (40, 40, 40))
    array[10:30, 10:30, 10:30] = np.random.default_rng(1).normal(800, 20, (20, 20, 20))
    numbers = statistics(Volume(np.rint(array).astype(np.int16), np.eye(4)))
    panel = histogram(numbers)
    dotted = np.flatnonzero((panel == 255).any(axis=0))
    assert dotted.size == 1
    dark, bright = (np.flatnonzero((panel[:130] == grey).any(axis=0)) for grey in (110, 210))
    assert dark.max() <= dotted[0] < bright.min()
    share = numbers.threshold / numbers.levels[-1]
    assert (dotted[0] - 14) / 132 == pytest.approx(share, abs=1 / 132)


def test_the_histogram_of_an_image_without_background_marks_none():
    array = np.random.default_rng(0).normal(500, 80, (20, 20, 20)).clip(1).astype(np.int16)
    assert not (histogram(statistics(Volume(array, np.eye(4)))) == 255).any()


def test_labels_are_shown_where_there_is_most_of_them_in_their_colours():
    volume = marked()
    label = np.zeros(volume.shape, np.uint8)
    label[2:5, 3:6, 4:8] = 2
    picture = opened(overlay(volume, label)).astype(int)
    green = picture[:, :, 1] - picture[:, :, 0]
    assert all((panel > 40).any() for panel in np.split(green, 3, axis=1))
    with pytest.raises(ImagingError, match="label of shape"):
        overlay(volume, label[:-1])


def test_png_bytes_are_the_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(opened(png(pixels)), pixels)
