"""What was written since a time is found wherever it lies; only what cannot be newer is passed over."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.stores.newer import LOG, newer, numbered
from schemas.contract import Zone
from schemas.tables import TABLES

PART = "part-" + "0" * 32 + ".parquet"
BEFORE, SINCE = 1_000_000_000, 1_500_000_000


def put(root, name, at=None):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    if at is not None:
        os.utime(path, (at, at))
    return path


def old(root):
    """Everything below was written before."""
    for path in sorted(root.rglob("*")):
        os.utime(path, (BEFORE, BEFORE))


def found(root, **options):
    return [path.relative_to(root).as_posix() for path in newer(root, SINCE, **options)]


@pytest.fixture
def zone(tmp_path):
    for delivery in ("a", "b"):
        put(tmp_path, f"series/delivery={delivery}/{PART}")
    for version in range(100):
        put(tmp_path, f"series/{LOG}/{version:020}.json")
    put(tmp_path, f"series/{LOG}/_last_checkpoint")
    put(tmp_path, "notes/run.log")
    old(tmp_path)
    return tmp_path


def test_what_is_older_is_passed_over(zone):
    assert found(zone) == []


@pytest.mark.parametrize(
    "name",
    [
        "notes/jane_doe.log",
        "series/jane_doe.txt",
        "series/delivery=a/jane_doe.txt",
        f"series/delivery=c/{PART}",
        f"series/{LOG}/{100:020}.json",
        f"series/{LOG}/{5:020}.jane_doe.json",
        f"series/{LOG}/jane_doe.json",
        f"series/{LOG}/_last_checkpoint",
        f"series/{LOG}/{90:020}.checkpoint.parquet",
    ],
)
def test_a_newer_file_is_found_wherever_it_lies(zone, name):
    put(zone, name)
    assert found(zone) == [name]


def test_of_partitions_only_the_named_one_is_looked_into(zone):
    put(zone, "series/delivery=a/jane_doe.txt")
    put(zone, "series/delivery=b/note.txt")
    assert found(zone, only="delivery=b") == ["series/delivery=b/note.txt"]


def test_a_clock_that_is_set_back_a_little_does_not_end_the_search(zone):
    put(zone, f"series/{LOG}/{98:020}.json")
    assert found(zone) == [f"series/{LOG}/{98:020}.json"]
    assert [path.name for path in numbered(zone / "series" / LOG, 99, SINCE)] == [f"{98:020}.json"]


def test_a_folder_that_goes_meanwhile_is_no_error(tmp_path):
    assert list(newer(tmp_path / "none", SINCE)) == []


@settings(deadline=None, max_examples=30)
@given(commits=st.integers(0, 150), since=st.integers(0, 150))
def test_of_a_log_exactly_the_commits_since_are_found(tmp_path_factory, commits, since):
    log = tmp_path_factory.mktemp("log") / LOG
    log.mkdir()
    for version in range(commits):
        put(log, f"{version:020}.json", at=version)
    wanted = [f"{version:020}.json" for version in range(since, commits)]
    assert [path.name for path in newer(log, float(since))] == wanted
    assert sorted(path.name for path in numbered(log, commits - 1, float(since))) == wanted


def test_partitions_that_are_passed_over_have_no_folders_below():
    assert [table.path for table in TABLES if table.zone is not Zone.RESTRICTED and len(table.partition_by) > 1] == []
