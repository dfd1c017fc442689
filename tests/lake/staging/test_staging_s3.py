"""A release on S3: staged by byte ranges at once, then read without a request; a damaged object is never staged."""

import numpy as np
import pytest

from lake.releases import Release
from lake.staging import copying
from lake.staging.errors import StagingError
from lake.staging.stage import stage
from lake.voxels.sources import ObjectFiles
from lake.zones import Lake

pytestmark = pytest.mark.s3


@pytest.fixture
def release(cohorts, tmp_path, bucket):
    """A release whose curated zone is on S3, and its arrays."""
    near = Release.open(cohorts, "cohort")
    root = cohorts.settings.root
    for path in sorted((root / "curated").rglob("*")):
        if path.is_file():
            bucket.put_object(Bucket="lake", Key=path.relative_to(root).as_posix(), Body=path.read_bytes())
    lake = Lake.open(tmp_path / "lake", curated="s3://lake/curated", staging=tmp_path / "staging")
    return Release.open(lake, "cohort"), {name: near.volumes().array(name) for name in near.volumes().ids}


def same(release, arrays):
    volumes = release.volumes()
    assert volumes.ids == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(volumes.array(name), array)


def test_a_release_on_s3_is_staged_by_ranges_and_then_asked_for_no_more(release, monkeypatch):
    opened, arrays = release
    same(opened, arrays)
    monkeypatch.setattr(copying, "RANGE", 1024)
    ranges, part = [], ObjectFiles.part
    monkeypatch.setattr(ObjectFiles, "part", lambda self, *where: ranges.append(where) or part(self, *where))
    done = stage(opened)
    assert done.copied == done.bytes == sum(length for _, _, length in ranges)
    assert done.stated == done.files
    assert len(ranges) > 2 * done.files
    for request in ("part", "parquet", "read", "names"):
        monkeypatch.setattr(ObjectFiles, request, lambda *_: pytest.fail("the zone was asked"))
    same(opened, arrays)
    assert opened.labels().ids


def test_an_object_with_other_content_is_not_staged(release, bucket):
    opened, _ = release
    key = next(item["Key"] for item in listed(bucket) if "volumes/delivery=a/" in item["Key"])
    content = bytearray(bucket.get_object(Bucket="lake", Key=key)["Body"].read())
    content[len(content) // 2] ^= 1
    bucket.put_object(Bucket="lake", Key=key, Body=bytes(content))
    with pytest.raises(StagingError, match="found a part file with another content than was committed"):
        stage(opened)


def test_an_object_that_is_gone_is_told(release, bucket):
    opened, _ = release
    key = next(item["Key"] for item in listed(bucket) if "volumes/delivery=a/" in item["Key"])
    bucket.delete_object(Bucket="lake", Key=key)
    with pytest.raises(FileNotFoundError):
        stage(opened)


@pytest.mark.parametrize("kind", ["throttled", "failed", "cut", "slow"])
def test_what_a_store_does_wrong_now_and_then_does_no_harm(release, faults, kind):
    opened, arrays = release
    faults.add(kind, "GET", "volumes/delivery", times=2)
    done = stage(opened)
    assert faults.met == [kind, kind]
    assert done.copied == done.bytes
    same(opened, arrays)


def test_a_store_that_is_gone_in_the_middle_leaves_what_was_copied(release, faults):
    opened, arrays = release
    faults.add("expired", "GET", "volumes/delivery%3Db")
    with pytest.raises(OSError) as told:
        stage(opened)
    assert faults.met, told.value
    copied = sum(path.stat().st_size for path in opened.lake.settings.staging.glob("objects/*/*"))
    faults.waiting.clear()
    done = stage(opened)
    assert done.bytes - done.copied == copied
    same(opened, arrays)


def listed(bucket):
    return bucket.list_objects_v2(Bucket="lake")["Contents"]
