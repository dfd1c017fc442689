"""Accesses as DICOM audit messages keep to the standard's schema and name the persons whose data were touched."""

from xml.etree import ElementTree as ET

import pytest

from lineage.evidence.dicom_audit import messages
from lineage.evidence.made import releases_in_use
from lineage.evidence.past import Past
from lineage.evidence.persons import Persons
from lineage.evidence.recorded import Record
from lineage.ledger.events import EventType

from .audit_schema import faults


@pytest.fixture
def told(evident):
    past = Past.of(evident)
    persons = Persons.of(evident, releases_in_use(past))
    record = Record.of(past)
    return {e.sequence: (e, list(messages(e, persons))) for e in record.at(range(record.size))}


def of(told, type_, action=None):
    return [
        message
        for entry, found in told.values()
        if entry.type == type_ and action in (None, entry.facts.get("action"))
        for message in found
    ]


def patients(message):
    objects = ET.fromstring(message).iter("ParticipantObjectIdentification")
    return [o.get("ParticipantObjectID") for o in objects if o.get("ParticipantObjectTypeCodeRole") == "1"]


def event(message):
    return ET.fromstring(message).find("EventIdentification/EventID").get("originalText")


def test_every_message_is_valid_by_the_standard_s_schema(told):
    found = [message for _, each in told.values() for message in each]
    assert len(found) > 6
    for message in found:
        assert faults(message) == []


def test_the_checker_finds_what_the_schema_does_not_allow(told):
    message = of(told, EventType.EXPORTED)[0].decode()
    for good, bad in (
        ('EventActionCode="R"', 'EventActionCode="X"'),
        ('EventOutcomeIndicator="0"', ""),
        ("<Anonymized>true</Anonymized>", "<Anonymized>perhaps</Anonymized>"),
        ("<AuditMessage>", "<AuditMessage><EventID/>"),
        ('codeSystemName="DCM"', 'codeSystem="DCM"'),
    ):
        assert faults(message.replace(good, bad, 1)), good


def test_an_export_names_everybody_who_left_and_nobody_else(told, persons):
    (message,) = of(told, EventType.EXPORTED)
    assert event(message) == "Export"
    assert sorted(patients(message)) == persons.train


def test_trainings_and_openings_are_one_message_a_person(told, persons):
    trained, opened = of(told, EventType.TRAINED), of(told, EventType.ACCESSED, "evaluate")
    assert {event(m) for m in trained + opened} == {"DICOM Instances Accessed"}
    assert [patients(m) for m in trained] == [[subject] for subject in persons.train]
    assert [patients(m) for m in opened] == [[subject] for subject in persons.test]


def test_reads_of_a_table_name_nobody_and_reviews_name_the_log(told):
    (read,) = of(told, EventType.ACCESSED, "read")
    (review,) = of(told, EventType.REVIEWED)
    assert (event(read), patients(read)) == ("Query", [])
    assert (event(review), patients(review)) == ("Audit Log Used", [])


def test_what_is_no_access_is_no_message(told):
    assert of(told, EventType.RECEIVED) == []
    assert of(told, EventType.MATERIALIZED) == []
