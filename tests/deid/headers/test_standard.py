"""PS3.15 Table E.1-1: the data are whole, and policies keep to them."""

from collections import Counter

import pytest

from deid.headers import standard
from deid.policy import claims, compile_policy, load_policy
from schemas.document import DocumentError
from schemas.policy import Dates, Policy, Rule, shipped


def policy(name="clean", dates="year_only", option="", elements=("SeriesDescription",)):
    rule = Rule(id="probe", reason="a test", elements=list(elements), option=option)
    return Policy(name="probe", version=1, title="A test", edition="2026d", dates=Dates(dates), **{name: [rule]})


def test_the_table_is_whole():
    table = standard.table()
    assert table.edition == "2026d"
    assert len(table.rows) == len({row.tag for row in table.rows}) == 657
    assert Counter(row.basic for row in table.rows) == {
        "X": 417, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2
    }  # fmt: skip


def test_the_option_columns_are_whole():
    counted = Counter((code, action) for row in standard.table().rows for code, action in row.options.items())
    assert counted == {
        ("113103", "C"): 4, ("113104", "C"): 4, ("113105", "C"): 141, ("113106", "K"): 169, ("113107", "C"): 169,
        ("113108", "K"): 14, ("113108", "C"): 5, ("113109", "K"): 48, ("113109", "C"): 11, ("113110", "K"): 60,
        ("113111", "C"): 1, ("113112", "K"): 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tag", "basic"),
    [(0x00100010, "Z"), (0x0008103E, "X"), (0x60023000, "X"), (0x501E0022, "X"), (0x00291010, "X"), (0x00180081, None)],
)
def test_attributes_are_found_in_repeating_and_private_groups_too(tag, basic):
    row = standard.table().row(tag)
    assert (row.basic if row else None) == basic


@pytest.mark.parametrize("name", shipped())
def test_shipped_policies_keep_nothing_listed_without_an_option_that_allows_it(name):
    shipped_policy = load_policy(name)
    compiled = compile_policy(shipped_policy)
    assert shipped_policy.edition.endswith(standard.table().edition)
    assert claims(shipped_policy) <= standard.OPTIONS.keys()
    listed = [standard.table().row(tag) for tag in compiled.standard]
    assert sum(row is not None for row in listed) > 50, "the check looked at the listed attributes"


@pytest.mark.parametrize(
    ("name", "elements", "option"),
    [
        ("keep", ["PatientAge"], ""),
        ("keep", ["PatientAge"], "113105"),
        ("keep", ["PatientSex", "PatientAge", "AcquisitionFieldOfViewLabel"], "113108"),
        ("keep", ["AdmissionID"], ""),
        ("clean", ["SeriesDescription"], ""),
        ("clean", ["SeriesDescription", "InstitutionName"], "113105"),
        ("times", ["PatientBirthDate"], ""),
        ("uids", ["AffectedSOPInstanceUID"], ""),
        ("sequences", ["RequestAttributesSequence"], ""),
        ("codes", ["AdmittingDiagnosesCodeSequence"], ""),
        ("prose", ["PatientComments"], "113108"),
    ],
)
def test_a_listed_attribute_needs_an_option_that_allows_it(name, elements, option):
    with pytest.raises(DocumentError, match=r"rule probe: found .*needed"):
        compile_policy(policy(name, option=option, elements=elements))


@pytest.mark.parametrize(
    ("name", "elements", "option"),
    [
        ("keep", ["PatientAge", "EchoTime"], "113108"),
        ("keep", ["EchoTime"], ""),
        ("clean", ["SeriesDescription", "Manufacturer"], "113105"),
        ("clean", ["InstitutionName"], "113112"),
        ("times", ["StudyDate"], ""),
        ("uids", ["StudyInstanceUID"], ""),
        ("empty", ["PatientBirthDate", "AdmissionID"], ""),
        ("sequences", ["ReferencedStudySequence"], ""),
    ],
)
def test_what_the_standard_allows_is_allowed(name, elements, option):
    compiled = compile_policy(policy(name, option=option, elements=elements))
    assert len(compiled.standard) == len(elements)
    assert claims(compiled.policy) == ({option} if option else {"113107"} if name == "times" else set())


def test_an_option_that_lets_nothing_leave_is_not_claimed():
    with pytest.raises(DocumentError, match=r"found option 113108, which PS3\.15 gives to none"):
        compile_policy(policy("keep", option="113108", elements=["EchoTime"]))
    with pytest.raises(ValueError, match="option"):
        policy("keep", option="113100", elements=["PatientAge"])
