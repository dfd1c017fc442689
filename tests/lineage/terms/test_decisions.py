"""Nothing is done without terms that allow it, and a refusal says which term and what to do."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.ledger.events import EventType, checked
from lineage.terms.answers import check_carried, check_manifest
from lineage.terms.decisions import decide
from lineage.terms.questions import Action, Piece, Question
from lineage.terms.refusal import Refusal
from lineage.terms.terms import Known
from lineage.terms.union import union
from tests.lineage.terms.documents import DAY, delivery, document

LICENCE = "hospital-2026"


def _asked(action=Action.INTAKE, purpose="research", who="scientist@example.org", day=DAY, country=None):
    return Question(Action(action), purpose, who, day, country)


def _known(*documents):
    return Known({each.id: each for each in documents})


def _piece(**about):
    return Piece(LICENCE, "hospital-1", **about)


def test_what_the_terms_allow_gives_a_decision_that_names_them_by_digest():
    licence = document(LICENCE, requires=["dua"])
    known = _known(licence, document("dua", "data-use-agreement"), document("form", "consent", subjects=["S1"]))
    decision = decide(_asked(), [_piece(subject="S1")], known, "hospital-1")
    assert decision.terms == {id_: known.documents[id_].digest for id_ in ("dua", "form", LICENCE)}
    facts = decision.facts
    assert (facts["licence"], facts["licence_sha256"]) == (LICENCE, licence.digest)
    assert facts["agreements"] == {"dua": known.documents["dua"].digest}
    assert "form" not in str(facts)


def test_a_purpose_that_is_no_phrase_is_in_the_digest_alone():
    wordy = "research (no commerce), see annex"
    known = _known(document(LICENCE, purposes=[wordy]))
    facts = decide(_asked(purpose=wordy), [_piece()], known).facts
    assert checked(EventType.DEIDENTIFIED, {"delivery": "a", "policy_sha256": "0" * 64, **facts})["decision"]
    assert facts["purpose"] is None


def test_the_digest_of_a_decision_changes_with_everything_that_was_asked():
    known = _known(document(LICENCE))
    first = decide(_asked(), [_piece()], known)
    assert first.digest == decide(_asked(), [_piece(), _piece()], known).digest
    others = [
        decide(_asked(action=Action.DEIDENTIFY), [_piece()], known),
        decide(_asked(purpose="model-training"), [_piece()], known),
        decide(_asked(who="other"), [_piece()], known),
        decide(_asked(day=DAY + dt.timedelta(days=1)), [_piece()], known),
        decide(_asked(country="DE"), [_piece()], known),
        decide(_asked(), [_piece()], known, "hospital-1"),
        decide(_asked(), [_piece()], _known(document(LICENCE, attribution="x"))),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == len(others) + 1


REFUSALS = [
    ({}, {"day": dt.date(2027, 1, 1)}, {}, "valid_until", "needed a day until 2026-12-31; agree on a renewal"),
    ({}, {"day": dt.date(2025, 1, 1)}, {}, "valid_from", "needed a day from 2026-01-01"),
    ({"revoked": "2026-06-01"}, {}, {}, "revoked", "needed a day before 2026-06-01"),
    ({"deliveries": ["clinic-*"]}, {}, {}, "deliveries", "found delivery hospital-1, needed a name like clinic-"),
    ({"subjects": ["S1"]}, {}, {"subject": "S2"}, "subjects", "leave them out"),
    ({"body_parts": ["head"]}, {}, {"body_part": "knee"}, "body_parts", "needed one of: head"),
    ({}, {"purpose": "marketing"}, {}, "purposes", "needed one of: research, model-training"),
    ({"users": ["*@hospital.org"]}, {}, {}, "users", r"needed one of: \*@hospital.org"),
    ({"territory": ["DE", "FR"]}, {"country": "US"}, {}, "territory", "found work in US, needed one of: DE, FR"),
    ({"territory": ["DE"]}, {}, {}, "territory", "LARMOR_COUNTRY"),
    ({"train_models": False}, {"action": "train"}, {}, "train_models", "needed true for train"),
    ({"share_models": False}, {"action": "share"}, {}, "share_models", "needed true for share"),
    ({"export": False}, {"action": "export"}, {}, "export", "needed true for export"),
    ({"derivatives": False}, {"action": "predict"}, {}, "derivatives", "needed true for predict"),
]


@pytest.mark.parametrize("kind", ["licence", "data-use-agreement", "ethics-approval", "consent"])
@pytest.mark.parametrize(("changes", "asked", "about", "term", "said"), REFUSALS, ids=[row[3] for row in REFUSALS])
def test_refusal_names_the_term_and_the_remedy_whatever_the_kind(kind, changes, asked, about, term, said):
    if kind == "licence":
        known = _known(document(LICENCE, **changes))
    else:
        wide = {"valid_from": "2000-01-01", "valid_until": None, "purposes": ["research", "marketing"]}
        known = _known(document(LICENCE, requires=["beside"], **wide), document("beside", kind, **changes))
    with pytest.raises(Refusal, match=said) as refusal:
        decide(_asked(**asked), [_piece(**about)], known)
    assert refusal.value.term == term
    assert str(refusal.value).startswith(f"{kind} {LICENCE if kind == 'licence' else 'beside'}, {term}: ")


def test_a_licence_that_nobody_knows_is_refused():
    with pytest.raises(Refusal, match="no such licence") as refusal:
        decide(_asked(), [_piece()], _known())
    assert (refusal.value.document, refusal.value.term) == (LICENCE, "licence")


def test_requirements_are_followed_to_their_own_and_a_circle_ends():
    known = _known(
        document(LICENCE, requires=["dua"]),
        document("dua", "data-use-agreement", requires=["board", LICENCE]),
        document("board", "ethics-approval", revoked="2026-05-01"),
    )
    with pytest.raises(Refusal, match="ethics-approval board, revoked"):
        decide(_asked(), [_piece()], known)
    with pytest.raises(Refusal, match="data-use-agreement dua, requires: found no board") as refusal:
        decide(_asked(), [_piece()], _known(known.documents[LICENCE], known.documents["dua"]))
    assert "larmor terms --add" in str(refusal.value)


def test_of_a_required_kind_one_that_covers_and_allows_is_enough():
    licence = document(LICENCE, requires=["ethics-approval"])
    old, new = document("a", "ethics-approval", valid_until="2026-02-01"), document("b", "ethics-approval")
    other = document("c", "ethics-approval", deliveries=["clinic-*"])
    assert set(decide(_asked(), [_piece()], _known(licence, old, new, other)).terms) == {LICENCE, "b"}
    with pytest.raises(Refusal, match="ethics-approval a, valid_until"):
        decide(_asked(), [_piece()], _known(licence, old, other))
    with pytest.raises(Refusal, match=f"licence {LICENCE}, requires: found no ethics-approval"):
        decide(_asked(), [_piece()], _known(licence, other))


def test_a_required_consent_is_asked_as_soon_as_persons_are_known():
    licence = document(LICENCE, requires=["consent"])
    form = document("form", "consent", subjects=["S1"])
    decide(_asked(), [_piece()], _known(licence))
    decide(_asked(), [_piece(subject="S1")], _known(licence, form))
    with pytest.raises(Refusal, match="found no consent that covers these data") as refusal:
        decide(_asked(), [_piece(subject=subject) for subject in ("S1", "S2", "S3")], _known(licence, form))
    assert refusal.value.subjects == ("S2", "S3")
    assert "S2" not in str(refusal.value)
    assert "concerns: 2" in str(refusal.value)


def test_a_consent_binds_whom_it_names_though_no_licence_requires_it():
    licence = document(LICENCE)
    expired = document("form", "consent", subjects=["S1"], valid_until="2026-02-01")
    taken_back = document("form", "consent", withdrawn=["S1"])
    renewed = document("second", "consent", subjects=["S1"])
    decide(_asked(), [_piece(subject="S2")], _known(licence, expired))
    for form, term in ((expired, "valid_until"), (taken_back, "withdrawn")):
        with pytest.raises(Refusal, match=f"consent form, {term}"):
            decide(_asked(), [_piece(subject="S1")], _known(licence, form, renewed))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["licence", "data-use-agreement", "consent"]), min_size=1, max_size=4), st.data())
def test_an_action_is_allowed_exactly_if_every_bound_document_grants_it(kinds, data):
    granted = [data.draw(st.booleans()) for _ in kinds]
    ids = [f"d{number}" for number in range(len(kinds))]
    documents = [
        document(id_, kind, export=right, requires=[ids[n + 1]] if n + 1 < len(ids) else [])
        for n, (id_, kind, right) in enumerate(zip(ids, kinds, granted, strict=True))
    ]
    piece = Piece(ids[0], "hospital-1", "S1", "head")
    if all(granted):
        assert set(decide(_asked(action="export"), [piece], _known(*documents)).terms) == set(ids)
    else:
        with pytest.raises(Refusal) as refusal:
            decide(_asked(action="export"), [piece], _known(*documents))
        assert refusal.value.document == ids[granted.index(False)]


@pytest.mark.parametrize(
    ("changes", "term", "said"),
    [
        ({"licence": "other"}, "licence", "found delivery hospital-1 under other"),
        ({"licensor": "Dr Roe"}, "licensor", "name the licensor in delivery.yaml"),
    ],
)
def test_a_manifest_names_its_licence_and_licensor_and_the_error_quotes_no_person(changes, term, said):
    with pytest.raises(Refusal, match=said) as refusal:
        check_manifest(document(LICENCE), delivery(**changes))
    assert refusal.value.term == term
    assert "Roe" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "asked", "term"),
    [
        ({}, {"purpose": "marketing"}, "purposes"),
        ({}, {"day": dt.date(2027, 1, 1)}, "valid_until"),
        ({"users": ["*@hospital.org"]}, {}, "users"),
        ({"territory": ["DE"]}, {"country": "US"}, "territory"),
        ({"derivatives": False}, {}, "derivatives"),
    ],
)
def test_a_model_from_elsewhere_is_asked_what_it_carries(changes, asked, term):
    check_carried(union([document(LICENCE)]), _asked(action="predict"), "model")
    with pytest.raises(Refusal, match=f"model brought, {term}: ") as refusal:
        check_carried(union([document(LICENCE, **changes)]), _asked(**{"action": "predict"} | asked), "brought")
    assert refusal.value.term == term
