"""Data treated beyond safe harbor leave only with a determination in force for this very policy."""

import datetime as dt

import pytest

from lake.zones import Lake
from lineage.ledger.ledger import append
from lineage.terms import determinations, terms
from lineage.terms.refusal import Refusal
from lineage.terms.terms import Known
from schemas.policy import POLICIES, Found, read_policy, shipped
from tests.lineage.terms.documents import DAY, POLICY, document

SHIPPED = {name: read_policy(POLICIES / f"{name}.yaml") for name in shipped()}
EXPERT = SHIPPED["expert_determination"].digest


def _needed(lake, policy, release="cohort", day=DAY):
    return determinations.needed(lake, Known.of(lake), [policy], release, day)


def _determination(**changes):
    return document("expert-1", "expert-determination", **{"policy_sha256": EXPERT} | changes)


def test_what_a_policy_rests_on_follows_from_what_it_keeps():
    assert {name: determinations.basis(policy) for name, policy in SHIPPED.items()} == {
        name: name for name in ("expert_determination", "limited_data_set", "safe_harbor")
    }
    kept = SHIPPED["safe_harbor"].model_copy(update={"faces": Found.KEEP})
    assert determinations.basis(kept) == determinations.EXPERT


@pytest.mark.parametrize("name", ["safe_harbor", "limited_data_set"])
def test_other_policies_need_none(lake, name):
    assert _needed(lake, SHIPPED[name].digest) == {}


def test_a_determination_in_force_for_the_policy_and_the_release_is_named(lake):
    mine = _determination(releases=["coh*"])
    terms.learn(lake, mine)
    assert _needed(lake, EXPERT) == {"expert-1": mine.digest}


@pytest.mark.parametrize(
    ("changes", "term", "said"),
    [
        (None, "policy_sha256", "found no determination, needed one in force on 2026-06-01"),
        ({"policy_sha256": POLICY}, "policy_sha256", "found determinations of 1 other policies only"),
        ({"valid_until": "2026-05-31"}, "valid_until", "found one that is not in force"),
        ({"revoked": "2026-05-01"}, "valid_until", "found one that is not in force"),
        ({"releases": ["other"]}, "releases", "found one of other releases"),
    ],
    ids=["none", "drifted", "expired", "revoked", "other release"],
)
def test_without_one_the_release_is_refused(lake, changes, term, said):
    if changes is not None:
        terms.learn(lake, _determination(**changes))
    with pytest.raises(Refusal, match=said) as refusal:
        _needed(lake, EXPERT)
    assert refusal.value.term == term
    assert "have the expert judge this policy" in str(refusal.value)


def test_a_policy_of_ones_own_is_known_by_what_its_deidentification_said(lake):
    assert _needed(lake, POLICY) == {}
    append(lake, "deidentified", {"delivery": "a", "policy_sha256": POLICY, "mode": determinations.EXPERT})
    with pytest.raises(Refusal):
        _needed(lake, POLICY)
    terms.learn(lake, _determination(policy_sha256=POLICY))
    assert set(_needed(lake, POLICY)) == {"expert-1"}


def test_an_installation_may_keep_determinations_elsewhere(tmp_path):
    lake = Lake.open(tmp_path / "lake", determinations=False)
    assert _needed(lake, EXPERT) == {}


def test_a_determination_has_an_end():
    with pytest.raises(ValueError, match="valid_until"):
        _determination(valid_until=None)
    assert not _determination(valid_until="2026-12-31").in_force(dt.date(2027, 1, 1))
