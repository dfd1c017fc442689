"""A window becomes the tokens that are there, where they are, and nothing else; packing changes none of them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.tokens import Key, choose_patch, pack, tokenize

SHAPES = st.tuples(*[st.integers(1, 21)] * 3)
PATCHES = st.tuples(*[st.sampled_from([1, 2, 4, 8])] * 3)
SPACINGS = st.tuples(*[st.floats(0.3, 6.0)] * 3)


@pytest.mark.parametrize(
    ("spacing", "patch"),
    [((1, 1, 1), (8, 8, 8)), ((1, 1, 4), (8, 8, 2)), ((2, 2, 5), (4, 4, 2)), ((0.5, 0.5, 6), (16, 16, 1))],
)
def test_patches_have_about_constant_physical_size(spacing, patch):
    assert choose_patch(spacing, 8.0, (1, 2, 4, 8, 16)) == patch


@settings(max_examples=40, deadline=None)
@given(SHAPES, PATCHES, SPACINGS)
def test_every_voxel_is_in_exactly_one_token_at_its_place(shape, patch, spacing):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    everything = np.ones(shape, bool)
    tokens = tokenize(values, everything, everything, spacing, patch)
    assert sorted(tokens.patches[tokens.valid].tolist()) == sorted(values.ravel().tolist())
    first = tokens.index * np.asarray(patch)
    np.testing.assert_array_equal(tokens.patches[:, 0, 0, 0], values[tuple(first.T)])
    centre = (first + np.asarray(patch) / 2 - np.asarray(shape) / 2) * np.asarray(spacing)
    np.testing.assert_allclose(tokens.positions, centre, rtol=1e-4, atol=1e-3)


def test_background_and_missing_slices_give_no_tokens():
    values = np.ones((16, 16, 8), np.float32)
    tissue = np.zeros(values.shape, bool)
    tissue[:8] = True
    valid = np.ones(values.shape, bool)
    valid[:, :, 2:4] = False
    tokens = tokenize(values, valid, tissue, (1, 1, 4), (8, 8, 2))
    assert {tuple(index) for index in tokens.index.tolist()} == {(0, y, z) for y in (0, 1) for z in (0, 2, 3)}


def test_one_missing_slice_in_a_thick_token_is_neither_shown_nor_scored():
    values = np.full((8, 8, 8), 0.25, np.float32)
    values[:, :, 3] = 99
    valid = np.ones(values.shape, bool)
    valid[:, :, 3] = False
    tokens = tokenize(values, valid, valid, (1, 1, 1), (8, 8, 8))
    assert not tokens.valid[0, :, :, 3].any()
    np.testing.assert_allclose(tokens.patches[0], 0.25)


def test_a_window_of_background_still_has_tokens():
    values = np.zeros((8, 8, 8), np.float32)
    tokens = tokenize(values, np.ones(values.shape, bool), np.zeros(values.shape, bool), (1, 1, 1), (4, 4, 4))
    assert len(tokens.patches) == 8


def test_packed_windows_of_different_grids_keep_their_tokens_when_some_are_selected():
    draw = np.random.default_rng(0)
    windows = []
    for shape, spacing, patch in (((16, 16, 4), (1, 1, 4), (8, 8, 2)), ((9, 8, 10), (2, 2, 2), (4, 4, 4))):
        values = draw.normal(size=shape).astype(np.float32)
        windows.append(tokenize(values, np.ones(shape, bool), np.ones(shape, bool), spacing, patch))
    extras = [{"hidden": draw.random(len(window.patches)) < 0.5} for window in windows]
    batch = pack(windows, [Key(0, 0), Key(0, 1)], extras)
    assert batch.offsets.tolist() == [0, 8, 8 + 18]
    hidden = batch.extras["hidden"]
    chosen = batch.select(hidden)
    assert chosen.lengths == tuple(int(extra["hidden"].sum()) for extra in extras)
    torch.testing.assert_close(chosen.positions, batch.positions[hidden])
    for part, window, extra in zip(chosen.patches, windows, extras, strict=True):
        np.testing.assert_array_equal(part.numpy(), window.patches[extra["hidden"]])


def test_a_window_without_tokens_cannot_be_packed():
    with pytest.raises(ValueError, match="without tokens"):
        pack([])
