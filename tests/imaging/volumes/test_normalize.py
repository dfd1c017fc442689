"""Normalizing moves voxels and never changes them: every voxel keeps its value at its place in the patient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.errors import ImagingError
from imaging.volumes.geometry import stack
from imaging.volumes.normalize import assemble
from imaging.volumes.series import VolumePlan
from schemas.reasons import Reason

ORIENTATIONS = [
    (1, 0, 0, 0, 1, 0),
    (1, 0, 0, 0, 0, -1),
    (0, 1, 0, 0, 0, -1),
    (0, -1, 0, -1, 0, 0),
    (0.6, 0.8, 0, 0, 0, 1),
]


def planned(steps, depth, orientation=ORIENTATIONS[0], rows=3, columns=4, missing=(), **changes):
    normal = np.cross(orientation[:3], orientation[3:])
    present = [k for k in range(depth) if k not in missing]
    grid = stack([normal * 2.5 * k for k in present], orientation, (1.0, 1.5), 2.5)
    instances = np.full((steps, depth), -1)
    instances[:, present] = np.arange(steps * len(present)).reshape(steps, -1)
    values = {
        "frames": np.zeros((steps, depth), int),
        "slopes": np.ones((steps, depth)),
        "intercepts": np.zeros((steps, depth)),
        "kind": "dynamic" if steps > 1 else "static",
        "part": "magnitude",
    }
    return VolumePlan(instances=instances, affine=grid.affine, rows=rows, columns=columns, **(values | changes))


@given(
    st.integers(1, 3),
    st.integers(3, 6),
    st.sampled_from(ORIENTATIONS),
    st.sampled_from([(), (1,)]),
    st.integers(0, 2**31),
)
@settings(max_examples=50, deadline=None)
def test_every_voxel_keeps_its_value_and_its_place_in_the_patient(steps, depth, orientation, missing, seed):
    plan = planned(steps, depth, orientation, missing=missing)
    pixels = np.random.default_rng(seed).integers(-1000, 1000, (plan.instances.max() + 1, 3, 4), dtype=np.int16)
    volume = assemble(plan, pixels)
    assert volume.array.dtype == np.int16
    assert min(volume.array.strides) == volume.array.itemsize
    assert np.linalg.det(volume.affine[:3, :3]) > 0 or np.linalg.det(plan.affine[:3, :3]) < 0
    inverse = np.linalg.inv(volume.affine)
    seen = 0
    for step, k in np.argwhere(plan.instances >= 0):
        for row, column in np.ndindex(3, 4):
            place = inverse @ plan.affine @ [column, row, k, 1]
            index = np.rint(place).astype(int)[:3]
            np.testing.assert_allclose(place[:3], index, atol=1e-6)
            stored = volume.array[(*index, step)] if steps > 1 else volume.array[tuple(index)]
            assert stored == pixels[plan.instances[step, k], row, column]
            seen += 1
    assert volume.array.size - seen == steps * 12 * len(missing)
    for index in volume.missing_slices:
        assert not np.take(volume.array, index, volume.missing_axis).any()
    assert len(volume.missing_slices) == len(missing)


def test_slices_with_one_slope_stay_the_integers_of_the_files():
    volume = assemble(
        planned(1, 2, slopes=np.full((1, 2), 0.25), intercepts=np.full((1, 2), -3.0)), [_ones(7), _ones(9)]
    )
    assert (volume.slope, volume.intercept, volume.rescaled) == (0.25, -3.0, False)
    assert set(np.unique(volume.array)) == {7, 9}


@pytest.mark.parametrize(
    ("slopes", "dtype"), [([1.0, 2.0], np.int8), ([0.5, 0.25], np.float32), ([300.0, 1.0], np.int16)]
)
def test_slices_with_their_own_slopes_become_values_and_say_so(slopes, dtype):
    volume = assemble(planned(1, 2, slopes=np.array([slopes])), [_ones(7), _ones(9)])
    assert (volume.slope, volume.intercept, volume.rescaled) == (1.0, 0.0, True)
    assert volume.array.dtype == dtype
    assert set(np.unique(volume.array)) == {7 * slopes[0], 9 * slopes[1]}


def test_slices_of_different_widths_share_a_type_that_holds_both():
    volume = assemble(planned(1, 2), [_ones(7), _ones(60000).astype(np.uint16)])
    assert set(np.unique(volume.array)) == {7, 60000}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_gradients_follow_the_voxel_axes(orientation):
    gradients = np.array([[0, 0, 0], [1, 0, 0], [0, 0.6, 0.8]])  # LPS
    plan = planned(3, 4, orientation, kind="diffusion", bvals=np.array([0.0, 1e3, 1e3]), gradients=gradients)
    volume = assemble(plan, [_ones(1)] * 12)
    axes = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    np.testing.assert_allclose(volume.bvecs @ axes.T, gradients * [-1, -1, 1], atol=1e-12)
    assert volume.bvals.tolist() == [0, 1000, 1000]


def test_pixels_are_asked_for_one_instance_at_a_time():
    asked = []
    assemble(planned(2, 3), lambda i: asked.append(i) or _ones(i))
    assert sorted(asked) == list(range(6))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 3), np.int16), np.zeros((3, 4), np.complex64), np.full((3, 4), np.nan, np.float32)],
    ids=["turned", "complex", "not finite"],
)
def test_pixels_of_another_shape_or_kind_are_refused(wrong):
    with pytest.raises(ImagingError) as caught:
        assemble(planned(1, 2), [wrong, wrong])
    assert caught.value.reason is Reason.PIXELS_INVALID


def _ones(value):
    return np.full((3, 4), value, np.uint16 if value > 255 else np.uint8)


@pytest.mark.parametrize(
    ("slopes", "pixels"),
    [([1e30, 2e30], np.int16), ([4e14, 9e14], np.uint16)],
    ids=["beyond integers", "sum overflows"],
)
def test_large_slopes_of_slices_give_their_values_in_single_precision(slopes, pixels):
    stored = np.iinfo(pixels).max
    slices = [np.full((3, 4), stored, pixels)] * 2
    volume = assemble(planned(1, 2, slopes=np.array([slopes])), slices)
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(np.unique(volume.array), [stored * slope for slope in slopes], rtol=1e-6)


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_values_that_single_precision_cannot_hold_are_refused(kind):
    slices = [np.full((3, 4), 3, kind)] * 2
    with pytest.raises(ImagingError, match="cannot hold") as caught:
        assemble(planned(1, 2, slopes=np.array([[1.0, 1e300]])), slices)
    assert caught.value.reason is Reason.PIXELS_INVALID
