"""A stack's grid is the one it was cut from, whatever the order of its files and whichever slices are lost."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.errors import ImagingError
from imaging.volumes.geometry import canonical, stack
from schemas.reasons import Reason

AXIAL = (1, 0, 0, 0, 1, 0)


def rotation(angles):
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turned = turned @ step
    return turned


@given(st.integers(3, 40), st.floats(0.3, 8.0), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_shuffled_stack_with_lost_slices_keeps_its_grid(depth, spacing, random):
    kept = sorted({0, 1, depth - 1} | {k for k in range(depth) if random.random() > 0.3})
    if len(kept) * 2 < depth:
        kept = list(range(depth))
    shuffled = random.sample(kept, len(kept))
    grid = stack([(-100.0, -120.0, spacing * k) for k in shuffled], AXIAL, (0.5, 0.75))
    assert [shuffled[i] for i in grid.order] == kept
    assert grid.missing.tolist() == [k for k in range(depth) if k not in kept]
    np.testing.assert_allclose(grid.affine @ [1, 2, depth - 1, 1], [99.25, 119.0, spacing * (depth - 1), 1], atol=1e-9)


def test_rounded_positions_of_a_long_stack_do_not_drift_into_a_gap():
    z = np.round(np.arange(600) * 0.4877, 2)
    grid = stack([(0, 0, k) for k in z], AXIAL, (1, 1))
    assert grid.depth == 600
    assert not grid.missing.size


def test_a_leaning_stack_keeps_its_voxels_where_they_are():
    grid = stack([(0.0, 0.5 * k, 2.0 * k) for k in range(10)], AXIAL, (1, 1))
    assert grid.tilt == pytest.approx(np.degrees(np.arctan2(0.5, 2)))
    np.testing.assert_allclose(grid.affine @ [0, 0, 9, 1], [0, -4.5, 18, 1])


@pytest.mark.parametrize("digits", [3, 4, 6])
def test_rounded_cosines_keep_pixels_square_and_slices_in_place(digits):
    turned = rotation((0.2, -0.4, 0.3))
    orientation = np.round(np.concatenate([turned[:, 0], turned[:, 1]]), digits)
    grid = stack([turned[:, 2] * 3.3 * k for k in range(20)], orientation, (1.25, 0.75))
    np.testing.assert_allclose(np.linalg.norm(grid.affine[:3], axis=0)[:3], [0.75, 1.25, 3.3], rtol=1e-12)
    np.testing.assert_allclose(grid.affine[:3, 2], turned[:, 2] * [-3.3, -3.3, 3.3], atol=1e-12)
    assert grid.tilt == 0


def test_a_single_slice_is_as_thick_as_it_says():
    assert np.linalg.norm(stack([(0, 0, 0)], AXIAL, (1, 1), 4.5).affine[:3, 2]) == pytest.approx(4.5)
    assert np.linalg.norm(stack([(0, 0, 0)], AXIAL, (1, 1)).affine[:3, 2]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("positions", "orientation", "said"),
    [
        ([(0, 0, z) for z in (0, 1, 1, 2)], AXIAL, "repeated slice positions"),
        ([(0, 0, z) for z in (0, 1, 2.4, 3)], AXIAL, "multiples of one spacing"),
        ([(0, 0, z) for z in (0, 1, 40)], AXIAL, "3 of 41 slices"),
        ([(0, 0, 0), (3, 0, 1), (0, 0, 2)], AXIAL, "off one line"),
        ([(0, 0, 0), (0, 0, 1)], (1, 0, 0, 1, 0, 0), "perpendicular"),
        ([(0, 0, 0), (0, 0, 1)], (2, 0, 0, 0, 1, 0), "perpendicular"),
        ([(0, 0, 0), (0, 0, np.nan)], AXIAL, "not finite"),
    ],
    ids=["two echoes", "irregular gap", "two stacks", "moved", "parallel axes", "long axis", "nan"],
)
def test_what_is_no_stack_is_refused_with_the_reason(positions, orientation, said):
    with pytest.raises(ImagingError, match=said) as caught:
        stack(positions, orientation, (1, 1))
    assert caught.value.reason is Reason.GEOMETRY_INCONSISTENT


@given(
    st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    st.tuples(*[st.floats(0.2, 5.0)] * 3),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.tuples(*[st.booleans()] * 3),
)
@settings(max_examples=50, deadline=None)
def test_canonical_axes_are_those_of_nibabel_and_move_no_voxel(angles, spacing, shape, mirrored):
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) * np.array(spacing) * np.where(mirrored, -1, 1)
    affine[:3, 3] = (3, -4, 5)
    array = np.arange(np.prod(shape)).reshape(shape)
    ours = canonical(affine, shape)
    theirs = nib.as_closest_canonical(nib.Nifti1Image(array.astype(np.int32), affine))
    np.testing.assert_array_equal(ours.apply(array), np.asarray(theirs.dataobj))
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-9)
    assert ours.shape == ours.apply(array).shape
    for k in range(shape[2]):
        moved = ours.apply(np.broadcast_to(np.arange(shape[2]), shape))
        assert (np.take(moved, ours.place(2, k), ours.axis(2)) == k).all()


def test_a_singular_affine_is_refused():
    with pytest.raises(ImagingError, match="singular"):
        canonical(np.zeros((4, 4)), (2, 2, 2))
