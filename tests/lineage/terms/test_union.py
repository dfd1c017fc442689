"""A release and a model carry the most restrictive of everything that covers them."""

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.terms.union import joined, of, union
from schemas.union import Terms
from tests.lineage.terms.documents import document

DAYS = st.one_of(st.none(), st.dates(dt.date(2026, 2, 1), dt.date(2030, 1, 1)))
CHANGES = st.fixed_dictionaries(
    {
        "train_models": st.booleans(),
        "share_models": st.booleans(),
        "export": st.booleans(),
        "derivatives": st.booleans(),
        "purposes": st.lists(st.sampled_from(["research", "model-training", "teaching"]), min_size=1, unique=True),
        "users": st.lists(st.sampled_from(["*@a.org", "*@b.org"]), unique=True),
        "territory": st.lists(st.sampled_from(["DE", "FR", "US"]), unique=True),
        "valid_until": DAYS,
        "retain_until": DAYS,
        "revoked": DAYS,
        "at_end": st.sampled_from(["keep", "return", "destroy"]),
    }
)


def _documents(changes):
    return [document(f"d{number}", **change) for number, change in enumerate(changes)]


@settings(max_examples=40, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=4))
def test_union_allows_only_what_every_document_allows(changes):
    documents = _documents(changes)
    together = union(documents)
    for right in ("train_models", "share_models", "export", "derivatives"):
        assert getattr(together, right) == all(getattr(each, right) for each in documents)
    assert set(together.purposes) == set.intersection(*(set(each.purposes) for each in documents))
    countries = [set(each.territory) for each in documents if each.territory]
    assert together.territory == (sorted(set.intersection(*countries)) if countries else None)
    assert {tuple(sorted(each.users)) for each in documents if each.users} == set(map(tuple, together.users))
    for field, days in (
        ("valid_until", [each.last_day for each in documents]),
        ("retain_until", [each.retain_until for each in documents]),
    ):
        assert getattr(together, field) == min((day for day in days if day), default=None)
    assert set(together.at_end) == {each.at_end for each in documents} - {"keep"}
    assert together.documents == {each.id: each.digest for each in documents}


@settings(max_examples=40, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=3), st.lists(CHANGES, min_size=1, max_size=3))
def test_a_model_carries_the_same_however_its_parents_came_together(one, other):
    release, parent = _documents(one), _documents(other)
    together = joined([union(release), union(parent)])
    assert together == joined([union(parent), union(release)])
    assert together == joined(of(each) for each in (*parent, *release))
    assert set(together.documents.values()) == {each.digest for each in (*release, *parent)}


def test_two_wordings_of_a_document_both_count():
    old, new = document("d", attribution="before"), document("d", attribution="after")
    found = joined([of(old), of(new)]).documents
    assert len(found) == 2
    assert set(found.values()) == {old.digest, new.digest}
    assert all(name.split("@")[0] == "d" for name in found)


def test_union_of_nothing_allows_nothing():
    assert union([]) == joined([]) == Terms()
    assert not any((Terms().train_models, Terms().share_models, Terms().export, Terms().purposes))
