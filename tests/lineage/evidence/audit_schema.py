"""The schema of PS3.15 section A.5.1.1 as facts, and a checker of messages against it.

The standard gives it in RELAX NG, compact syntax. Here is what it says of each element: its attributes, and its
children in their order with how often each may stand. Nothing that is not named is allowed.
"""

import base64
import binascii
import datetime as dt
import re
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

TOKEN, BOOLEAN, TIME, BASE64, INTEGER = "token", "boolean", "dateTime", "base64Binary", "integer"
ONE, OPTIONAL, SOME, ANY = (1, 1), (0, 1), (1, None), (0, None)


def _values(*values):
    return frozenset(map(str, values))


@dataclass(frozen=True)
class Shape:
    """What an element may be: attributes by name as (needed, kind), children as (names, how often), and its text."""

    attributes: dict = field(default_factory=dict)
    children: tuple = ()
    text: str | None = None


_CODED = Shape(
    {
        "csd-code": (True, TOKEN),
        "codeSystemName": (True, TOKEN),
        "displayName": (False, TOKEN),
        "originalText": (True, TOKEN),
    }
)

SHAPES = {
    "AuditMessage": Shape(
        {},
        (
            (("EventIdentification",), ONE),
            (("ActiveParticipant",), SOME),
            (("AuditSourceIdentification",), ONE),
            (("ParticipantObjectIdentification",), ANY),
        ),
    ),
    "EventIdentification": Shape(
        {
            "EventActionCode": (False, _values(*"CRUDE")),
            "EventDateTime": (True, TIME),
            "EventOutcomeIndicator": (True, _values(0, 4, 8, 12)),
        },
        ((("EventID",), ONE), (("EventTypeCode",), ANY), (("EventOutcomeDescription",), OPTIONAL)),
    ),
    "EventOutcomeDescription": Shape(text=TOKEN),
    "ActiveParticipant": Shape(
        {
            "UserID": (True, TOKEN),
            "AlternativeUserID": (False, TOKEN),
            "UserName": (False, TOKEN),
            "UserIsRequestor": (True, BOOLEAN),
            "NetworkAccessPointID": (False, TOKEN),
            "NetworkAccessPointTypeCode": (False, _values(*range(1, 6))),
        },
        ((("RoleIDCode",), ANY), (("MediaIdentifier",), OPTIONAL)),
    ),
    "MediaIdentifier": Shape({}, ((("MediaType",), ONE),)),
    "AuditSourceIdentification": Shape(
        {"AuditEnterpriseSiteID": (False, TOKEN), "AuditSourceID": (True, TOKEN)}, ((("AuditSourceTypeCode",), ANY),)
    ),
    "AuditSourceTypeCode": Shape({name: (name == "csd-code", kind) for name, (_, kind) in _CODED.attributes.items()}),
    "ParticipantObjectIdentification": Shape(
        {
            "ParticipantObjectID": (True, TOKEN),
            "ParticipantObjectTypeCode": (False, _values(*range(1, 5))),
            "ParticipantObjectTypeCodeRole": (False, _values(*range(1, 27))),
            "ParticipantObjectDataLifeCycle": (False, _values(*range(1, 16))),
            "ParticipantObjectSensitivity": (False, TOKEN),
        },
        (
            (("ParticipantObjectIDTypeCode",), ONE),
            (("ParticipantObjectName", "ParticipantObjectQuery"), ONE),
            (("ParticipantObjectDetail",), ANY),
            (("ParticipantObjectDescription",), ANY),
        ),
    ),
    "ParticipantObjectName": Shape(text=TOKEN),
    "ParticipantObjectQuery": Shape(text=BASE64),
    "ParticipantObjectDetail": Shape({"type": (True, TOKEN), "value": (True, BASE64)}),
    "ParticipantObjectDescription": Shape(
        {},
        (
            (("MPPS",), ANY),
            (("Accession",), ANY),
            (("SOPClass",), ANY),
            (("ParticipantObjectContainsStudy",), OPTIONAL),
            (("Encrypted",), OPTIONAL),
            (("Anonymized",), OPTIONAL),
        ),
    ),
    "Encrypted": Shape(text=BOOLEAN),
    "Anonymized": Shape(text=BOOLEAN),
    **dict.fromkeys(
        ("EventID", "EventTypeCode", "RoleIDCode", "MediaType", "ParticipantObjectIDTypeCode"), _CODED
    ),
}  # fmt: skip


def faults(message):
    """What the schema does not allow in a message; none where it is valid."""
    root = ET.fromstring(message)
    return ["another root than AuditMessage"] if root.tag != "AuditMessage" else list(_faults(root))


def _faults(element):
    shape = SHAPES.get(element.tag)
    if shape is None:
        yield f"{element.tag}: not in the schema"
        return
    for name, value in element.attrib.items():
        if name not in shape.attributes or not _fits(value, shape.attributes[name][1]):
            yield f"{element.tag}: attribute {name}"
    yield from (
        f"{element.tag}: no {n}" for n, (needed, _) in shape.attributes.items() if needed and n not in element.attrib
    )
    text = (element.text or "").strip()
    if bool(text) != (shape.text is not None) or (shape.text and not _fits(text, shape.text)):
        yield f"{element.tag}: text"
    # children one after the other, each kind as often as the schema lets it
    pattern = "".join(f"(?:(?:{'|'.join(names)}) ){_times(*many)}" for names, many in shape.children)
    if not re.fullmatch(pattern, "".join(f"{child.tag} " for child in element)):
        yield f"{element.tag}: children {[child.tag for child in element]}"
    for child in element:
        yield from _faults(child)


def _times(least, most):
    return f"{{{least},{'' if most is None else most}}}"


def _fits(value, kind):
    if isinstance(kind, frozenset):
        return value in kind
    try:
        if kind == TIME:
            return dt.datetime.fromisoformat(value).tzinfo is not None
        if kind == BASE64:
            base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return False
    return value in ("true", "false", "0", "1") if kind == BOOLEAN else bool(value)
