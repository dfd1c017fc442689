"""What was known when can be asked for ever: knowledge moves forward, and no later knowledge changes the past."""

import datetime as dt
import json

import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.zones import Lake
from lineage.ledger import ledger
from lineage.terms import terms
from lineage.terms.refusal import Refusal
from lineage.terms.terms import Known, history, instant
from schemas.document import canonical_json
from schemas.tables import LICENCES
from tests.lineage.terms.documents import document

FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _later(days):
    return FIRST + dt.timedelta(days=days)


def test_correction_is_a_further_row_and_the_past_stays_as_it_was_known(lake):
    wide, narrow = document("hospital-2026"), document("hospital-2026", train_models=False)
    assert terms.learn(lake, wide, FIRST)
    assert not terms.learn(lake, wide, FIRST)
    assert terms.learn(lake, narrow, _later(60))
    assert terms.known(lake, wide.id, _later(30)) == wide
    assert terms.known(lake, wide.id) == narrow
    with pytest.raises(Refusal, match="at that time"):
        terms.known(lake, wide.id, _later(-1))
    assert terms.learn(lake, wide, _later(90))
    assert terms.known(lake, wide.id) == wide
    assert len(lake.table(LICENCES).rows()) == 3
    assert [entry["type"] for entry in ledger.entries(lake)] == ["term_known"] * 3
    spans = [(entry.known_from, entry.known_until) for entry in history(lake)]
    moments = [instant(at) for at in (FIRST, _later(60), _later(90))]
    assert spans == [(moments[0], moments[1]), (moments[1], moments[2]), (moments[2], None)]


def test_knowledge_that_would_change_the_past_is_refused(lake):
    terms.learn(lake, document("hospital-2026"), _later(10))
    with pytest.raises(ValueError, match="needed a later one"):
        terms.learn(lake, document("hospital-2026", export=False), _later(5))
    assert len(history(lake)) == 1


def test_a_clock_that_is_behind_does_not_reorder_knowledge(lake, monkeypatch):
    first, second = document("hospital-2026"), document("hospital-2026", export=False)
    terms.learn(lake, first, dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    assert terms.learn(lake, second)
    assert terms.known(lake, first.id) == second
    assert history(lake)[1].known_from == "2030-01-01T00:00:00.000001Z"


WORDINGS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.booleans(), st.integers(min_value=1, max_value=400)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=15, deadline=None)
@given(WORDINGS, st.lists(st.integers(min_value=0, max_value=2500), min_size=1, max_size=4))
def test_later_knowledge_never_changes_what_was_known(tmp_path_factory, wordings, asked):
    lake = Lake.open(tmp_path_factory.mktemp("known"), principal="tester")
    told, day = [], 0
    for id_, export, gap in wordings:
        day += gap
        before = {at: Known.of(lake, _later(at)).documents for at in asked if at < day}
        if terms.learn(lake, document(id_, export=export), _later(day)):
            told.append((day, id_, export))
        for at, documents in before.items():
            assert Known.of(lake, _later(at)).documents == documents
    for at in asked:
        expected = {id_: export for when, id_, export in told if when <= at}
        assert {id_: d.export for id_, d in Known.of(lake, _later(at)).documents.items()} == expected


def test_a_table_that_an_older_version_wrote_opens_and_goes_on(lake):
    """Before kinds of documents there were licences alone, without the fields that came later."""
    said = {
        "attribution": "", "contact": "", "deliveries": ["*"], "export": True, "id": "old", "licensor": "Hospital",
        "purposes": ["research"], "share_models": False, "title": "Old", "train_models": True,
        "valid_from": "2020-01-01", "valid_until": None,
    }  # fmt: skip
    row = {
        "licence": "old", "digest": "0" * 64, "document": canonical_json(said), "valid_from": "2020-01-01",
        "valid_until": None, "known_from": "2025-01-01T00:00:00.000000Z",
    }  # fmt: skip
    table = lake.table(LICENCES)
    table.append([table.write([row], {})])
    known = terms.known(lake, "old")
    assert (known.export, known.requires, known.kind) == (True, [], "licence")
    assert json.loads(canonical_json(known.model_dump(mode="json"))) == said
    terms.learn(lake, document("old", export=False))
    assert not terms.known(lake, "old").export
    assert terms.known(lake, "old", dt.datetime(2025, 6, 1, tzinfo=dt.UTC)).export
    assert DeltaTable(table.location.uri).to_pyarrow_table().num_rows == 2


def test_an_id_stays_of_its_kind(lake):
    terms.learn(lake, document("shared"))
    with pytest.raises(Refusal, match="give the new document an id of its own"):
        terms.learn(lake, document("shared", "ethics-approval"))


def test_event_of_a_consent_names_no_person(lake):
    terms.learn(lake, document("study", "consent", subjects=["SAAA"], withdrawn=["SBBB"]))
    (entry,) = ledger.entries(lake)
    assert json.loads(entry["event"])["facts"]["kind"] == "consent"
    assert "SAAA" not in entry["event"]
    assert "SBBB" not in entry["event"]


def test_licence_nobody_knows_is_refused(lake):
    with pytest.raises(Refusal, match="no such licence"):
        terms.known(lake, "nowhere")
    terms.learn(lake, document("board", "ethics-approval"))
    with pytest.raises(Refusal, match="no such licence"):
        terms.known(lake, "board")


def test_licence_is_found_by_id_by_file_and_by_what_it_says(tmp_path):
    folder = tmp_path / "licences"
    folder.mkdir()
    document("hospital-2026").write(folder / "hospital-2026.yaml")
    document("misfiled").write(folder / "another-name.yml")
    (folder / "broken.yaml").write_text("{")
    document("loose").write(tmp_path / "loose.yaml")
    assert terms.find(folder, "hospital-2026") == document("hospital-2026")
    assert terms.find(folder, "misfiled").id == "misfiled"
    assert terms.find(folder, tmp_path / "loose.yaml").id == "loose"
    assert terms.find(folder, str(tmp_path / "loose.yaml")).id == "loose"
    with pytest.raises(Refusal, match="put the document"):
        terms.find(folder, "missing")
    with pytest.raises(Refusal):
        terms.find(tmp_path / "no-folder", "missing")


def test_installed_licence_is_known_and_kept_and_a_correction_replaces_the_document(lake, tmp_path):
    source = tmp_path / "granted.yaml"
    document("hospital-2026", export=False).write(source)
    assert terms.install(lake, source) == document("hospital-2026", export=False)
    assert not terms.find(lake.licences, "hospital-2026").export
    document("hospital-2026").write(source)
    terms.install(lake, source)
    assert terms.find(lake.licences, "hospital-2026").export
    assert terms.known(lake, "hospital-2026").export
