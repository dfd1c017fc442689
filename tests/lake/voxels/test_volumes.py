"""Voxels come back as they were stored: whole, cropped, in another process, after another engine rewrote the file."""

import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lake.voxels import index, payload
from lake.voxels.volumes import Volumes
from schemas.tables import LABELS
from tests.lake.conftest import label_row


@pytest.fixture
def stored(lake):
    random = np.random.default_rng(0)
    arrays_ = {f"l{i}": random.integers(0, 9, (70 + i, 40, 33)).astype(np.uint8) for i in range(3)}
    table = lake.table(LABELS)
    rows = [label_row(name, array) for name, array in arrays_.items()]
    table.replace({"delivery": "d"}, [table.write(rows, {"delivery": "d"})])
    return arrays_


def offsets(lake):
    return index.opened(lake.table(LABELS).source, LABELS).rows["offset"].to_pylist()


@given(
    arrays(st.sampled_from(["u1", "i2", "u2", "i4", "f4"]), st.tuples(*[st.integers(1, 40)] * 3)),
    st.lists(st.integers(0, 39), min_size=3, max_size=3),
)
@settings(deadline=None, max_examples=40)
def test_a_frame_gives_back_every_voxel_and_every_window(array, start):
    frame = payload.encode(array)
    np.testing.assert_array_equal(payload.decode(frame), array)
    start = [min(s, n - 1) for s, n in zip(start, array.shape, strict=True)]
    window = tuple(slice(s, s + 7) for s in start)
    np.testing.assert_array_equal(payload.decode(frame, window), array[window])


def test_a_fourth_axis_is_kept():
    array = np.arange(4 * 5 * 6 * 3, dtype=np.int16).reshape(4, 5, 6, 3)
    np.testing.assert_array_equal(payload.decode(payload.encode(array)), array)


@pytest.mark.parametrize("frame", [b"", b"short", bytes(200)])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(payload.PayloadError, match="no Blosc2 frame"):
        payload.decode(frame)


def test_volumes_are_mapped_from_the_file_and_equal_what_was_written(lake, stored):
    volumes = Volumes(lake, LABELS)
    assert sorted(volumes.ids) == sorted(stored)
    assert all(offset is not None for offset in offsets(lake))
    for name, array in stored.items():
        np.testing.assert_array_equal(volumes.array(name), array)
        np.testing.assert_array_equal(volumes.crop(name, (60, 0, 30), (20, 16, 16)), array[60:80, :16, 30:46])


def test_a_window_that_fits_no_volume_is_no_damage(lake, stored):
    """Whoever forgets an axis, or halves an odd number, is not sent for a backup."""
    volumes = Volumes(lake, LABELS)
    for start, shape in (((0, 0), (4, 4)), ((0, 0, 0, 0), (4, 4, 4, 1)), ((0, 0, 0), (4, 4))):
        with pytest.raises(ValueError, match="needed 3 each, one an axis") as told:
            volumes.crop("l0", start, shape)
        assert not isinstance(told.value, payload.PayloadError)
    with pytest.raises(TypeError, match="float"):
        volumes.crop("l0", (0.5, 0, 0), (4, 4, 4))


def test_a_file_that_another_engine_rewrote_is_read_all_the_same(lake, stored):
    (file,) = lake.table(LABELS).files()
    pq.write_table(pq.read_table(file), file, compression="zstd")
    volumes = Volumes(lake, LABELS)
    np.testing.assert_array_equal(volumes.array("l1"), stored["l1"])


def test_an_opened_table_travels_to_other_processes(lake, stored):
    volumes = Volumes(lake, LABELS)
    volumes.array("l0")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(volumes)).array("l2"), stored["l2"])


def test_an_unknown_volume_is_named_with_how_many_there_are(lake, stored):
    with pytest.raises(KeyError, match="among 3 of curated/labels"):
        Volumes(lake, LABELS).array("nobody")
