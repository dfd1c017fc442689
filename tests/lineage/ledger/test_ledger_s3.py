"""The ledger on S3 is what it is in a folder: one gapless log, whoever appends at once and whatever answer is lost."""

import json
import multiprocessing

import pytest

from lake.zones import Lake
from lineage.ledger import ledger, proofs
from lineage.ledger.seals import seal
from lineage.ledger.verify import verify

pytestmark = pytest.mark.s3


@pytest.fixture
def far(tmp_path, faults):
    """A lake whose audit and restricted zones lie in the bucket."""
    zones = {"audit": "s3://lake/audit", "restricted": "s3://lake/restricted"}
    return Lake.open(tmp_path / "lake", anchor="s3://lake/anchor", **zones)


def append_some(lake, who):
    for number in range(5):
        ledger.append(lake, "materialized", {"table": f"curated/{who}", "version": number})


def test_processes_that_append_at_once_on_s3_make_one_gapless_log(far, faults):
    for kind in ("throttled", "failed", "lost"):
        faults.add(kind, "PUT", "_delta_log", times=1)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(append_some, [(far, who) for who in ("series", "volumes", "labels")])
    entries = ledger.entries(far)
    assert [entry["sequence"] for entry in entries] == list(range(15))
    said = [json.loads(entry["event"])["facts"] for entry in entries]
    for who in ("series", "volumes", "labels"):
        assert [facts["version"] for facts in said if facts["table"] == f"curated/{who}"] == list(range(5))
    seal(far)
    verdict = verify(far)
    assert (verdict.ok, verdict.unconfirmed, verdict.leftovers, verdict.unsealed) == (True, 0, (), 0), verdict.first
    assert (verdict.anchors, verdict.unanchored) == (1, 0)
    assert proofs.inclusion(far, 7).event == entries[7]["event"]


def test_a_changed_byte_of_a_ledger_on_s3_is_found(far):
    append_some(far, "series")
    seal(far)
    location = far.location("audit", "ledger")
    name = next(name for name in location.walk() if name.startswith("part-"))
    data = bytearray(location.read_bytes(name))
    data[len(data) // 2] ^= 1
    location.write_bytes(name, bytes(data))
    assert name in str(verify(far).first)
