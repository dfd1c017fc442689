"""A certificate says of each of the 18 identifiers what became of it, and none is given where something is left."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.proof.certificate import CATEGORIES, NotCertifiable, Scan, Status, Terms, certify

POLICY = "a" * 64
TERMS = Terms("safe_harbor", 1, POLICY, "2026d", "0.1.0")
SCAN = Scan(41, 9000, 0)


def row(element, action, kind, rule="made", detector="policy", count=1):
    return {
        "element": element, "action": action, "kind": kind, "rule": rule, "detector": detector, "count": count,
        "policy": POLICY,
    }  # fmt: skip


NAME = row("(0010,0010)", "D", "name", "pseudonym", "vault")


def entries(*rows, **given):
    made = certify("d", "2.25.1", rows or [NAME], TERMS, 3, SCAN, **given)
    return {entry.letter: entry for entry in made.entries}


def test_there_are_18_identifiers_in_the_order_of_the_rule():
    assert "".join(category.letter for category in CATEGORIES) == "ABCDEFGHIJKLMNOPQR"
    assert list(entries()) == list("ABCDEFGHIJKLMNOPQR")


@pytest.mark.parametrize(
    ("letter", "decision", "status"),
    [
        ("A", NAME, Status.TRANSFORMED),
        ("A", row("(0008,0090)", "Z", "name"), Status.REMOVED),
        ("A", row("(0040,0275)>(0010,0010)", "X", "name"), Status.REMOVED),
        ("B", row("(0008,0080)", "X", "text"), Status.REMOVED),
        ("B", row("(0008,103E)", "C", "text", detector="street"), Status.REMOVED),
        ("C", row("(0008,0020)", "C", "date", detector="vault"), Status.TRANSFORMED),
        ("C", row("(0008,0020)", "K", "date"), Status.KEPT),
        ("C", row("(0010,1010)", "C", "number"), Status.TRANSFORMED),
        ("C", row("(0010,1010)", "K", "number"), Status.ABSENT),
        ("D", row("(0010,2154)", "X", "text"), Status.REMOVED),
        ("F", row("(0008,103E)", "C", "text", detector="e-mail address"), Status.REMOVED),
        ("G", row("(0008,103E)", "C", "text", detector="social security number"), Status.REMOVED),
        ("H", row("(0010,0020)", "D", "id", "pseudonym", "vault"), Status.TRANSFORMED),
        ("J", row("(0008,0050)", "Z", "text"), Status.REMOVED),
        ("J", row("(0008,0050)", "K", "text"), Status.KEPT),
        ("M", row("(0018,1000)", "X", "text"), Status.REMOVED),
        ("R", row("(0008,0018)", "U", "uid", detector="vault"), Status.TRANSFORMED),
        ("R", row("(0029,xx10 SIEMENS CSA HEADER)", "X", "binary"), Status.REMOVED),
        ("R", row("(0008,103E)", "C", "text", detector="unknown word"), Status.REMOVED),
        ("R", row("(0008,0016)", "K", "uid"), Status.ABSENT),
        ("B", row("(0008,103E)", "K", "text", detector="vocabulary"), Status.ABSENT),
    ],
)
def test_what_was_decided_is_what_is_certified(letter, decision, status):
    entry = entries(decision)[letter]
    assert entry.status is status
    if status not in (Status.ABSENT, Status.NOT_APPLICABLE):
        assert decision["rule"] in entry.checked
        assert entry.elements == decision["count"]


def test_a_value_that_leaves_counts_before_those_that_were_removed():
    dates = row("(0008,0020)", "X", "date"), row("(0008,0022)", "K", "date")
    assert entries(*dates)["C"].status is Status.KEPT


def test_an_element_that_was_empty_already_is_not_kept():
    accession = row("(0008,0050)", "K", "text", "must-exist")
    assert entries(accession)["J"].status is Status.KEPT
    assert entries(accession, empty=frozenset({"must-exist"}))["J"].status is Status.ABSENT


@pytest.mark.parametrize(
    ("decisions", "faces", "status"),
    [
        ([row("(7FE0,0010)", "C", "face", "face", "geometry")], "removed", Status.REMOVED),
        ([row("(7FE0,0010)", "K", "face", "face", "geometry")], "none shown", Status.ABSENT),
        ([row("(7FE0,0010)", "K", "face", "face-exempt", "diffusion")], "exempt", Status.NOT_APPLICABLE),
        ([row("(7FE0,0010)", "K", "face", "face-unjudged", "geometry")], "not judged", Status.KEPT),
        ([NAME], "not looked for", Status.KEPT),
    ],
)
def test_faces_are_their_own_line_and_never_said_to_be_gone_unseen(decisions, faces, status):
    made = certify("d", "2.25.1", decisions, TERMS, 1, SCAN)
    assert (made.faces, made.entries[16].status) == (faces, status)


@pytest.mark.parametrize(("action", "said"), [("C", "removed"), ("K", "none found")])
def test_text_in_pixels_is_said(action, said):
    made = certify("d", "s", [row("(7FE0,0010)", action, "text in pixels", "burned-in-text", "ocr")], TERMS, 1, SCAN)
    assert made.burned_in == said
    assert certify("d", "s", [NAME], TERMS, 1, SCAN).burned_in == "not looked for"


def test_nothing_is_certified_with_a_finding_or_under_two_policies():
    with pytest.raises(NotCertifiable, match="2 findings"):
        certify("d", "s", [NAME], TERMS, 1, Scan(41, 9000, 2))
    with pytest.raises(NotCertifiable, match="other policies"):
        certify("d", "s", [NAME, NAME | {"policy": "b" * 64}], TERMS, 1, SCAN)
    with pytest.raises(NotCertifiable, match="no decisions"):
        certify("d", "s", [], TERMS, 1, SCAN)


ROWS = st.builds(
    row,
    st.sampled_from(["(0010,0010)", "(0008,0080)", "(0008,0020)", "(0010,1010)", "(0018,1000)", "(0029,xx10 X)"]),
    st.sampled_from("KCDZXU"),
    st.sampled_from(["name", "date", "text", "uid", "number", "binary", "code"]),
    st.sampled_from(["not-named", "dates"]),
    st.sampled_from(["policy", "vault", "vocabulary", "unknown word", "digits"]),
    st.integers(1, 9),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=12), st.randoms())
def test_each_decision_counts_once_at_most_and_order_does_not_matter(rows, chance):
    made = certify("d", "s", rows, TERMS, 1, SCAN)
    assert sum(entry.elements for entry in made.entries) <= made.elements == sum(r["count"] for r in rows)
    acted = sum(r["count"] for r in rows if r["action"] != "K")
    assert sum(entry.elements for entry in made.entries) >= acted
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert certify("d", "s", shuffled, TERMS, 1, SCAN).digest == made.digest
    assert json.loads(made.document)["terms"]["policy_sha256"] == POLICY
