"""A table on S3 gives what the same table gives in a folder, by byte ranges."""

import multiprocessing
import pickle

import numpy as np
import pytest

from lake.errors import TableMissing
from lake.voxels.volumes import Volumes
from schemas.tables import LABELS
from tests.lake.conftest import labelled

pytestmark = pytest.mark.s3


@pytest.fixture
def uploaded(lake, bucket):
    """A table of two deliveries in the bucket, and its arrays."""
    arrays = labelled(lake, "a", ["l0", "l1"]) | labelled(lake, "b b", ["l2"], seed=1)
    upload(lake, bucket)
    return arrays


def upload(lake, bucket):
    root = lake.table(LABELS).location.path
    for path in root.rglob("*"):
        if path.is_file():
            bucket.upload_file(str(path), "lake", f"curated/labels/{path.relative_to(root).as_posix()}")


def test_a_table_on_s3_is_read_like_one_in_a_folder(lake, uploaded):
    near, far = Volumes(lake, LABELS), Volumes.open("s3://lake/curated/labels")
    assert far.ids == near.ids == sorted(uploaded)
    assert far.version == near.version
    for name, array in uploaded.items():
        np.testing.assert_array_equal(far.array(name), array)
        np.testing.assert_array_equal(far.crop(name, (60, 0, 30), (20, 16, 16)), array[60:, :16, 30:])
        assert far.row(name) == near.row(name)


def test_a_table_on_s3_without_an_index_is_read_all_the_same(lake, uploaded, bucket):
    for item in bucket.list_objects_v2(Bucket="lake", Prefix="curated/labels/_index/")["Contents"]:
        bucket.delete_object(Bucket="lake", Key=item["Key"])
    volumes = Volumes.open("s3://lake/curated/labels")
    np.testing.assert_array_equal(volumes.array("l2"), uploaded["l2"])
    assert Volumes.open("s3://lake/curated/labels", version=1).ids == ["l0", "l1"]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_it_travels_to_other_processes(uploaded, start):
    volumes = Volumes.open("s3://lake/curated/labels")
    volumes.array("l0")
    with multiprocessing.get_context(start).Pool(2) as pool:
        for name, array in zip(sorted(uploaded), pool.map(volumes.array, sorted(uploaded)), strict=True):
            np.testing.assert_array_equal(array, uploaded[name])


def test_only_the_payloads_bytes_are_asked_for(uploaded, monkeypatch):
    volumes = pickle.loads(pickle.dumps(Volumes.open("s3://lake/curated/labels")))
    asked, size = [], volumes.row("l1", ["voxels_bytes"])["voxels_bytes"]
    source = type(volumes._source)
    part = source.part
    monkeypatch.setattr(source, "part", lambda self, *where: asked.append(where) or part(self, *where))
    monkeypatch.setattr(source, "parquet", lambda self, path: pytest.fail("a footer was read"))
    volumes.crop("l1", (0, 0, 0), (8, 8, 8))
    assert [length for _, _, length in asked] == [size]


def test_a_volume_is_fetched_once_for_its_crops_and_few_stay_in_memory(uploaded, monkeypatch):
    volumes = Volumes.open("s3://lake/curated/labels")
    sizes = {name: volumes.row(name, ["voxels_bytes"])["voxels_bytes"] for name in uploaded}
    asked, source = [], type(volumes._source)
    part = source.part
    monkeypatch.setattr(source, "part", lambda self, *where: asked.append(where) or part(self, *where))

    def fetched(*names):
        asked.clear()
        for name in names:
            np.testing.assert_array_equal(volumes.crop(name, (0, 0, 0), (8, 8, 8)), uploaded[name][:8, :8, :8])
        return len(asked)

    assert fetched("l0", "l0", "l1", "l0", "l1") == 2
    # room for one: the other goes
    monkeypatch.setattr("lake.voxels.volumes._KEPT_BYTES", max(sizes.values()))
    assert fetched("l2", "l2", "l0", "l0", "l2") == 3
    # one that is larger than the room is not kept, and pushes nothing out
    small, *_, large = sorted(sizes, key=sizes.__getitem__)
    monkeypatch.setattr("lake.voxels.volumes._KEPT_BYTES", sizes[small])
    assert sizes[large] > sizes[small]
    volumes = Volumes.open("s3://lake/curated/labels")
    assert fetched(small, large, large, small) == 3


def test_what_is_not_there_is_told(uploaded, bucket):
    with pytest.raises(TableMissing, match="no table curated/labels"):
        Volumes.open("s3://lake/elsewhere/labels")
    volumes = Volumes.open("s3://lake/curated/labels")
    bucket.delete_object(Bucket="lake", Key=f"curated/labels/{volumes._place('l2').file}")
    with pytest.raises(FileNotFoundError, match="label l2: found its part file gone"):
        volumes.array("l2")
