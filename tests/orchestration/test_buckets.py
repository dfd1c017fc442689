"""`larmor doctor` on S3 says what a bucket lacks and what to do, and leaves nothing behind."""

import datetime as dt
import json
from email.utils import format_datetime

import pytest

from lake.settings import Settings
from lake.stores.aws import Access
from orchestration import buckets
from orchestration.doctor import examine
from tests.orchestration.test_cli import larmor

pytestmark = pytest.mark.s3
KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"


def looked(settings, wrong_only=True):
    """What was looked at, to what was found and what to do."""
    found = {f.what: f for f in buckets.examine(settings)}
    return {what: f for what, f in found.items() if not f.ok} if wrong_only else found


def test_a_folder_is_no_bucket(tmp_path):
    assert looked(Settings(root=tmp_path), wrong_only=False) == {}


def test_a_bucket_that_is_well_says_so_and_stays_empty(bucket, tmp_path):
    settings = Settings(root=tmp_path, curated="s3://lake/curated", landing="s3://lake/landing")
    assert looked(settings) == {}
    ends = {what.rpartition(", ")[2] for what in looked(settings, wrong_only=False)}
    assert ends == {"reachable", "clock", "writable", "two writers", "encryption", "versions"}
    assert "Contents" not in bucket.list_objects_v2(Bucket="lake")


def test_a_bucket_that_is_not_there_ends_the_examination_with_a_remedy(bucket, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LARMOR_AUDIT", "s3://nowhere/audit")
    code, out, _ = larmor(capsys, monkeypatch, "--root", tmp_path, "doctor", "--json")
    found = {f["what"]: f for f in json.loads(out)}
    assert code == 1
    assert "region" in found["audit zone on S3, reachable"]["remedy"]
    assert not found["lake"]["ok"]


@pytest.mark.parametrize(("fault", "method", "ends"), [
    ("denied", "GET", "reachable"), ("expired", "GET", "reachable"), ("denied", "PUT", "writable"),
    ("unconditional", "PUT", "two writers"),
])  # fmt: skip
def test_what_a_store_refuses_is_told(faults, tmp_path, fault, method, ends):
    faults.add(fault, method)
    (wrong,) = looked(Settings(root=tmp_path, curated="s3://lake/curated")).values()
    assert wrong.what == f"curated zone on S3, {ends}"
    assert wrong.needed
    assert wrong.remedy


def test_the_configured_key_is_looked_for(bucket, tmp_path, monkeypatch):
    settings = Settings(root=tmp_path, curated="s3://lake/curated", curated_access=Access(kms_key=KEY))
    assert looked(settings) == {}
    monkeypatch.setattr(Access, "encryption", property(lambda self: {}))
    assert set(looked(settings)) == {"curated zone on S3, encryption"}


def test_versions_stay_where_nothing_may_be_lost_and_end_where_people_withdraw(bucket):
    def well():
        names = ("audit", "restricted", "curated", "landing", "models")
        return {name for name in names if buckets._versions(name, name, bucket, "lake").ok}

    assert well() == {"restricted", "curated", "landing", "models"}
    bucket.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
    assert well() == {"audit", "models"}
    rule = {
        "ID": "end", "Status": "Enabled", "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }  # fmt: skip
    bucket.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration={"Rules": [rule]})
    assert well() == {"audit", "restricted", "curated", "landing", "models"}
    bucket.delete_bucket_lifecycle(Bucket="lake")


@pytest.mark.parametrize(("seconds", "ok", "needed"), [(10, True, False), (300, False, False), (1200, False, True)])
def test_a_clock_that_is_off_is_told(seconds, ok, needed):
    then = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
    answer = {"ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(then, usegmt=True)}}}
    found = buckets._clock("zone", answer)
    assert (found.ok, found.needed) == (ok, needed)


def test_a_lake_in_folders_is_examined_as_before(tmp_path):
    assert not [f for f in examine(Settings(root=tmp_path)) if "S3" in f.what]
