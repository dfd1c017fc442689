"""The record as PROV is read by the standard's own library, and leads from a model back to the licence."""

import json

import pytest

from lineage.evidence.past import Past
from lineage.evidence.provenance import STATED, document
from lineage.evidence.recorded import Record

prov = pytest.importorskip("prov.model", reason="needed prov, which is for development only")


@pytest.fixture
def stated(evident):
    return document(Record.of(Past.of(evident)).of_type(*STATED), {"cohort": {"a", "b"}})


def test_the_library_reads_it_and_every_end_of_a_relation_is_declared(stated):
    read = prov.ProvDocument.deserialize(content=stated.decode(), format="json")
    said = json.loads(stated)
    assert len(list(read.get_records(prov.ProvElement))) == sum(
        len(said[kind]) for kind in ("entity", "activity", "agent")
    )
    names = {str(record.identifier) for record in read.get_records(prov.ProvElement)}
    ends = {str(value) for relation in read.get_records(prov.ProvRelation) for _, value in relation.formal_attributes}
    assert {end for end in ends if end.startswith("larmor:")} <= names


def test_a_model_comes_from_its_release_and_that_from_the_rows_of_its_deliveries(stated):
    said = json.loads(stated)
    derived = {(r["prov:generatedEntity"], r["prov:usedEntity"]) for r in said["wasDerivedFrom"].values()}
    model = "larmor:model.base." + "b" * 12
    (release,) = {source for entity, source in derived if entity == model}
    assert release.startswith("larmor:release.cohort.")
    rows = {source for entity, source in derived if entity == release}
    assert {row.split(".")[3] for row in rows} == {"a", "b"}
    assert not any("terms" in source for _, source in derived)
    used = {r["prov:entity"] for r in said["used"].values()}
    assert any(name.startswith("larmor:terms.open-licence.") for name in used)
    assert said["agent"]["larmor:agent.officer"]


def test_the_same_entries_give_the_same_bytes(evident, stated):
    assert document(Record.of(Past.of(evident)).of_type(*STATED), {"cohort": {"b", "a"}}) == stated
