"""Bending moves an image and its labels together, never folds it, and is a function of its random numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.deform import bent

SEEDS = st.integers(0, 2**32 - 1)


def draw(seed):
    return np.random.default_rng(seed)


def test_no_strength_reads_the_window_as_it_is():
    values = draw(0).normal(size=(9, 8, 7)).astype(np.float32)
    bend = bent((4, 5, 3), (2, 1, 3), (1.0, 2.0, 3.0), 0.0, draw(1))
    np.testing.assert_allclose(bend.intensities(values), values[2:6, 1:6, 3:6], atol=1e-5)
    np.testing.assert_array_equal(bend.nearest(np.round(values * 9).astype(int)), np.round(values * 9)[2:6, 1:6, 3:6])


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0, 2))
def test_labels_go_where_the_image_goes(seed, strength):
    shape = (14, 12, 10)
    for axis in range(3):
        where = np.broadcast_to(np.expand_dims(np.arange(shape[axis]), [a for a in range(3) if a != axis]), shape)
        bend = bent(shape, (0, 0, 0), (1.0, 1.0, 1.0), strength, draw(seed))
        assert np.abs(bend.intensities(where) - bend.nearest(where)).max() <= 0.5 + 1e-3


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_the_same_random_numbers_bend_alike_and_others_do_not(seed):
    def places(number):
        return bent((8, 8, 8), (0, 0, 0), (1.0, 1.0, 1.0), 1.0, draw(number)).places.numpy()

    np.testing.assert_array_equal(places(seed), places(seed))
    assert np.abs(places(seed) - places(seed + 1)).max() > 1e-3


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 0.5, 6.0)])
def test_nothing_is_folded_and_shapes_keep_their_proportions_in_mm(spacing):
    shape, stretches = (32, 32, 8), []
    for seed in range(40):
        places = bent(shape, (0, 0, 0), spacing, 1.0, draw(seed)).places.numpy() * spacing
        steps = [np.diff(places, axis=axis) for axis in range(3)]
        a, b, c = (step[: shape[0] - 1, : shape[1] - 1, : shape[2] - 1] for step in steps)
        assert (np.einsum("...i,...i", np.cross(a, b), c) > 0).all()
        stretches.append([np.linalg.norm(v, axis=-1).mean() / mm for v, mm in zip((a, b, c), spacing, strict=True)])
    assert np.abs(np.log(np.mean(stretches, 0))).max() < 0.15


def test_what_lies_beyond_the_array_repeats_its_border_or_is_nothing():
    bend = bent((6, 6, 6), (-3, 0, 0), (1.0, 1.0, 1.0), 0.0, draw(0))
    mask = np.ones((6, 6, 6), bool)
    assert bend.nearest(mask).all()
    assert bend.nearest(mask, beyond=False).sum() == 3 * 36
