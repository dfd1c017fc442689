"""Contours enclose the voxels that they were drawn around, holes and islands and keyholes too, or none."""

import contextlib
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.errors import ImagingError
from imaging.labels import polygons, segmentations, structures
from imaging.labels.drawings import paint
from imaging.labels.polygons import filled
from schemas.reasons import Reason
from tests import annotations
from tests.annotations import STACKS, Stack, outlines, shapes, turned, without
from tests.encodings import encoded
from tests.imaging.labels.test_segmentations import grid, laid


def drawn(ds, stack):
    return list(paint(structures.read(encoded(ds)), grid(stack)))


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_outlined_voxels_come_back_with_holes_and_islands(stack):
    masks = shapes(stack)
    ds = annotations.structures(stack, {n: outlines(mask) for n, mask in masks.items()})
    (found,) = drawn(ds, stack)
    np.testing.assert_array_equal(found.map.array, laid(stack, masks[1] * 1 + masks[2] * 2))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 360), st.integers(0, 360), st.integers(0, 99), st.booleans())
def test_any_direction_gives_the_same_voxels(x, z, seed, back):
    stack = Stack(**turned(x + 0.5, z + 0.25), spacing=(1.5, 1.25, -3.0 if back else 3.0))
    masks = shapes(stack, seed)
    (found,) = drawn(annotations.structures(stack, {n: outlines(m) for n, m in masks.items()}), stack)
    np.testing.assert_array_equal(found.map.array, laid(stack, masks[1] * 1 + masks[2] * 2))


def test_overlapping_structures_get_a_map_each():
    stack = STACKS["oblique"]
    masks = shapes(stack, overlap=True)
    one, two = drawn(annotations.structures(stack, {n: outlines(m) for n, m in masks.items()}), stack)
    np.testing.assert_array_equal(one.map.array, laid(stack, masks[1] * 1))
    np.testing.assert_array_equal(two.map.array, laid(stack, masks[2] * 2))


def test_numbers_that_are_no_label_values_become_ranks():
    stack = STACKS["axial"]
    masks = shapes(stack)
    (found,) = drawn(annotations.structures(stack, {0: outlines(masks[1]), 70000: outlines(masks[2])}), stack)
    np.testing.assert_array_equal(found.map.array, laid(stack, masks[1] * 1 + masks[2] * 2))


def test_points_and_lines_are_left_and_counted():
    stack = STACKS["axial"]
    mask = shapes(stack, count=1)[1]
    extra = [(1, "POINT", [(1, 1, 1)]), (2, "OPEN_PLANAR", [(0, 0, 1), (3, 3, 1), (2, 1, 1)])]
    read = structures.read(encoded(annotations.structures(stack, {1: outlines(mask)}, extra=extra)))
    assert (read.notes["ignored_contours"], read.notes["structures_without_area"]) == (2, 1)
    (found,) = paint(read, grid(stack))
    np.testing.assert_array_equal(found.map.array, laid(stack, mask * 1))


def test_names_codes_and_manner_are_kept():
    stack = STACKS["axial"]
    read = structures.read(encoded(annotations.structures(stack, {1: outlines(shapes(stack)[1])})))
    (region,) = read.regions
    assert (region.name, region.made) == ("brain 1", "MANUAL")
    assert region.coding["type"]["code"] == "12738006"
    assert region.coding["interpreted"]["code"] == "ORGAN"
    assert len(read.references) == stack.shape[0] + 1  # the study it belongs to is one


@pytest.mark.parametrize("shift", [0.3, -0.5, 40])
def test_a_contour_beside_the_slices_is_refused(shift):
    stack = STACKS["oblique"]
    lines = [[(c, r, k + shift) for c, r, k in line] for line in outlines(shapes(stack)[1])]
    with pytest.raises(ImagingError) as caught:
        drawn(annotations.structures(stack, {1: lines}), stack)
    assert caught.value.reason is Reason.LABEL_MISFIT


def test_a_contour_beyond_the_matrix_is_cut_at_its_edge():
    stack = STACKS["axial"]
    line = [(-9.0, -9.0, 2), (2.5, -9.0, 2), (2.5, 3.5, 2), (-9.0, 3.5, 2)]
    (found,) = drawn(annotations.structures(stack, {1: [line]}), stack)
    expected = np.zeros(stack.shape, int)
    expected[2, :4, :3] = 1
    np.testing.assert_array_equal(found.map.array, laid(stack, expected))


@pytest.mark.parametrize("keyword", ["StructureSetROISequence", "ROIContourSequence"])
def test_a_missing_element_is_named_invalid(keyword):
    stack = STACKS["axial"]
    ds = without(annotations.structures(stack, {1: outlines(shapes(stack)[1])}), keyword)
    with pytest.raises(ImagingError) as caught:
        structures.read(encoded(ds))
    assert caught.value.reason is Reason.HEADER_INVALID


def test_nothing_enclosed_is_refused():
    with pytest.raises(ImagingError, match="closed contour"):
        structures.read(encoded(annotations.structures(STACKS["axial"], {}, extra=[(1, "POINT", [(1, 1, 1)])])))


def test_a_centre_on_an_edge_belongs_to_the_area():
    square = np.array([(1, 1), (3, 1), (3, 4), (1, 4)], dtype=float)
    expected = np.zeros((6, 6), bool)
    expected[1:4, 1:5] = True
    np.testing.assert_array_equal(filled([square], (6, 6)), expected)
    rounded = square + np.array([(4e-4, -4e-4), (-4e-4, 4e-4), (4e-4, 4e-4), (-4e-4, -4e-4)])
    np.testing.assert_array_equal(filled([rounded], (6, 6)), expected)


def test_a_keyhole_leaves_its_hole():
    outer = [(0.5, 0.5), (7.5, 0.5), (7.5, 7.5), (0.5, 7.5)]
    inner = [(2.5, 2.5), (2.5, 5.5), (5.5, 5.5), (5.5, 2.5)]
    # the channel runs from the first corner outside to the first inside and back
    keyhole = np.array([*outer, outer[0], *inner, inner[0]])
    two = filled([np.array(outer), np.array(inner)], (9, 9))
    np.testing.assert_array_equal(filled([keyhole], (9, 9)) & ~_diagonal(9), two & ~_diagonal(9))
    assert not two[3:6, 3:6].any()
    assert two.sum() == 49 - 9


def _diagonal(size):
    """Centres on the channel of the keyhole."""
    return np.eye(size, dtype=bool)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(3, 9))
def test_random_polygons_agree_with_crossing_counts(seed, corners):
    polygon = np.random.default_rng(seed).uniform(-2, 12, (corners, 2))
    found = filled([polygon], (11, 10))
    for i, j in np.ndindex(11, 10):
        near = {_odd(polygon, i + x, j + y) for x in (-0.01, 0, 0.01) for y in (-0.01, 0, 0.01)}
        if len(near) == 1:  # no edge runs close by
            assert found[i, j] == near.pop()


def _odd(polygon, x, y):
    odd = False
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


@pytest.mark.parametrize("kind", ["segmentation", "structure set"])
def test_a_damaged_object_is_painted_or_refused_with_a_reason(kind):
    stack, random = Stack(shape=(3, 4, 5)), np.random.default_rng(7)
    masks = shapes(stack)
    whole = annotations.segmentation(stack, masks)
    if kind == "structure set":
        whole = annotations.structures(stack, {n: outlines(mask) for n, mask in masks.items()})
    data, reader = encoded(whole), structures.read if kind == "structure set" else segmentations.read
    for number in range(200):
        damaged = bytearray(data)
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(132, len(damaged))] = random.integers(256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(ImagingError):
                list(
                    paint(
                        reader(bytes(damaged[: None if number % 5 else random.integers(140, len(data))])), grid(stack)
                    )
                )


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=20)
def test_a_polygon_taken_in_parts_fills_what_it_fills_as_a_whole(seed):
    polygon = np.random.default_rng(seed).uniform(-2, 12, (60, 2)).round(1)
    whole = filled([polygon], (11, 10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polygons, "AT_ONCE", 40)
        np.testing.assert_array_equal(filled([polygon], (11, 10)), whole)


def test_a_polygon_of_many_edges_is_filled_in_little_memory():
    up_and_down = np.stack([np.linspace(0, 500, 40_000), np.tile([-1.0, 513.0], 20_000)], axis=1)
    tracemalloc.start()
    try:
        filled([up_and_down], (512, 512))
        assert tracemalloc.get_traced_memory()[1] < 256 << 20
    finally:
        tracemalloc.stop()
