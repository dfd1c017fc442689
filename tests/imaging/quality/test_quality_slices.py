"""A slice that failed is found, and anatomy that changes from slice to slice is not taken for one."""

import dataclasses

import numpy as np
import pytest

from imaging.quality.quality import quality
from imaging.quality.quality_slices import profile
from imaging.volumes.volume import Volume
from tests.imaging.quality.test_quality import changed, head


def scan(steps=20, seed=0, **changes):
    """A dynamic scan of a head: noise alone differs between steps."""
    parts = [head(seed=seed + t, shape=(40, 44, 16)).array for t in range(steps)]
    return Volume(np.stack(parts, axis=3), np.diag([3.0, 3.0, 4.0, 1.0]), kind="dynamic", part="magnitude", **changes)


@pytest.mark.parametrize("left", [0.3, 0.0, 2.5], ids=["dropped", "dark", "spike"])
def test_a_slice_that_failed_stands_out(left):
    volume = head()
    array = volume.array.copy()
    array[:, :, 11] = np.rint(array[:, :, 11] * left)
    assert quality(volume).bad_slices == 0
    assert quality(changed(volume, array)).bad_slices == 1


def test_a_slice_that_failed_in_one_step_stands_out_from_its_own_past():
    volume = scan()
    array = volume.array.copy()
    array[:, :, 7, 4] = np.rint(array[:, :, 7, 4] * 0.7)
    array[:, :, 9, 12] = np.rint(array[:, :, 9, 12] * 0.7)
    assert quality(volume).bad_slices == 0
    assert quality(changed(volume, array)).bad_slices == 2


def test_a_step_that_is_brighter_as_a_whole_has_no_bad_slice():
    volume = scan()
    array = volume.array.copy()
    array[..., 6] = np.rint(array[..., 6] * 1.4)
    assert quality(changed(volume, array)).bad_slices == 0


def test_weighting_makes_steps_darker_and_no_slice_bad():
    volume = scan(8)
    weights = np.array([1, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 1])
    array = np.rint(volume.array * weights).astype(np.int16)
    bvals = np.where(weights < 1, 1000.0, 0.0)
    diffusion = dataclasses.replace(changed(volume, array), kind="diffusion", bvals=bvals)
    assert quality(diffusion).bad_slices == 0
    array[:, :, 8, 3] = np.rint(array[:, :, 8, 3] * 0.6)
    assert quality(dataclasses.replace(diffusion, array=array)).bad_slices == 1


@pytest.mark.parametrize("place", [0, 5, 23])
@pytest.mark.parametrize("value", [0, 300])
def test_an_empty_slice_is_counted_wherever_it_is(place, value):
    volume = head()
    array = volume.array.copy()
    array[:, :, place] = value
    assert quality(changed(volume, array)).empty_slices == 1


def test_an_empty_slice_is_counted_in_its_step():
    volume = scan(5)
    array = volume.array.copy()
    array[:, :, 3, 2] = 0
    assert quality(changed(volume, array)).empty_slices == 1


def test_a_masked_image_is_blank_above_and_below_and_that_is_no_fault():
    volume = head()
    masked = np.where(volume.array > 150, volume.array, 0).astype(np.int16)
    assert (masked[:, :, 0] == 0).all()
    assert quality(changed(volume, masked)).empty_slices == 0
    masked[:, :, 12] = 0
    assert quality(changed(volume, masked)).empty_slices == 1


def test_a_slice_with_one_voxel_between_those_looked_at_is_not_empty():
    array = np.zeros((300, 300, 8), np.int16)
    array[1, 1] = 5
    assert profile(array, 2).empty == 0
