"""Voxels come back as they were stored: whole, cropped, in another process, after another engine rewrote the file."""

import gc
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lake.voxels import index, payload
from lake.voxels import volumes as module
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


def test_a_volume_stays_open_for_its_next_crop_and_few_do(lake, stored, monkeypatch):
    monkeypatch.setattr(module, "_KEPT_FRAMES", 2)
    volumes = Volumes(lake, LABELS)

    def frames():
        return {id(thing) for thing in gc.get_objects() if isinstance(thing, payload.Frame)}

    before = frames()
    volumes.array("l0")
    opened = frames()
    assert len(opened - before) == 1
    for place in range(5):
        window = (slice(place, place + 9), slice(3, 12), slice(place, 33))
        crop = volumes.crop("l0", [s.start for s in window], [s.stop - s.start for s in window])
        np.testing.assert_array_equal(crop, stored["l0"][window])
    assert frames() == opened
    for name in ("l1", "l2", "l0", "l1"):
        np.testing.assert_array_equal(volumes.array(name), stored[name])
        assert len(frames() - before) <= 2


def test_threads_that_read_one_volume_share_no_opened_frame(lake, stored, monkeypatch):
    """Blosc2 unpacks into buffers of the frame: shared, one thread's voxels would be in the other's crop."""
    read, busy, shared = payload.Frame.read, set(), []

    def slowly(frame, window=None):
        shared.append(id(frame) in busy)
        busy.add(id(frame))
        time.sleep(0.005)
        voxels = read(frame, window)
        busy.discard(id(frame))
        return voxels

    monkeypatch.setattr(payload.Frame, "read", slowly)
    volumes = Volumes(lake, LABELS)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(volumes.array, ["l0", "l1"] * 10))
    assert not any(shared)
    for name, voxels in zip(["l0", "l1"] * 10, found, strict=True):
        np.testing.assert_array_equal(voxels, stored[name])


def test_an_unknown_volume_is_named_with_how_many_there_are(lake, stored):
    with pytest.raises(KeyError, match="among 3 of curated/labels"):
        Volumes(lake, LABELS).array("nobody")
