"""What lies in the lake now is looked at again on demand: what leaks since is found, and told on the ledger."""

import json

import pytest

from lake.zones import Lake
from lineage.ledger import ledger
from schemas.tables import IDENTIFIERS, REPORTS
from stages.second_look.scanning import ScanError, scanned
from tests.synthetic import fill, know, land, licence, put

PAIRS = [("name", "Quennelby^Osberta"), ("id", "PID88123")]


@pytest.fixture
def lake(tmp_path):
    lake = Lake.open(tmp_path / "lake", principal="tester")
    know(lake, licence())
    for delivery, subject in (("d", "S1"), ("e", "S2")):
        land(lake, {delivery: [subject]})
        fill(lake, {delivery: [subject]})
        put(lake, IDENTIFIERS, delivery, [{"subject": subject, "kind": k, "value": v} for k, v in PAIRS])
    return lake


def events(lake):
    rows = [json.loads(row["event"])["facts"] for row in ledger.entries(lake) if row["type"] == "scanned"]
    return [(row["kind"], row.get("delivery"), row.get("deliveries"), row["findings"]) for row in rows]


def reported(lake, delivery, text):
    row = {"subject": "S1", "study": "2.25.1", "report": "r1", "removed": 0, "text": text, "source": "report",
           "licence": "open-licence", "policy": "1" * 64}  # fmt: skip
    names = {column.name for column in REPORTS.columns}
    put(lake, REPORTS, delivery, [{name: value for name, value in row.items() if name in names}])


def test_a_clean_lake_is_told_to_be_so_and_each_look_is_an_event(lake):
    told = []
    found = scanned(lake, report=told.append)
    assert [(each.what, dict(each.residue.findings)) for each in found] == [("d", {}), ("e", {}), ("", {})]
    assert told[0] == "delivery 1 of 2"
    assert events(lake) == [
        ("data", "d", None, 0), ("data", "e", None, 0), ("around", None, ["d", "e"], 0),
    ]  # fmt: skip


def test_what_leaks_after_a_delivery_was_made_is_found_and_named_by_kind_alone(lake):
    reported(lake, "e", "Seen with QUENNELBY, Osberta today")
    folder = lake.settings.root / "audit" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "note.html").write_text("<p>PID88123</p>")
    found = {each.what: each.residue for each in scanned(lake, ["e"])}
    assert set(found) == {"e", ""}
    assert any(name.startswith("name in ") for name in found["e"].findings)
    assert "id in audit files" in found[""].findings
    assert "quennelby" not in repr(found).lower()
    assert [number > 0 for _, _, _, number in events(lake)] == [True, True]


def test_a_delivery_that_was_not_received_is_refused(lake):
    with pytest.raises(ScanError, match="found no received delivery nowhere, needed some of: d, e"):
        scanned(lake, ["nowhere"])
    assert events(lake) == []
