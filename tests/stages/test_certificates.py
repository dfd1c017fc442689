"""Every series that left clean has a certificate that the ledger proves; a delivery with findings has none."""

import json

import pytest

from deid.proof.certificate import NotCertifiable
from lake.zones import Lake
from lineage.evidence.certificates import CertificateError, found, page
from lineage.ledger import ledger
from schemas.contract import Zone
from schemas.tables import CERTIFICATES, DECISIONS, INSTANCES
from stages.certificates import certify_series
from stages.second_look.residual import Residue, keep, kept, scan
from tests.stages.conftest import NAME
from tests.synthetic import put, volume_row

CLEAN = Residue(7, 100, {}, ())


@pytest.fixture
def decided(tmp_path):
    """A lake with decisions of two series under the policy that is configured."""
    from deid.policy import load_policy

    lake = Lake.open(tmp_path / "lake", principal="tester")
    digest = load_policy("safe_harbor").digest
    rows = [volume_row("d", subject) for subject in ("S1", "S2")]
    instances = [
        {name: row[name] for name in ("subject", "study", "series", "licence")}
        | {"instance": f"{row['series']}.1", "sop_class": "1.2", "transfer_syntax": "1.2", "modality": "MR",
           "frames": 1, "dicom_bytes": 4, "dicom": b"DICM", "policy": digest}
        for row in rows
    ]  # fmt: skip
    decisions = [
        {"series": row["series"], "element": "(0010,0010)", "rule": "pseudonym", "reason": "r", "action": "D",
         "kind": "name", "detector": "vault", "count": 2, "policy": digest}
        for row in rows
    ]  # fmt: skip
    put(lake, INSTANCES, "d", instances)
    put(lake, DECISIONS, "d", decisions)
    return lake


def test_a_delivery_that_was_not_scanned_since_has_no_certificate(decided):
    with pytest.raises(NotCertifiable, match="no residual scan"):
        certify_series(decided, "d")
    keep(decided, "d", CLEAN)
    assert certify_series(decided, "d").kept == 2
    rows = decided.table(INSTANCES).rows([c.name for c in INSTANCES.columns])
    put(decided, INSTANCES, "d", rows)
    assert kept(decided, "d") is None
    with pytest.raises(NotCertifiable, match="no residual scan"):
        certify_series(decided, "d")


def test_a_delivery_with_findings_has_no_certificate(decided):
    keep(decided, "d", Residue(7, 100, {"name in header": 1}, ("2.25.1",)))
    with pytest.raises(NotCertifiable, match="1 findings"):
        certify_series(decided, "d")
    assert not decided.table(CERTIFICATES).exists()


def test_decisions_of_another_policy_are_not_certified(decided):
    keep(decided, "d", CLEAN)
    other = Lake.open(decided.settings.root, principal="tester", policy="limited_data_set")
    with pytest.raises(NotCertifiable, match="other policies"):
        certify_series(other, "d")


def test_the_ledger_holds_the_digest_of_what_the_page_shows(decided):
    keep(decided, "d", CLEAN)
    certify_series(decided, "d")
    event = json.loads(ledger.entries(decided)[-1]["event"])
    assert event["facts"]["table"] == CERTIFICATES.path
    rows = found(decided, "d")
    assert len(rows) == 2
    html = page(decided, rows[0]["series"])
    assert rows[0]["digest"] in html
    assert rows[1]["digest"] not in html
    assert "Telephone numbers" in html
    assert not [outside for outside in ("<script", "<link", "http:", "https:") if outside in html]


def test_a_changed_certificate_is_refused(decided):
    keep(decided, "d", CLEAN)
    certify_series(decided, "d")
    rows = decided.table(CERTIFICATES).rows()
    rows[0]["document"] = rows[0]["document"].replace("transformed", "removed")
    put(decided, CERTIFICATES, "d", rows)
    with pytest.raises(CertificateError, match="not those of the ledger"):
        found(decided, "d")


def test_a_certificate_that_is_not_there_names_the_remedy(decided):
    with pytest.raises(CertificateError, match="larmor run"):
        page(decided, "nobody")


def test_two_runs_give_the_same_certificates(decided):
    keep(decided, "d", CLEAN)
    certify_series(decided, "d")
    before = decided.table(CERTIFICATES).rows()
    certify_series(decided, "d")
    assert decided.table(CERTIFICATES).rows() == before


def test_phantoms_are_certified_in_every_line(treated):
    lake = treated.lake
    keep(lake, NAME, scan(lake, NAME))
    outcome = certify_series(lake, NAME)
    series = {row["series"] for row in lake.table(INSTANCES).rows(["series"])}
    assert outcome.kept == len(series)
    for row in lake.table(CERTIFICATES).rows():
        said = {entry["letter"]: entry["status"] for entry in json.loads(row["document"])["entries"]}
        assert len(said) == 18
        assert said["A"] == said["C"] == said["H"] == said["R"] == "transformed"
        assert said["B"] == "removed"
        assert "kept" not in {status for letter, status in said.items() if letter != "Q"}
        assert row["values_looked_for"] > 100
    assert lake.location(Zone.AUDIT, "scans").exists(f"{NAME}.json")
