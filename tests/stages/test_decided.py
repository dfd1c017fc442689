"""A row of decisions says why, what the standard asks, and which files it speaks of, without a value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.headers.treatment import Decision
from deid.policy import load_policy
from deid.vault import Subject
from schemas.tables import DECISIONS
from stages.decided import Tally, basic_action, rule_reasons

POLICY = load_policy("safe_harbor")
SUBJECT, OTHER = Subject("SA", b"1" * 32), Subject("SB", b"2" * 32)
NAME = Decision("(0010,0010)", "pseudonym", "D", "name", "vault", None)
TEXT = Decision("(0008,103E)", "descriptors", "C", "text", "street", 0.8)
KEPT = Decision("(0018,0081)", "physics", "K", "number", "policy", None)


def rows(*files, policy=POLICY):
    tally = Tally()
    for series, subject, sha256, decisions in files:
        tally.add(series, subject, sha256, decisions)
    return tally.rows(policy)


def one(*files):
    (row,) = rows(*files)
    return row


def test_rows_are_counted_by_series_with_reason_action_and_highest_score():
    made = rows(
        ("1", SUBJECT, "a", {NAME: 1, TEXT: 2, KEPT: 1}),
        ("1", SUBJECT, "b", {NAME: 1, TEXT._replace(score=0.9): 1}),
        ("2", SUBJECT, "c", {NAME: 1}),
    )
    assert [(r["series"], r["element"], r["count"], r["score"]) for r in made] == [
        ("1", "(0008,103E)", 3, 0.9),
        ("1", "(0010,0010)", 2, None),
        ("1", "(0018,0081)", 1, None),
        ("2", "(0010,0010)", 1, None),
    ]
    assert {r["reason"] for r in made} >= {next(rule.reason for rule in POLICY.keep if rule.id == "physics")}
    assert [r["standard"] for r in made] == ["X", "Z", None, "Z"]
    DECISIONS.conform(made)


@pytest.mark.parametrize(
    ("element", "action"),
    [
        ("(0010,0010)", "Z"),
        ("(0040,0275)>(0008,0050)", "Z"),
        ("(0018,0081)", None),
        ("(0019,xx0C SIEMENS MR HEADER)", "X"),
        ("(0033,0010)", "X"),
        ("(6000,3000)", "X"),
    ],
)
def test_the_action_of_the_standard_is_that_of_the_innermost_element(element, action):
    assert basic_action(element) == action


def test_every_rule_has_a_reason():
    named = {r.id for name in ("keep", "clean", "times", "uids", "sequences", "codes", "empty", "private")
             for r in getattr(POLICY, name)}  # fmt: skip
    reasons = rule_reasons(POLICY)
    assert named | {"not-named", "pseudonym", "pixel-data", "burned-in-text", "face"} <= reasons.keys()
    assert all(reasons.values())


def test_what_left_as_it_came_has_no_digest():
    assert one(("1", SUBJECT, "a", {KEPT: 1}))["digest"] is None
    assert len(one(("1", SUBJECT, "a", {NAME: 1}))["digest"]) == 32


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abcdef0123456789", min_size=64, max_size=64), min_size=1, max_size=5, unique=True))
def test_a_digest_is_the_same_in_any_order_and_only_for_the_same_files_and_subject(files):
    said = [("1", SUBJECT, sha256, {NAME: 1}) for sha256 in files]
    digest = one(*said)["digest"]
    assert one(*reversed(said))["digest"] == digest
    assert one(*said, ("1", SUBJECT, "0" * 63 + "g", {NAME: 1}))["digest"] != digest
    assert one(*(("1", OTHER, *rest) for _, _, *rest in said))["digest"] != digest
    assert one(*(("1", SUBJECT, sha256, {NAME._replace(kind="id"): 1}) for sha256 in files))["digest"] != digest
