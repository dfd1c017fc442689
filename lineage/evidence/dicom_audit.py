"""Accesses as DICOM audit messages: the XML of PS3.15 section A.5.1, which archives and their audit repositories read.

Belongs here: from entries of the ledger to messages. Exports are "Export" (A.5.3), trainings and reads of a release
"DICOM Instances Accessed", which speaks of one patient, so one message a subject; reads of a table, which name nobody,
are "Query"; reviews and reports are "Audit Log Used". Patients are pseudonyms and studies their pseudonymous UIDs, and
every object says that it is anonymized.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from xml.etree import ElementTree as ET

from lake.releases import Member
from lineage.evidence.persons import Persons
from lineage.evidence.recorded import Entry
from lineage.ledger.events import EventType

AUDITED = (
    EventType.ACCESSED,
    EventType.EXPORTED,
    EventType.TRAINED,
    EventType.EVALUATED,
    EventType.REVIEWED,
)
"""Types of events that become messages."""

_DCM = {
    "110101": "Audit Log Used",
    "110103": "DICOM Instances Accessed",
    "110106": "Export",
    "110112": "Query",
    "110037": "URI",
    "110150": "Application",
    "110152": "Destination Role ID",
    "110153": "Source Role ID",
    "110154": "Destination Media",
    "110180": "Study Instance UID",
    "110181": "SOP Class UID",
}
"""Codes of PS3.16 that messages use, with their meanings."""

_RFC_3881 = {"2": "Patient Number", "12": "URI"}

_LEDGER = "audit/ledger"
_MR_IMAGES = "1.2.840.10008.5.1.4.1.1.4"
"""MR Image Storage, PS3.4: the class that tables are made from."""

_ACCESS, _EXPORT = "6", "10"
"""Stages of PS3.15 A.5.1.2.3."""


def messages(entry: Entry, persons: Persons) -> Iterator[bytes]:
    """The messages of an entry, each on one line as syslog carries it; none for what is no access.

    Args:
        entry: the entry.
        persons: who is in which release.
    """
    if EventType(entry.type) not in AUDITED:
        return
    reads_log = entry.facts.get("action") == "report" or entry.facts.get("format") == "bundle"
    if entry.type == EventType.REVIEWED or reads_log:
        yield _message(entry, "110101", "R", [_log(entry)])
        return
    studies = _studies(persons.members(entry))
    if entry.type == EventType.EXPORTED and studies:
        objects = [found for subject in studies for found in _objects(entry, subject, studies[subject], _EXPORT)]
        yield _message(entry, "110106", "R", objects, destination=True)
    elif studies:
        for subject, found in studies.items():
            yield _message(entry, "110103", "R", _objects(entry, subject, found, _ACCESS))
    else:
        yield _message(entry, "110112", "E", [_query(entry)])


def _studies(members: Iterable[Member]) -> Mapping[str, list[str]]:
    found: dict[str, set[str]] = {}
    for member in members:
        found.setdefault(member.subject, set()).add(member.study)
    return {subject: sorted(found[subject]) for subject in sorted(found)}


def _message(
    entry: Entry, event: str, action: str, objects: Iterable[ET.Element], *, destination: bool = False
) -> bytes:
    message = ET.Element("AuditMessage")
    happened = ET.SubElement(
        message,
        "EventIdentification",
        EventActionCode=action,
        EventDateTime=entry.time,
        EventOutcomeIndicator="0",
    )
    _coded(happened, "EventID", event, _DCM)
    person = ET.SubElement(message, "ActiveParticipant", UserID=entry.principal, UserIsRequestor="true")
    _coded(person, "RoleIDCode", "110153", _DCM)
    process = ET.SubElement(message, "ActiveParticipant", UserID="larmor", UserIsRequestor="false")
    _coded(process, "RoleIDCode", "110152" if event == "110112" else "110150", _DCM)
    if destination:
        recipient = str(entry.facts.get("recipient", entry.facts["target"]))
        media = ET.SubElement(message, "ActiveParticipant", UserID=recipient, UserIsRequestor="false")
        _coded(media, "RoleIDCode", "110154", _DCM)
        _coded(ET.SubElement(media, "MediaIdentifier"), "MediaType", "110037", _DCM)
    source = ET.SubElement(message, "AuditSourceIdentification", AuditSourceID="larmor")
    ET.SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
    message.extend(objects)
    return ET.tostring(message, encoding="utf-8", xml_declaration=True).replace(b"\n", b"")


def _objects(entry: Entry, subject: str, studies: Iterable[str], stage: str) -> list[ET.Element]:
    """A patient and the patient's studies."""
    patient = _object(subject, "1", "1", stage)
    _coded(patient, "ParticipantObjectIDTypeCode", "2", _RFC_3881, "RFC-3881")
    _described(entry, patient, subject)
    found = [patient]
    for study in studies:
        one = _object(study, "2", "3", stage)
        _coded(one, "ParticipantObjectIDTypeCode", "110180", _DCM)
        _described(entry, one, str(entry.facts.get("release", study)))
        found.append(one)
    return found


def _log(entry: Entry) -> ET.Element:
    one = _object(_LEDGER, "2", "13", _ACCESS)
    _coded(one, "ParticipantObjectIDTypeCode", "12", _RFC_3881, "RFC-3881")
    ET.SubElement(one, "ParticipantObjectName").text = "Security Audit Log"
    _details(entry, one)
    return one


def _query(entry: Entry) -> ET.Element:
    one = _object(_MR_IMAGES, "2", "3", _ACCESS)
    _coded(one, "ParticipantObjectIDTypeCode", "110181", _DCM)
    asked = str(entry.facts.get("target", entry.facts.get("release", "")))
    ET.SubElement(one, "ParticipantObjectQuery").text = _base64(asked)
    _details(entry, one)
    return one


def _object(id_: str, type_: str, role: str, stage: str) -> ET.Element:
    about = {
        "ParticipantObjectID": id_,
        "ParticipantObjectTypeCode": type_,
        "ParticipantObjectTypeCodeRole": role,
        "ParticipantObjectDataLifeCycle": stage,
    }
    return ET.Element("ParticipantObjectIdentification", about)


def _described(entry: Entry, one: ET.Element, name: str) -> None:
    ET.SubElement(one, "ParticipantObjectName").text = name
    _details(entry, one)
    described = ET.SubElement(one, "ParticipantObjectDescription")
    ET.SubElement(described, "Anonymized").text = "true"


def _details(entry: Entry, one: ET.Element) -> None:
    """What leads back to the ledger, and what for."""
    told = {"LedgerEntry": str(entry.sequence), "Purpose": entry.facts.get("purpose"), "Event": entry.type}
    for name, value in told.items():
        if value is not None:
            ET.SubElement(one, "ParticipantObjectDetail", type=name, value=_base64(str(value)))


def _coded(parent: ET.Element, name: str, code: str, meanings: Mapping[str, str], system: str = "DCM") -> None:
    ET.SubElement(parent, name, {"csd-code": code, "codeSystemName": system, "originalText": meanings[code]})


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
