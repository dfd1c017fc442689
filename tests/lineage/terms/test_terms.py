"""Nothing is done without a term that allows it, and what was known when can be asked for ever."""

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.ledger import ledger
from lineage.terms import terms
from lineage.terms.terms import Action, Refusal
from schemas.delivery import Delivery
from schemas.licence import Licence
from schemas.tables import LICENCES

DAY = dt.date(2026, 6, 1)
LICENCE = {
    "id": "hospital-2026",
    "title": "Research licence",
    "licensor": "Hospital",
    "valid_from": dt.date(2026, 1, 1),
    "valid_until": dt.date(2026, 12, 31),
    "deliveries": ["hospital-*"],
    "purposes": ["research", "model-training"],
    "train_models": True,
}


def _licence(**changes):
    return Licence.model_validate(LICENCE | changes)


def _delivery(**changes):
    said = {"name": "hospital-1", "licensor": "Hospital", "licence": "hospital-2026", "received": DAY}
    return Delivery.model_validate(said | changes)


def test_what_the_licence_allows_gives_a_decision_with_the_digest_of_its_terms():
    decision = terms.decide(_licence(), _delivery(), "research", "intake", DAY)
    assert decision.facts["licence_sha256"] == _licence().digest
    assert decision.digest == terms.decide(_licence(), _delivery(), "research", "intake", DAY).digest
    assert decision.digest != terms.decide(_licence(), _delivery(), "research", "deidentify", DAY).digest


@pytest.mark.parametrize(
    ("licence", "delivery", "asked", "term", "said"),
    [
        ({}, {}, {"day": dt.date(2027, 1, 1)}, "valid_until", "needed a day until 2026-12-31; agree on a renewal"),
        ({}, {}, {"day": dt.date(2025, 1, 1)}, "valid_from", "needed a day from 2026-01-01"),
        ({}, {"licence": "other"}, {}, "licence", "found delivery hospital-1 under other"),
        ({}, {"licensor": "Clinic"}, {}, "licensor", "name the licensor in delivery.yaml"),
        ({}, {"name": "clinic-1"}, {}, "deliveries", "found delivery clinic-1, needed a name like hospital-"),
        ({}, {}, {"purpose": "marketing"}, "purposes", "needed one of: research, model-training"),
        ({"train_models": False}, {}, {"action": Action.TRAIN}, "train_models", "needed true for train"),
        ({}, {}, {"action": Action.SHARE}, "share_models", "needed true for share"),
        ({}, {}, {"action": Action.EXPORT}, "export", "needed true for export"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusal_names_the_term_and_the_remedy(licence, delivery, asked, term, said):
    asked = {"purpose": "research", "action": Action.INTAKE, "day": DAY} | asked
    with pytest.raises(Refusal, match=said) as refusal:
        terms.decide(_licence(**licence), _delivery(**delivery), asked["purpose"], asked["action"], asked["day"])
    assert refusal.value.term == term
    assert str(refusal.value).startswith("licence hospital-2026, ")


def test_licensor_is_not_quoted():
    with pytest.raises(Refusal) as refusal:
        terms.decide(_licence(), _delivery(licensor="Dr Roe"), "research", "intake", DAY)
    assert "Roe" not in str(refusal.value)


def test_refusal_is_an_event(lake):
    with pytest.raises(Refusal):
        terms.permit(lake, _licence(train_models=False), None, purpose="research", action="train", day=DAY)
    (entry,) = ledger.entries(lake)
    facts = json.loads(entry["event"])["facts"]
    assert (entry["type"], facts["term"], facts["action"]) == ("refused", "train_models", "train")
    assert terms.permit(lake, _licence(), None, purpose="research", action="train", day=DAY).action is Action.TRAIN
    assert ledger.size(lake) == 1


def test_correction_is_a_further_row_and_the_past_stays_as_it_was_known(lake):
    first, second = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    wide, narrow = _licence(), _licence(train_models=False)
    assert terms.learn(lake, wide, first)
    assert not terms.learn(lake, wide, first)
    assert terms.learn(lake, narrow, second)
    assert terms.known(lake, wide.id, dt.datetime(2026, 2, 1, tzinfo=dt.UTC)) == wide
    assert terms.known(lake, wide.id) == narrow
    with pytest.raises(Refusal, match="at that time"):
        terms.known(lake, wide.id, dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
    assert terms.learn(lake, wide, dt.datetime(2026, 4, 1, tzinfo=dt.UTC))
    assert terms.known(lake, wide.id) == wide
    assert len(lake.table(LICENCES).rows()) == 3
    assert [entry["type"] for entry in ledger.entries(lake)] == ["term_known"] * 3


def test_licence_nobody_knows_is_refused(lake):
    with pytest.raises(Refusal, match="no such licence"):
        terms.known(lake, "nowhere")


def test_licence_is_found_by_id_by_file_and_by_what_it_says(tmp_path):
    folder = tmp_path / "licences"
    folder.mkdir()
    _licence().write(folder / "hospital-2026.yaml")
    _licence(id="misfiled").write(folder / "another-name.yml")
    (folder / "broken.yaml").write_text("{")
    _licence(id="loose").write(tmp_path / "loose.yaml")
    assert terms.find(folder, "hospital-2026") == _licence()
    assert terms.find(folder, "misfiled").id == "misfiled"
    assert terms.find(folder, tmp_path / "loose.yaml").id == "loose"
    assert terms.find(folder, str(tmp_path / "loose.yaml")).id == "loose"
    with pytest.raises(Refusal, match="put the document"):
        terms.find(folder, "missing")
    with pytest.raises(Refusal):
        terms.find(tmp_path / "no-folder", "missing")


def test_installed_licence_is_known_and_kept_and_a_correction_replaces_the_document(lake, tmp_path):
    source = tmp_path / "granted.yaml"
    _licence().write(source)
    assert terms.install(lake, source) == _licence()
    assert terms.find(lake.licences, "hospital-2026") == terms.known(lake, "hospital-2026") == _licence()
    _licence(export=True).write(source)
    terms.install(lake, source)
    assert terms.find(lake.licences, "hospital-2026").export
    assert terms.known(lake, "hospital-2026").export


FLAGS = st.fixed_dictionaries(
    {
        "train_models": st.booleans(),
        "share_models": st.booleans(),
        "export": st.booleans(),
        "purposes": st.lists(st.sampled_from(["research", "model-training", "teaching"]), min_size=1, unique=True),
        "valid_until": st.one_of(st.none(), st.dates(dt.date(2026, 1, 1), dt.date(2030, 1, 1))),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(FLAGS, min_size=1, max_size=4))
def test_union_allows_only_what_every_licence_allows(flags):
    licences = [_licence(id=f"licence-{number}", **flag) for number, flag in enumerate(flags)]
    union = terms.union(licences)
    for name in ("train_models", "share_models", "export"):
        assert getattr(union, name) == all(getattr(licence, name) for licence in licences)
    assert set(union.purposes) == set.intersection(*(set(licence.purposes) for licence in licences))
    ends = [licence.valid_until for licence in licences if licence.valid_until]
    assert union.valid_until == (min(ends) if ends else None)
    assert union.licences == {licence.id: licence.digest for licence in licences}


def test_union_of_nothing_allows_nothing():
    union = terms.union([])
    assert (union.train_models, union.share_models, union.export, union.purposes) == (False, False, False, ())
