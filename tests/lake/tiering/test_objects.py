"""On S3 a tier is a storage class: the same mover, restores that take their time, and rules that a bucket applies."""

import datetime as dt

import pytest

from lake.integrity.scrub import scrub
from lake.integrity.watched import part_files
from lake.tables.files import data_files
from lake.tiering import lease, mover, objects
from lake.tiering.archived import Archived, places
from lake.tiering.mover import Move
from lake.tiering.objects import Readable, readable
from lake.tiering.rules import policy
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.tables import VOLUMES
from schemas.tiering import Rule, TieringPolicy, When
from tests import synthetic
from tests.lake.tiering.conftest import COLD, FROZEN

FIRST = "S3 Standard"


def move_of(file, target):
    return Move(file.path, file.bytes, FIRST, target, file.sha256)


@pytest.fixture
def far(bucket, tmp_path):
    """A lake whose curated zone is in a bucket; one file of `curated/volumes` is spare."""
    lake = Lake.open(tmp_path, curated="s3://lake/curated")
    for subject in ("S1", "S2"):
        synthetic.put(lake, VOLUMES, "a", [synthetic.volume_row("a", subject)])
    return lake


def of(lake, *, needed):
    (found,) = [f for f in data_files(lake.table(VOLUMES)) if f.newest is needed]
    return found


def head(bucket, file):
    return bucket.head_object(Bucket="lake", Key=f"curated/volumes/{file.path}")


@pytest.mark.s3
def test_a_class_changes_in_place_and_readers_go_on(far, bucket, book):
    file = of(far, needed=True)
    before = Volumes(far).rows()
    assert mover.move(far, VOLUMES, [move_of(file, COLD)], book).moved
    assert head(bucket, file)["StorageClass"] == "GLACIER_IR"
    tags = bucket.get_object_tagging(Bucket="lake", Key=f"curated/volumes/{file.path}")["TagSet"]
    assert tags == [{"Key": objects.TAG, "Value": "GLACIER_IR"}]
    assert Volumes(far).rows() == before
    assert places(far.table(VOLUMES).source)[file.path].sha256 == file.sha256


@pytest.mark.s3
def test_an_archived_object_is_told_of_asked_for_and_fetched_back(far, bucket, book):
    table, file = far.table(VOLUMES), of(far, needed=False)
    old = table.version() - 1
    before = table.rows(version=old)
    with pytest.raises(mover.MoveRefused):
        mover.move(far, VOLUMES, [move_of(of(far, needed=True), FROZEN)], book)
    assert mover.move(far, VOLUMES, [move_of(file, FROZEN)], book).moved
    assert readable(head(bucket, file)) is Readable.ARCHIVED
    with pytest.raises(Archived, match="12 hours"):
        table.rows(version=old)
    with pytest.raises(bucket.exceptions.ClientError, match="InvalidObjectState"):
        bucket.get_object(Bucket="lake", Key=f"curated/volumes/{file.path}")["Body"].read()
    result = mover.restore(far, VOLUMES, [file.path], book)
    while result.waiting:
        assert not result.moved
        result = mover.restore(far, VOLUMES, [file.path], book)
    assert [m.path for m in result.moved] == [file.path]
    assert head(bucket, file).get("StorageClass", "STANDARD") == "STANDARD"
    assert table.rows(version=old) == before
    assert not places(table.source)


@pytest.mark.s3
def test_a_crash_before_the_copy_is_made_good(far, bucket, book, monkeypatch):
    file = of(far, needed=True)

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(objects.ObjectStore, "_copy", dies)
        with pytest.raises(KeyboardInterrupt):
            mover.move(far, VOLUMES, [move_of(file, COLD)], book)
    assert "StorageClass" not in head(bucket, file)
    assert Volumes(far).rows()
    assert mover.resume(far, VOLUMES, book).moved
    assert head(bucket, file)["StorageClass"] == "GLACIER_IR"
    assert not mover.resume(far, VOLUMES, book).moved


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, Readable.NOW),
        ({"StorageClass": "GLACIER_IR"}, Readable.NOW),
        ({"StorageClass": "GLACIER"}, Readable.ARCHIVED),
        ({"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "DEEP_ARCHIVE_ACCESS"}, Readable.ARCHIVED),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="true"'}, Readable.RESTORING),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="false", expiry-date="x"'}, Readable.NOW),
    ],
)
def test_what_head_says_decides_whether_an_object_can_be_read(said, state):
    assert readable(said) is state


def test_lifecycle_rules_keep_to_what_a_bucket_can_do(book):
    rules = objects.lifecycle_rules(policy("by_age", book), book, "curated/volumes/")
    assert [r["Transitions"][0] for r in rules] == [
        {"Days": 180, "StorageClass": "DEEP_ARCHIVE"},
        {"Days": 180, "StorageClass": "GLACIER_IR"},
        {"Days": 30, "StorageClass": "STANDARD_IA"},
    ]
    assert all("Expiration" not in r and r["Filter"]["And"]["Tags"] for r in rules)
    young = Rule(name="young", when=When(age_days=3), tier="S3 Standard-IA")
    (waits,) = objects.lifecycle_rules(TieringPolicy(name="young", title="t", rules=[young]), book, "x/")
    assert waits["Transitions"][0]["Days"] == 30
    with pytest.raises(ValueError, match="needed age and size alone"):
        objects.lifecycle_rules(policy("by_use", book), book, "x/")
    with pytest.raises(ValueError, match="found foresight"):
        objects.lifecycle_rules(policy("foresight", book), book, "x/")


@pytest.mark.s3
def test_lifecycle_rules_of_others_stay(bucket, book):
    other = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}}
    bucket.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration={"Rules": [other]})
    rules = objects.lifecycle_rules(policy("by_age", book), book, "curated/")
    for _ in range(2):
        objects.apply_lifecycle(bucket, "lake", rules)
    there = bucket.get_bucket_lifecycle_configuration(Bucket="lake")["Rules"]
    assert [r["ID"] for r in there] == ["theirs", *(r["ID"] for r in rules)]
    bucket.delete_bucket_lifecycle(Bucket="lake")


@pytest.mark.s3
def test_a_second_mover_waits_for_the_first_and_takes_over_from_a_dead_one(far, book, monkeypatch):
    move = move_of(of(far, needed=True), COLD)
    beside = far.table(VOLUMES).location.join("_tiers")
    with lease.held(beside), pytest.raises(mover.Busy, match="curated/volumes"):
        mover.move(far, VOLUMES, [move], book)
    # a process that was killed gives nothing up
    beside.create("lease-000000000099", b"held")
    with pytest.raises(mover.Busy):
        mover.move(far, VOLUMES, [move], book)
    monkeypatch.setattr(lease, "LASTS_S", -1.0)
    assert mover.move(far, VOLUMES, [move], book).moved
    assert beside.read_bytes("lease-000000000100") == b"free"


@pytest.mark.s3
def test_a_lease_that_another_took_over_is_lost(far):
    folder = far.table(VOLUMES).location.join("_tiers")
    late = lease.clock() + dt.timedelta(seconds=2 * lease.LASTS_S)
    with lease.held(folder) as renew:
        renew()
        with lease.held(folder, now=lambda: late):
            with pytest.raises(lease.Taken):
                renew()
            with pytest.raises(lease.Taken), lease.held(folder):
                pass
    with lease.held(folder) as renew:
        renew()


@pytest.mark.s3
def test_a_scrub_leaves_archived_objects_to_their_restore(far, book):
    file = of(far, needed=False)
    assert mover.move(far, VOLUMES, [move_of(file, FROZEN)], book).moved
    assert mover.move(far, VOLUMES, [move_of(of(far, needed=True), COLD)], book).moved
    found = scrub(far, everything=True)
    assert found.findings == ()
    watched = {each.name for each in part_files(far, VOLUMES)}
    assert watched == {f"volumes/{of(far, needed=True).path}"}
