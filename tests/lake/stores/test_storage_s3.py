"""A zone on S3 keeps the promises of a zone in a folder, whatever the store and the network do meanwhile."""

import hashlib
import multiprocessing
import os
import threading

import pytest

from lake.errors import NotLocal
from lake.stores import aws
from lake.stores.aws import Access, AccessRefused, CredentialsRefused, StoreError
from lake.stores.objects import UnsafeStore
from lake.stores.storage import Location
from lake.tables.files import data_files
from lake.voxels.sources import files_of
from lake.zones import Lake
from schemas.contract import Zone
from schemas.tables import LABELS, REPORTS
from tests.lake.conftest import labelled

pytestmark = pytest.mark.s3


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """Retries wait for a store to recover; here it has at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


@pytest.fixture
def zone(faults):
    return Location("s3://lake/zone")


@pytest.fixture
def far(tmp_path, faults):
    """A lake with every zone in the bucket."""
    zones = {name: f"s3://lake/{name}" for name in ("restricted", "curated", "audit", "models", "landing")}
    return Lake.open(tmp_path / "lake", **zones)


def row(report):
    text = dict.fromkeys(("subject", "study", "source", "text", "licence", "policy"), "x")
    return text | {"report": report, "removed": 0}


def put(table, delivery, reports):
    return table.write([row(report) for report in reports], {"delivery": delivery})


def test_files_are_told_as_in_a_folder(zone, tmp_path):
    for place in (Location(tmp_path / "zone"), zone):
        assert (place.list(), place.walk(), place.exists("a")) == ([], [], False)
        place.write_bytes("a", b"1")
        place.join("b").write_bytes("c d/é=1", b"22")
        place.write_bytes("b-side", b"3")
        assert place.list() == ["a", "b", "b-side"]
        assert place.walk() == ["a", "b-side", "b/c d/é=1"]
        assert [place.exists(name) for name in ("a", "b", "b/c d", "c", "b-")] == [True, True, True, False, False]
        assert (place.size("b/c d/é=1"), place.read_bytes("b/c d/é=1")) == (2, b"22")
        place.write_bytes("a", b"new")
        assert place.read_bytes("a") == b"new"
        place.delete("a")
        place.delete("a")
        for ask in (place.read_bytes, place.size):
            with pytest.raises(FileNotFoundError):
                ask("a")
        large = tmp_path / "large"
        large.write_bytes(os.urandom(9 << 20))
        place.upload("large", large)
        place.download("large", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == large.read_bytes()


def test_a_file_is_created_once_by_whoever_comes_first(zone):
    won = []

    def create(number):
        try:
            zone.create("key", str(number).encode())
            won.append(number)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert zone.read_bytes("key") == str(won[0]).encode()


@pytest.mark.parametrize("kind", ["throttled", "failed", "lost", "slow", "cut"])
def test_what_passes_is_waited_for(zone, faults, kind):
    zone.make()
    faults.add(kind, times=2)
    zone.create("key", b"mine")
    faults.add(kind, "GET", times=2)
    assert zone.read_bytes("key") == b"mine"
    zone.write_bytes("key", b"newer")
    assert zone.list() == ["key"]
    assert faults.met.count(kind) >= 2
    with pytest.raises(FileExistsError):
        zone.create("key", b"other")


def test_a_creation_whose_answer_was_lost_is_our_own_and_only_ours(zone, faults):
    zone.make()
    faults.add("lost", "PUT", "/ours", times=1)
    zone.create("ours", b"same bytes")
    with pytest.raises(FileExistsError):
        zone.create("ours", b"same bytes")


def test_a_store_that_never_recovers_is_told(zone, faults):
    zone.write_bytes("key", b"1")
    faults.add("throttled", "GET")
    with pytest.raises(StoreError, match="SlowDown"):
        zone.read_bytes("key")
    assert faults.met.count("throttled") == aws.ATTEMPTS


@pytest.mark.parametrize("kind", ["unconditional", "unsupported"])
def test_a_store_without_conditional_puts_is_refused_before_anything_is_written(tmp_path, faults, kind):
    faults.add(kind, "PUT", conditional=True)
    lake = Lake.open(tmp_path, curated="s3://lake/curated")
    for write in (
        lambda: labelled(lake, "a", []),
        lambda: labelled(lake, "a", ["l0"]),
        lambda: lake.location(Zone.CURATED).create("key", b"1"),
    ):
        with pytest.raises(UnsafeStore, match="If-None-Match"):
            write()
    assert lake.location(Zone.CURATED).walk() == []


def test_expired_credentials_are_told_with_the_remedy(far, zone, faults):
    table = far.table(REPORTS)
    table.append([put(table, "a", ["1"])])
    source = files_of(table.location)
    (name,) = table.names()
    faults.add("expired")
    asks = [
        zone.list, lambda: zone.read_bytes("x"), lambda: zone.write_bytes("x", b""), lambda: zone.create("x", b""),
        lambda: put(table, "a", ["2"]), table.version, table.read, lambda: table.read(version=1),
        lambda: source.parquet(name), lambda: source.read(name), lambda: data_files(table),
    ]  # fmt: skip
    for ask in asks:
        with pytest.raises(CredentialsRefused, match=r"expired AWS credentials.*renew them"):
            ask()


def test_who_may_not_is_told_what_is_needed(zone, faults):
    faults.add("denied")
    with pytest.raises(AccessRefused, match="move-to-s3"):
        zone.list()


def test_without_credentials_nothing_is_asked(monkeypatch, zone, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(CredentialsRefused, match="no AWS credentials"):
        zone.list()


def test_everything_put_is_encrypted_under_the_zones_key(tmp_path, faults):
    lake = Lake.open(tmp_path, curated="s3://lake/curated", curated_access=Access(kms_key="alias/ours"))
    labelled(lake, "a", ["l0"])
    lake.table(LABELS)._delta().create_checkpoint()
    puts = [(path, headers) for method, path, headers in faults.seen if method == "PUT"]
    kinds = {path.split("?")[0].rsplit(".", 1)[-1] for path, _ in puts}
    assert {"parquet", "json", "arrow"} <= kinds
    for path, headers in puts:
        assert headers.get("x-amz-server-side-encryption") == "aws:kms", path
        assert headers.get("x-amz-server-side-encryption-aws-kms-key-id") == "alias/ours", path


def test_a_zone_is_reached_as_the_role_that_is_set(tmp_path, faults):
    role = "arn:aws:iam::123456789012:role/curator"
    lake = Lake.open(tmp_path, curated="s3://lake/curated", curated_access=Access(role=role))
    labelled(lake, "a", ["l0"])
    assert lake.table(LABELS).read(["label"]).num_rows == 1
    callers = {
        headers["authorization"].split("Credential=")[1].split("/")[0]
        for _, path, headers in faults.seen
        if path.startswith("/lake") and "authorization" in headers
    }
    assert len(callers) == 1, "all libraries are one caller"
    assert callers != {"test"}


def test_a_table_is_the_same_in_a_folder_and_on_s3(lake, far):
    for opened in (lake, far):
        table = opened.table(REPORTS)
        assert (table.exists(), table.version(), table.rows()) == (False, -1, [])
        table.replace({"delivery": "a b/ü"}, [put(table, "a b/ü", ["1", "2"])])
        table.append([put(table, "b", ["3"])])
        table.replace({"delivery": "b"}, [put(table, "b", ["4"])])
        assert sorted(table.read()["report"].to_pylist()) == ["1", "2", "4"]
        assert table.read(version=2)["report"].to_pylist().count("3") == 1
        assert table.partitions() == [{"delivery": "a b/ü"}, {"delivery": "b"}]
    near, there = (data_files(opened.table(REPORTS)) for opened in (lake, far))
    about = [
        sorted((f.since, f.until or 0, f.rows, f.on_disk, str(f.partition)) for f in files) for files in (near, there)
    ]
    assert about[0] == about[1]
    for file in there:
        assert file.sha256 == hashlib.sha256(far.table(REPORTS).location.read_bytes(file.path)).hexdigest()
    with pytest.raises(NotLocal, match="needed a local folder"):
        far.table(REPORTS).files()


@pytest.mark.parametrize("kind", ["lost", "failed", "throttled"])
def test_a_commit_whose_answer_was_lost_is_made_once(far, faults, kind):
    table = far.table(REPORTS)
    table.append([put(table, "a", ["1"])])
    for number in range(2, 6):
        faults.add(kind, "PUT", "_delta_log", times=1)
        delivery = f"d{number % 2}"
        assert table.replace({"delivery": delivery}, [put(table, delivery, [str(number)])]) == number
    assert sorted(table.read()["report"].to_pylist()) == ["1", "4", "5"]
    assert not [file for file in data_files(table) if file.orphan]


def test_writers_at_once_lose_nothing(far):
    table = far.table(REPORTS)
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        pool.starmap(_append_five, [(far, "a"), (far, "b")])
    assert sorted(table.read()["report"].to_pylist()) == sorted(f"{who}{n}" for who in "ab" for n in range(5))
    assert table.version() == 10


def _append_five(lake, who):
    table = lake.table(REPORTS)
    for number in range(5):
        table.append([put(table, who, [f"{who}{number}"])])
