"""A run that lets a canary out keeps nothing; a run that does not says how many there were and keeps none of them."""

import json

import pytest

from deid.headers.headers import Deidentifier
from deid.policy import load_policy
from deid.proof import canary
from lake.zones import Lake
from schemas.tables import DECISIONS, INSTANCES, LEDGER, TABLES
from stages.identity import open_vault
from stages.instances import deidentify
from stages.received import receive
from stages.second_look.canaries import PURPOSE, CanaryEscaped, Flight
from tests.stages.conftest import NAME, landed


def people(lake):
    return canary.people(open_vault(lake).derived(PURPOSE))


@pytest.mark.usefixtures("no_faces")
def test_a_run_in_which_a_canary_gets_out_keeps_nothing(phantoms, tmp_path, monkeypatch):
    lake = landed(Lake.open(tmp_path / "lake", workers=1), phantoms)
    receive(lake, NAME)
    clean = Deidentifier.clean
    secrets = {person.mrn for person in people(lake)}

    def leak(self, data, subject, identifiers):
        cleaned = clean(self, data, subject, identifiers)
        own = [value for kind, value in identifiers.pairs if kind == "id" and value in secrets]
        return cleaned.changed({0x00204000: ("LT", " ".join(own).encode())})

    monkeypatch.setattr(Deidentifier, "clean", leak)
    with pytest.raises(CanaryEscaped, match="id in standard elements") as escaped:
        deidentify(lake, NAME)
    assert not [value for value in secrets if value in str(escaped.value)]
    assert not lake.table(INSTANCES).exists()
    assert not lake.table(DECISIONS).exists()


def test_recall_is_on_the_metadata_and_the_ledger(treated):
    details = next(o for o in treated.outcomes if o.table == INSTANCES.path).details
    assert details["canaries_planted"] == details["canaries_removed"] > 90
    events = [json.loads(row["event"]) for row in treated.lake.table(LEDGER).rows()]
    facts = next(event["facts"] for event in events if event["type"] == "deidentified")
    assert facts["canaries_planted"] == facts["canaries_removed"] == details["canaries_planted"]


def test_nothing_of_canaries_enters_a_table(treated):
    names = {name.lower() for person in people(treated.lake) for name in (person.family, person.given, person.mrn)}
    assert len(names) == 6
    for table in TABLES:
        if table.zone != "models" and treated.lake.table(table).exists():
            text = repr(treated.lake.table(table).read().to_pylist()).lower()
            assert not [name for name in names if name in text], table.path


def test_they_fly_with_the_first_unit_only():
    class Never:
        policy = load_policy("safe_harbor")

        def clean(self, *_):
            raise AssertionError("flown")

    flight = Flight("a", b"k" * 32)
    flight.fly(Never(), "b")
    with pytest.raises(AssertionError, match="flown"):
        flight.fly(Never(), "a")
    Flight("", b"k" * 32).fly(Never(), "")
    assert "6b6b" not in repr(flight)
    assert "kkkk" not in repr(flight)
