"""What is not as it should be stands at the top of an officer's page, and nothing else does."""

from collections import Counter
from types import SimpleNamespace

import pytest

from lineage.evidence.attention import points
from lineage.evidence.deidentified import Group, Line

HOLDS, BROKEN = SimpleNamespace(ok=True), SimpleNamespace(ok=False)
SECTIONS = (
    "checks", "identifiers", "terms", "emergencies", "roles", "refusals", "models", "sealed", "releases", "quarantine",
)  # fmt: skip


def page(**sections):
    return dict.fromkeys(SECTIONS, ()) | sections


def group(status, series):
    return Group("0", "safe_harbor", [Line("Q", "Faces", status)], Counter(series))


def release(few):
    risk = SimpleNamespace(k=11, subjects=12, subjects_in_small_cells=few)
    return {"name": "heads", "superseded": False, "manifest": SimpleNamespace(risk=risk)}


def test_a_page_on_which_all_is_well_asks_for_nothing():
    well = page(
        checks=[{"delivery": "a", "planted": 9, "removed": 9, "findings": 0}],
        identifiers=[group("removed", {"a": 3})],
        terms=[{"current": True, "state": "in force", "licence": "l"}],
        models=[{"name": "m", "manifest": object(), "retired": False, "seen": {"subjects": 1}}],
        sealed=[{"release": "heads", "models": {"m": 0}}],
        releases=[release(0)],
    )
    assert points(well, HOLDS) == []


@pytest.mark.parametrize(
    ("wrong", "text", "anchor"),
    [
        ({"checks": [{"delivery": "a", "findings": 2}]}, "delivery a: the second look found 2 identifiers", "check-a"),
        ({"checks": [{"delivery": "a", "planted": 9, "removed": 8}]}, "not every canary was removed", "check-a"),
        ({"terms": [{"current": True, "state": "ended", "licence": "l"}]}, "terms l: ended", "licence-l"),
        ({"sealed": [{"release": "heads", "models": {"m": 3}}]}, "model m saw 3 test subjects of heads", "models"),
        (
            {"models": [{"name": "m", "manifest": object(), "retired": False, "seen": {}}]},
            "no exposures are recorded",
            "model-m",
        ),
    ],
)
def test_a_finding_is_told_with_where_it_stands(wrong, text, anchor):
    (point,) = points(page(**wrong), HOLDS)
    assert text in point.text
    assert point.anchor == anchor
    assert point.bad


def test_what_was_kept_is_counted_over_groups_and_leads_to_the_first():
    groups = [group("removed", {"a": 5}), group("kept", {"a": 2, "b": 1}), group("kept", {"c": 4})]
    (point,) = points(page(identifiers=groups), HOLDS)
    assert point.text == "Faces: kept in 7 series"
    assert point.anchor == "identifiers-2"


def test_the_first_document_of_roles_is_no_change_of_it():
    assert points(page(roles=["first"]), HOLDS) == []
    (point,) = points(page(roles=["first", "second"]), HOLDS)
    assert (point.text, point.bad) == ("the document of roles changed 1 times", False)


def test_findings_come_before_what_is_to_be_known():
    found = points(page(quarantine=[{"n": 3}], releases=[release(12)], refusals=["entry"]), BROKEN)
    assert [point.bad for point in found] == [True, False, False, False]
    assert found[0].text == "the ledger does not verify"
    assert {point.anchor for point in found[1:]} == {"licences", "release-heads", "quarantine"}
