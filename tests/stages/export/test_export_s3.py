"""An export to a bucket is the folder it would be, complete with its list of checksums or not there."""

import hashlib
import json

import pytest

from lake.stores.aws import CredentialsRefused, StoreError
from lake.stores.storage import Location
from lake.zones import Lake
from lineage.ledger import ledger
from stages.export.export import export
from stages.export.target import CHECKSUMS, ExportError
from tests import synthetic

pytestmark = pytest.mark.s3

TARGET = "s3://lake/partner/march"


@pytest.fixture
def far(tmp_path, faults, monkeypatch):
    """A lake whose curated zone lies in the bucket, with a release."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    lake = Lake.open(tmp_path / "lake", curated="s3://lake/curated")
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"]})
    synthetic.frozen(lake, splits=(0.5, 0.5, 0.0))
    return lake


def content(files):
    """Name to digest, but for pages that say when they were made."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if not name.endswith(".html")}


def test_a_bucket_gets_what_a_folder_gets_and_the_checksums_fit(far, tmp_path):
    near = export(far, "cohort", tmp_path / "out")
    made = export(far, "cohort", TARGET)
    there = {name: Location(TARGET).read_bytes(name) for name in Location(TARGET).walk()}
    here = {p.relative_to(near.folder).as_posix(): p.read_bytes() for p in near.folder.rglob("*") if p.is_file()}
    assert content(there) == content(here)
    lines = [line.split("  ", 1) for line in there[CHECKSUMS].decode().splitlines()]
    assert {name: digest for digest, name in lines} == {
        name: hashlib.sha256(data).hexdigest() for name, data in there.items() if name != CHECKSUMS
    }
    assert (made.folder, made.files, made.sha256) == (TARGET, near.files, hashlib.sha256(there[CHECKSUMS]).hexdigest())
    exported = [json.loads(e["event"])["facts"] for e in ledger.entries(far) if e["type"] == "exported"]
    assert [facts["content_sha256"] for facts in exported] == [near.sha256, made.sha256]
    assert not list((tmp_path / "lake" / "scratch" / "exports").iterdir())


@pytest.mark.parametrize(
    ("target", "words"),
    [("s3://lake/curated/out", "inside a zone"), ("s3://lake/curated", "inside a zone"), (TARGET, "an empty prefix")],
)
def test_a_zone_or_a_prefix_with_files_is_no_target(far, target, words):
    Location(TARGET).write_bytes("theirs.txt", b"x")
    with pytest.raises(ExportError, match=words):
        export(far, "cohort", target)
    assert Location(TARGET).walk() == ["theirs.txt"]


def test_a_store_that_stumbles_gets_all_and_one_that_refuses_keeps_nothing(far, faults):
    faults.add("throttled", "PUT", "partner", times=2)
    faults.add("lost", "PUT", "partner", times=2)
    export(far, "cohort", TARGET)
    for kind, error in (("failed", StoreError), ("expired", CredentialsRefused)):
        faults.add(kind, "PUT", f"partner/{kind}/dataset_description.json")
        with pytest.raises(error):
            export(far, "cohort", f"s3://lake/partner/{kind}")
        assert Location(f"s3://lake/partner/{kind}").walk() == []
