"""A policy says what it keeps and why; what contradicts the standard or itself is refused."""

import pytest
import yaml
from pydicom.datadict import tag_for_keyword

from deid.policy import Treat, compile_policy, load_policy
from schemas.document import DocumentError
from schemas.policy import POLICIES, Dates, shipped

NEVER = [
    "PatientAddress",
    "PatientTelephoneNumbers",
    "OtherPatientIDs",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "DeviceSerialNumber",
    "OperatorsName",
    "PerformingPhysicianName",
    "ImageComments",
    "PatientComments",
    "RequestAttributesSequence",
    "OriginalAttributesSequence",
    "IconImageSequence",
    "OverlayData",
    "TimezoneOffsetFromUTC",
    "InstanceCreationDate",
    "EthnicGroup",
    "OtherPatientIDsSequence",
    "DigitalSignaturesSequence",
    "GraphicAnnotationSequence",
    "ProcedureCodeSequence",
]


@pytest.mark.parametrize("name", shipped())
def test_shipped_policies_compile_give_reasons_and_name_no_identifying_element(name):
    policy = load_policy(name)
    rules = compile_policy(policy)
    assert len(rules.standard) > 200
    treated = {keyword: rules.standard.get(tag_for_keyword(keyword)) for keyword in NEVER}
    assert all(treatment is None or treatment.treat is Treat.EMPTY for treatment in treated.values()), "no value leaves"
    assert all(rule.reason for rules in (policy.keep, policy.clean, policy.uids, policy.private) for rule in rules)
    assert {t.treat for t in rules.private.values()} == {Treat.NUMBER, Treat.SEQUENCE}
    assert policy.edition


def test_the_three_policies_differ_in_dates_and_in_digest():
    policies = [load_policy(name) for name in shipped()]
    assert {p.dates for p in policies} == set(Dates)
    assert len({p.digest for p in policies}) == len(policies)
    assert len({repr(p.keep) for p in policies}) == 1


def write(path, **content):
    path.write_text(
        yaml.safe_dump({"name": "own", "version": 1, "title": "t", "edition": "e", "dates": "keep"} | content)
    )
    return path


def test_a_policy_of_ones_own_builds_on_a_shipped_one(tmp_path):
    base = str(POLICIES / "safe_harbor.yaml")
    rule = {"id": "descriptors", "reason": "only the series", "option": 113105, "elements": ["SeriesDescription"]}
    own = load_policy(write(tmp_path / "own.yaml", extends=base, clean=[rule]))
    rules = compile_policy(own)
    assert tag_for_keyword("EchoTime") in rules.standard
    assert tag_for_keyword("SeriesDescription") in rules.standard
    assert tag_for_keyword("StudyDescription") not in rules.standard
    assert own.digest != load_policy("safe_harbor").digest


@pytest.mark.parametrize(
    ("field", "elements", "said"),
    [
        ("keep", ["EchoTme"], "EchoTme, which is no keyword"),
        ("keep", ["PatientName"], "PatientName of value representation PN"),
        ("keep", ["PixelData"], "value representation OB"),
        ("keep", ["EchoTime", "EchoTime"], "needed one rule an element"),
        ("uids", ["EchoTime"], "needed one of"),
        ("times", ["EchoTime"], "needed one of"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused_by_name(tmp_path, field, elements, said):
    path = write(tmp_path / "own.yaml", **{field: [{"id": "r", "reason": "why", "elements": elements}]})
    with pytest.raises(DocumentError, match=said):
        compile_policy(load_policy(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"dates": "sometimes"}, "dates"),
        ({"keeep": []}, "keeep"),
        ({"extends": "own.yaml"}, "extends itself"),
        ({"extends": "absent.yaml"}, "found no policy"),
        (
            {
                "private": [
                    {
                        "id": "p",
                        "reason": "r",
                        "creator": "C",
                        "elements": [{"at": "0018,xx01", "vr": "DS", "meaning": "m"}],
                    }
                ]
            },
            "odd group",
        ),
        (
            {
                "private": [
                    {
                        "id": "p",
                        "reason": "r",
                        "creator": "C",
                        "elements": [{"at": "0019,xx01", "vr": "LO", "meaning": "m"}],
                    }
                ]
            },
            "found text without the words it may hold",
        ),
    ],
)
def test_a_document_that_is_no_policy_is_refused(tmp_path, content, said):
    with pytest.raises(DocumentError, match=said):
        load_policy(write(tmp_path / "own.yaml", **content))


def test_an_unknown_name_lists_the_shipped_ones():
    with pytest.raises(DocumentError, match="safe_harbor"):
        load_policy("hipaa")
