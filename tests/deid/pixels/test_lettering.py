import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.pixels import lettering
from deid.pixels.lettering import STRIDE
from tests.deid.pixels.test_burned_in import draw, series


def squares(pixels):
    """Which squares a word's pixels are in."""
    rows, columns = (-(-side // STRIDE) for side in pixels.shape)
    padded = np.zeros((rows * STRIDE, columns * STRIDE), dtype=bool)
    padded[: pixels.shape[0], : pixels.shape[1]] = pixels
    return padded.reshape(rows, STRIDE, columns, STRIDE).any(axis=(1, 3))


@pytest.mark.parametrize("size", [10, 14, 20])
@pytest.mark.parametrize("level", [1400, 600, 0])
def test_a_word_over_tissue_is_seen_where_it_stands_and_nowhere_else(size, level):
    stack = series(3, 128) + 200
    pixels = draw(stack, "QK-20417", top=60, left=24, level=level, size=size, frames=[1])
    likely = lettering.seen(stack.astype(np.int16))
    word = squares(pixels)
    assert np.median(likely[1][word]) > 0.5
    assert likely[[0, 2]].max() < 0.3


def test_a_word_nearly_as_grey_as_the_tissue_is_seen():
    stack = series(1, 128) + 200
    tissue = float(np.median(stack[0, 60:76, 40:88]))
    pixels = draw(stack, "Quennelby", top=60, left=36, level=tissue - 160, size=14)
    assert np.median(lettering.seen(stack.astype(np.int16))[0][squares(pixels)]) > 0.5


def test_borders_curves_and_grids_are_no_lettering():
    y, x = np.mgrid[:160, :160]
    frames = [
        900 * (np.hypot(y - 80, x - 80) < 50), 500 + 400 * np.sin(np.hypot(y, x) / 3),
        900 * ((y % 16 < 1) | (x % 16 < 1)), 900 * ((y // 8 + x // 8) % 2), 900 * (x > 80),
    ]  # fmt: skip
    stack = np.hypot(np.stack(frames) + np.random.default_rng(0).normal(0, 20, (5, 160, 160)), 20).astype(np.int16)
    assert not lettering.places(lettering.seen(stack), 0.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(10, 70), st.integers(16, 90), st.integers(1, 4))
def test_every_size_of_frame_has_an_answer_for_every_square(rows, columns, frames):
    stack = np.random.default_rng(rows).integers(0, 900, (frames, rows, columns), dtype=np.int16)
    likely = lettering.seen(stack)
    assert likely.shape == (frames, -(-rows // STRIDE), -(-columns // STRIDE))
    assert likely.min() >= 0 and likely.max() <= 1


def test_what_is_seen_in_a_frame_depends_on_no_other_frame(monkeypatch):
    stack = series(6, 100)
    draw(stack, "PID88123", frames=[2, 3])
    stack = stack.astype(np.int16)
    together = lettering.seen(stack)
    monkeypatch.setattr(lettering, "_CHUNK", 1)
    np.testing.assert_allclose(together, lettering.seen(stack), atol=1e-5)
    np.testing.assert_array_equal(together, lettering.seen(stack[::-1])[::-1])


def test_squares_that_touch_are_one_place_and_frames_are_apart():
    likely = np.zeros((3, 8, 8), np.float32)
    likely[0, 1, 1] = likely[0, 2, 2] = likely[1, 2, 2] = 0.8
    likely[1, 6, 5:8] = 0.9
    found = lettering.places(likely, 0.5)
    assert [(p.frame, p.top, p.left, p.bottom, p.right, round(p.mass, 3)) for p in found] == [
        (1, 24, 20, 28, 32, 2.7), (0, 4, 4, 12, 12, 1.6), (1, 8, 8, 12, 12, 0.8),
    ]  # fmt: skip
    assert lettering.places(likely, 0.95) == []


def test_looking_needs_no_torch():
    code = (
        "import sys, numpy, deid.pixels.lettering as l\n"
        "l.seen(numpy.zeros((1, 32, 32), 'int16'))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
