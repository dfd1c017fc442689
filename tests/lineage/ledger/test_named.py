"""What the ledger names by digest is compared with what lies there: a matching edit of a file and its list is found."""

import hashlib

import pytest

from lineage.access import accessed
from lineage.ledger import ledger
from lineage.ledger.events import EventType
from lineage.ledger.reconcile import compared
from lineage.terms import terms
from schemas.checkpoint import RETIRED
from schemas.contract import Zone
from schemas.release import SUPERSEDED
from schemas.tables import ACCESS, LICENCES
from tests.lineage.terms.documents import document

FILES = {
    "curated/releases/demo/manifest.json": b"manifest",
    "curated/releases/demo/members.parquet": b"members",
    "models/tiny/weights.safetensors": b"weights",
    "models/tiny/config.yaml": b"config",
    "audit/policies/{}.json": b"policy",
}


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def told(lake):
    """A lake with a release, a model, a policy, a term and two accesses, and the ledger that tells of them."""
    for name, data in FILES.items():
        path = lake.settings.root / name.format(sha(b"policy"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    own = {"release": "demo", "release_sha256": sha(b"manifest")}
    ledger.append(lake, EventType.RELEASED, own | {"members_sha256": sha(b"members")})
    weights = {"weights_sha256": sha(b"weights"), "config_sha256": sha(b"config"), "exposure_sha256": sha(b"seen")}
    ledger.append(lake, EventType.TRAINED, own | weights | {"model": "tiny"})
    ledger.append(lake, EventType.POLICY_CHANGED, {"policy": "safe_harbor", "policy_sha256": sha(b"policy")})
    terms.learn(lake, document("licence-1"))
    for rows in (3, 4):
        accessed(lake, "read", "curated/volumes", rows, "research")
    return lake


def last_commit(lake, zone, contract):
    return sorted(lake.location(zone, contract.name, "_delta_log").path.glob("*.json"))[-1]


def test_nothing_differs_where_nothing_was_changed(told):
    assert compared(told) == compared(told).__class__([], [])


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_told_with_the_entry_that_names_it(told, name):
    path = told.settings.root / name.format(sha(b"policy"))
    path.write_bytes(b"changed")
    (found,) = compared(told).differences
    assert f"{path.name} has SHA-256 {sha(b'changed')}, entry " in found


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_a_note(told, name):
    (told.settings.root / name.format(sha(b"policy"))).unlink()
    comparison = compared(told)
    assert comparison.differences == []
    assert len(comparison.notes) == 1


def test_what_a_withdrawal_took_is_no_difference(told):
    told.location(Zone.CURATED, "releases", "demo").write_bytes(SUPERSEDED, b"{}")
    told.location(Zone.CURATED, "releases", "demo").delete("manifest.json")
    told.location(Zone.MODELS, "tiny").write_bytes(RETIRED, b"{}")
    told.location(Zone.MODELS, "tiny").delete("weights.safetensors")
    assert (compared(told).differences, compared(told).notes) == ([], [])


def test_the_newest_entry_of_a_name_counts(told):
    (told.settings.root / "models/tiny/weights.safetensors").write_bytes(b"again")
    weights = {"weights_sha256": sha(b"again"), "config_sha256": sha(b"config"), "exposure_sha256": sha(b"seen")}
    own = {"release": "demo", "release_sha256": sha(b"manifest")}
    ledger.append(told, EventType.TRAINED, own | weights | {"model": "tiny"})
    assert compared(told).differences == []


def test_terms_and_accesses_that_no_entry_tells_of_are_found(told):
    table = told.table(LICENCES)
    (row,) = table.rows()
    table.append([table.write([row | {"digest": "0" * 64}], {})])
    table = told.table(ACCESS)
    table.append([table.write([table.rows()[0] | {"rows": 99}], {})])
    first, second, third = compared(told).differences
    assert first.endswith("of which no entry of the ledger tells")
    assert second.endswith("changed")
    assert third == "audit/access: 1 accesses of which no entry of the ledger tells: added, or changed"


def test_an_access_that_was_taken_away_is_told(told):
    last_commit(told, Zone.AUDIT, ACCESS).unlink()
    assert compared(told).notes[0].startswith("audit/access: 1 accesses that the ledger tells of are not there")
