"""A frame gives back what went in, whatever the shape, the type and the window; damage is told, not returned."""

import math

import blosc2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lake.voxels import payload

TYPES = st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])


@given(arrays(TYPES, st.tuples(*[st.integers(1, 40)] * 3, st.integers(1, 3))), st.data())
@settings(deadline=None, max_examples=40)
def test_every_window_of_a_series_of_steps_comes_back(array, data):
    frame = payload.encode(array)
    np.testing.assert_array_equal(payload.decode(frame), array)
    start = [data.draw(st.integers(0, n - 1)) for n in array.shape]
    size = [data.draw(st.integers(1, n)) for n in array.shape]
    window = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    np.testing.assert_array_equal(payload.decode(frame, window), array[window])


@pytest.mark.parametrize("shape", [(1, 1, 1), (300, 3, 1), (1, 70, 200), (65, 129, 33), (17,), (20, 33), (5, 6, 7, 1)])
def test_thin_and_uneven_arrays_come_back(shape):
    array = np.random.default_rng(0).integers(-3000, 3000, shape).astype(np.int16)
    frame = payload.encode(array)
    np.testing.assert_array_equal(payload.decode(frame), array)
    # what other readers of Blosc2 see
    np.testing.assert_array_equal(blosc2.ndarray_from_cframe(frame)[...], array)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=3), st.sampled_from([1, 2, 4, 8]))
@example([224, 224, 160], 2)
@example([96, 96, 96], 4)
@settings(deadline=None)
def test_a_chunk_is_of_whole_blocks_bounded_and_pads_no_more_than_cubes_would(shape, itemsize):
    chunk, block = payload._shapes(tuple(shape), itemsize)
    assert all(c % b == 0 for c, b in zip(chunk, block, strict=True))
    assert math.prod(chunk) <= payload.CHUNK
    cube = [max(1, 64 // b) * b for b in block]
    assert _padded(shape, chunk) <= _padded(
        shape, [min(c, -(-n // b) * b) for n, b, c in zip(shape, block, cube, strict=True)]
    )


@pytest.mark.parametrize("shape", [(224, 224, 160), (256, 256, 256), (320, 320, 40), (64, 64, 36), (512, 512, 30)])
def test_usual_shapes_are_stored_without_padding(shape):
    assert _padded(shape, payload._shapes(shape, 2)[0]) == math.prod(shape)


def _padded(shape, chunk):
    return math.prod(math.ceil(n / c) * c for n, c in zip(shape, chunk, strict=True))


def test_a_frame_says_how_it_was_packed():
    stored = blosc2.ndarray_from_cframe(payload.encode(np.zeros((70, 70, 70), np.int16)))
    assert stored.dtype == np.int16
    assert stored.schunk.cparams.codec == blosc2.Codec.LZ4
    assert blosc2.Filter.BITSHUFFLE in stored.schunk.cparams.filters


def test_steps_of_a_decoded_series_lie_one_after_the_other():
    array = np.arange(8 * 9 * 10 * 4, dtype=np.int16).reshape(8, 9, 10, 4)
    decoded = payload.decode(payload.encode(array))
    assert decoded[..., 0].flags.c_contiguous


def test_a_window_beyond_the_array_is_cut_off():
    array = np.arange(1000, dtype=np.int16).reshape(10, 10, 10)
    frame = payload.encode(array)
    np.testing.assert_array_equal(payload.decode(frame, (slice(8, 20), slice(0, 5), slice(9, 30))), array[8:, :5, 9:])
    assert payload.decode(frame, (slice(12, 20), slice(0, 5), slice(0, 5))).size == 0


@given(st.integers(0, 10**6), st.booleans())
@example(647, True)  # states a type that is not one of NumPy's
@settings(deadline=None, max_examples=60)
def test_a_damaged_frame_gives_its_array_or_is_refused(seed, header):
    random = np.random.default_rng(seed)
    frame = bytearray(_FRAME)
    for _ in range(int(random.integers(1, 20))):
        frame[int(random.integers(0, 200 if header else len(frame)))] = int(random.integers(0, 256))
    try:
        payload.decode(bytes(frame))
    except payload.PayloadError as error:
        assert "needed" in str(error)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_frame_that_was_cut_off_is_refused(share):
    with pytest.raises(payload.PayloadError):
        payload.decode(_FRAME[: int(len(_FRAME) * share)])


_FRAME = payload.encode(np.random.default_rng(1).integers(0, 3000, (40, 40, 40)).astype(np.int16))
