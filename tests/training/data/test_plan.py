"""Which tokens a window has is known from its row, up to the rim, and from its stored voxels exactly."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.plan import layout, planned, refined
from training.data.volume import Window, above, facts_of, normalize


def facts(shape, missing=()):
    blocks = [-(-n // 8) for n in shape]
    row = {
        "shape": list(shape), "spacing": [1.0, 1.0, 4.0], "slope": 1.0, "intercept": 0.0, "missing_axis": 2,
        "percentiles": [10.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0, 90.0, 100.0], "missing_slices": list(missing),
        "occupancy": np.packbits(np.ones(blocks, bool).ravel()).tobytes(),
    }  # fmt: skip
    return facts_of("v", row)


def test_missing_slices_that_are_simulated_are_absent_tokens_as_delivered_ones_are():
    volume = facts((16, 16, 10))
    place = Window((0, 0, 0), (16, 16, 10))
    window = layout(volume, place, (8, 8, 1), missing=(0.3, 0.5))
    gone = [int(i) for i in np.flatnonzero(~window.slices[2])]
    assert len(gone) == 3
    delivered = layout(facts((16, 16, 10), gone), place, (8, 8, 1))
    stored = np.full((16, 16, 10), 50, np.int16)
    assert {*refined(volume, window, stored).index[:, 2]} == {*range(10)} - {*gone}
    np.testing.assert_array_equal(planned(volume, window).index, planned(facts((16, 16, 10), gone), delivered).index)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.tuples(*[st.integers(3, 26)] * 3), st.booleans(), st.sampled_from([2, 4, 8, 16]))
def test_tokens_are_those_with_tissue_and_the_map_knew_of_them_all(seed, shape, flip, edge):
    draw = np.random.default_rng(seed)
    stored = draw.integers(0, 11, shape).astype(np.int16)
    stored[: shape[0] // 2] = 0
    occupied = np.zeros([-(-n // 8) for n in shape], bool)
    for block in np.ndindex(occupied.shape):
        occupied[block] = (stored[tuple(slice(8 * b, 8 * b + 8) for b in block)] >= 10).any()
    volume = replace(facts(shape, [1]), occupancy=occupied)
    start = tuple(int(draw.integers(n)) for n in shape)
    place = Window(start, tuple(int(draw.integers(1, n - s + 1)) for n, s in zip(shape, start, strict=True)))
    window = layout(volume, place, (edge, edge, 2), flip=flip)
    if not window.slices[2].any():
        return  # nothing but the missing slice
    box = stored[tuple(slice(s, s + n) for s, n in zip(start, place.shape, strict=True))]
    box = box[::-1] if flip else box
    expected = set()
    for index in np.ndindex(*(-(-n // p) for n, p in zip(box.shape, window.patch, strict=True))):
        token = tuple(slice(i * p, i * p + p) for i, p in zip(index, window.patch, strict=True))
        inside = box[token]
        measured = window.slices[2][token[2]]
        if 2 * measured.sum() >= measured.size and ((inside >= 10) & measured).mean() >= 0.02:
            expected.add(index)
    found, before = refined(volume, window, box), planned(volume, window)
    if expected:
        assert {*map(tuple, found.index.tolist())} == expected
        assert expected <= {*map(tuple, before.index.tolist())}
    assert len(found) > 0


def test_a_mirrored_window_has_the_mirrored_tokens():
    volume = facts((24, 16, 8))
    stored = np.zeros((24, 16, 8), np.int16)
    stored[:8, :8] = 50
    place = Window((0, 0, 0), (24, 16, 8))
    plain = refined(volume, layout(volume, place, (8, 8, 2)), stored)
    mirrored = refined(volume, layout(volume, place, (8, 8, 2), flip=True), stored[::-1])
    np.testing.assert_allclose(np.sort(mirrored.positions[:, 0]), np.sort(-plain.positions[:, 0]))
    np.testing.assert_array_equal(np.unique(mirrored.index[:, 0]), [2])


@pytest.mark.parametrize(
    ("dtype", "slope", "intercept"), itertools.product(("int16", "uint8", "float32"), (1.0, 0.37, -2.0), (0.0, -7.5))
)
def test_stored_values_are_told_from_background_as_normalized_ones_are(dtype, slope, intercept):
    levels = np.arange(0, 200, dtype=dtype).reshape(10, 10, 2)
    background = 120 * slope + intercept
    volume = replace(
        facts((10, 10, 2)),
        slope=slope,
        intercept=intercept,
        background=background,
        low=background,
        high=background + 100,
    )
    np.testing.assert_array_equal(above(levels, volume), normalize(levels, volume)[1])
