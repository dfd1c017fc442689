"""A label map goes to the image it was drawn on, or to none."""

import numpy as np
import pytest

from imaging.errors import ImagingError
from imaging.labels.labels import fit, label_map
from imaging.volumes.volume import Volume
from schemas.reasons import Reason

SHAPE = (5, 6, 7)
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def label(array=None, affine=AFFINE, **rescale):
    return Volume(np.zeros(SHAPE, np.uint8) if array is None else array, affine, **rescale)


def shifted(x):
    moved = AFFINE.copy()
    moved[0, 3] = x
    return moved


def test_the_image_with_the_same_grid_is_found_among_others():
    candidates = [("moved", shifted(3), SHAPE), ("smaller", AFFINE, (5, 6, 6)), ("dti", AFFINE.ravel(), (*SHAPE, 9))]
    assert fit(label(), candidates) == "dti"
    assert fit(label(affine=shifted(0.02)), candidates) == "dti"


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ([], "0 images"),
        ([("a", AFFINE, (7, 6, 5))], "none of that shape"),
        ([("a", shifted(0.5), SHAPE)], "0.5 voxels"),
        ([("a", np.diag([1.05, 1.0, 2.0, 1.0]), SHAPE)], "corners"),
    ],
)
def test_a_label_that_fits_no_image_is_refused(candidates, said):
    with pytest.raises(ImagingError, match=said) as caught:
        fit(label(), candidates)
    assert caught.value.reason is Reason.LABEL_MISFIT


@pytest.mark.parametrize(
    ("top", "given", "kept"), [(3, np.float64, np.uint8), (300, np.int32, np.uint16), (255, np.int16, np.uint8)]
)
def test_values_become_the_smallest_integers_and_are_counted(top, given, kept):
    array = np.zeros(SHAPE, given)
    array[0, 0, :3] = top
    found = label_map(label(array))
    assert found.array.dtype == kept
    assert found.counts == {0: 207, top: 3}


def test_a_slope_is_applied():
    array = np.full(SHAPE, 4, np.int16)
    assert label_map(label(array, slope=0.5, intercept=-1.0)).counts == {1: 210}


@pytest.mark.parametrize(
    "array",
    [
        np.full(SHAPE, 0.5),
        np.full(SHAPE, -1, np.int16),
        np.full(SHAPE, 70000, np.int32),
        np.full(SHAPE, np.nan),
        np.zeros((*SHAPE, 2), np.uint8),
    ],
    ids=["fraction", "negative", "too high", "nan", "four axes"],
)
def test_values_that_are_no_labels_are_refused(array):
    with pytest.raises(ImagingError) as caught:
        label_map(Volume(array, AFFINE, kind="static" if array.ndim == 3 else "dynamic"))
    assert caught.value.reason is Reason.LABEL_MISFIT
