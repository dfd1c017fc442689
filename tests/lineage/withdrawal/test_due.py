"""What may no longer be kept is planned when its day has come, and waits for a person: a clock deletes nothing."""

import datetime as dt
import json

import pytest

from lineage.terms import terms
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.due import due, plan_due
from lineage.withdrawal.plan import plan
from lineage.withdrawal.withdrawals import confirmation
from schemas.agreement import Agreement, Consent
from schemas.contract import Zone
from schemas.tables import VOLUMES
from tests import synthetic

LAST = dt.date(2026, 3, 31)
ON, AFTER = LAST, LAST + dt.timedelta(days=1)


@pytest.fixture
def two_deliveries(lake):
    """Deliveries a and b under a licence each, that hold nothing but the tables."""
    for people, of in (({"a": ["S1", "S2"]}, "open-licence"), ({"b": ["S3"]}, "other-licence")):
        synthetic.know(lake, synthetic.licence(of))
        synthetic.land(lake, people, of)
        synthetic.fill(lake, people, of=of)
    return lake


def _scopes(lake, day):
    return [(each.scope, each.why, each.since) for each in due(lake, day)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"valid_until": LAST, "at_end": "destroy"}, "end"),
        ({"revoked": AFTER, "at_end": "return"}, "end"),
        ({"retain_until": LAST}, "retention"),
        ({"retain_until": LAST, "valid_until": AFTER, "at_end": "destroy"}, "retention"),
    ],
    ids=["ended", "revoked", "retention", "the earlier of both"],
)
def test_a_licence_is_due_from_the_day_after_its_last(two_deliveries, changes, why):
    terms.learn(two_deliveries, synthetic.licence("other-licence", **changes))
    assert _scopes(two_deliveries, ON) == []
    assert _scopes(two_deliveries, AFTER) == [(Scope(Kind.LICENCE, "other-licence"), why, AFTER)]


def test_a_licence_whose_data_may_be_kept_is_never_due(two_deliveries):
    terms.learn(two_deliveries, synthetic.licence("other-licence", valid_until=LAST))
    assert _scopes(two_deliveries, dt.date(2099, 1, 1)) == []


def test_other_documents_are_due_by_what_they_cover(two_deliveries):
    facts = {"title": "made", "licensor": "Board", "valid_from": dt.date(2020, 1, 1), "purposes": ["research"]}
    agreement = Agreement(
        kind="data-use-agreement", id="agreed", deliveries=["b*"], valid_until=LAST, at_end="destroy", **facts
    )
    terms.learn(two_deliveries, agreement)
    terms.learn(two_deliveries, Consent(kind="consent", id="form", withdrawn=["S2"], **facts))
    assert {(scope.value, why) for scope, why, _ in _scopes(two_deliveries, AFTER)} == {("b", "end"), ("S2", "consent")}
    assert {(scope.value, why) for scope, why, _ in _scopes(two_deliveries, ON)} == {("S2", "consent")}


def test_plans_wait_for_a_person_until_nothing_is_held(two_deliveries):
    lake = two_deliveries
    terms.learn(lake, synthetic.licence("other-licence", valid_until=LAST, at_end="destroy"))
    rows = lake.table(VOLUMES).read(["volume"]).num_rows
    ((found, made),) = plan_due(lake, AFTER)
    assert lake.table(VOLUMES).read(["volume"]).num_rows == rows
    place = lake.location(Zone.AUDIT, "withdrawals-due")
    (name,) = place.list()
    kept = json.loads(place.read_bytes(name))
    assert kept["confirm"] == confirmation(plan(lake, found.scope)) == confirmation(made)
    assert (kept["due"]["why"], kept["due"]["term"]) == ("end", "other-licence")
    terms.learn(lake, synthetic.licence("other-licence", valid_until=AFTER, at_end="destroy"))
    assert plan_due(lake, AFTER) == []
    assert place.list() == []
