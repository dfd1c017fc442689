"""A certificate of de-identification: what became of each of the 18 HIPAA identifiers in a series, and how we know.

Belongs here: from decisions and a residual scan to a statement, as a pure function. Where its inputs come from and
where it is kept is `stages.certificates`; how it looks on a page is `lineage.evidence.certificates`.

The identifiers are those of 45 CFR 164.514(b)(2)(i)(A) to (R). A certificate says what was done and measured. It is no
legal opinion, and it is not the absence of actual knowledge that 164.514(b)(2)(ii) asks of the covered entity.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from deid.text.recognizers import PATTERNS
from schemas.document import canonical_json

BURNED_IN, FACE, FACE_EXEMPT, FACE_UNJUDGED = "burned-in-text", "face", "face-exempt", "face-unjudged"
"""Rules that decisions about pixels quote."""

_GONE, _CHANGED = frozenset("XZ"), frozenset("CDU")
_RULES_SHOWN = 8
_AGE = "(0010,1010)"


class Status(StrEnum):
    """What became of a kind of identifier; `kept` stands where a policy lets it leave, as a limited data set may."""

    REMOVED = "removed"
    TRANSFORMED = "transformed"
    KEPT = "kept"
    ABSENT = "absent"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Category:
    """One of the 18 identifiers.

    Attributes:
        letter: its paragraph, A to R.
        title: its name.
        elements: standard elements that hold it, as decisions write them.
        kinds: kinds of value that are it wherever they stand.
        entities: what a recognizer calls it in text.
        detectors: detectors, beside recognizers, whose findings in text are of this kind.
        remark: how an image without an element for it is checked.
    """

    letter: str
    title: str
    elements: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    entities: frozenset[str] = frozenset()
    detectors: frozenset[str] = frozenset()
    remark: str = ""


@dataclass(frozen=True)
class Scan:
    """What the residual scan of a series looked at and found.

    Attributes:
        values: identifying values of the delivery that were looked for.
        bytes: bytes of the series that were read.
        findings: how many were found.
    """

    values: int
    bytes: int
    findings: int


@dataclass(frozen=True)
class Terms:
    """By which rules: the policy, the edition of PS3.15 Table E.1-1, and the software."""

    policy_name: str
    policy_version: int
    policy_sha256: str
    edition: str
    code_version: str


@dataclass(frozen=True)
class Entry:
    """One of the 18 lines of a certificate."""

    letter: str
    title: str
    status: Status
    elements: int
    rules: tuple[str, ...]
    checked: str


@dataclass(frozen=True)
class Certificate:
    """What became of the identifiers of one series.

    Attributes:
        delivery: that brought it.
        series: its pseudonymous UID.
        terms: by which rules.
        instances: instances of the series.
        elements: decisions about elements, all instances.
        scan: what the residual scan found.
        faces: what became of faces.
        burned_in: what became of text in pixels.
        entries: the 18 identifiers, A to R.
    """

    delivery: str
    series: str
    terms: Terms
    instances: int
    elements: int
    scan: Scan
    faces: str
    burned_in: str
    entries: tuple[Entry, ...]

    @property
    def document(self) -> str:
        """The certificate as canonical JSON."""
        return canonical_json(asdict(self))

    @property
    def digest(self) -> str:
        """SHA-256 of the document; the document holds pseudonyms and counts only, so this can be guessed by nobody."""
        return hashlib.sha256(self.document.encode()).hexdigest()


class NotCertifiable(ValueError):
    """A series may have no certificate; the message says why and what to do."""


def certify(
    delivery: str,
    series: str,
    decisions: Sequence[Mapping[str, Any]],
    terms: Terms,
    instances: int,
    scan: Scan,
    empty: frozenset[str] = frozenset(),
) -> Certificate:
    """The certificate of a series.

    Args:
        delivery: that brought it.
        series: its pseudonymous UID.
        decisions: its rows of `schemas.tables.DECISIONS`.
        terms: by which rules they were made.
        instances: instances of the series.
        scan: the residual scan of its output.
        empty: rules whose elements leave without a value, so that one they kept was empty.

    Raises:
        NotCertifiable: if the scan found something, nothing was decided, or a decision was made by another policy.
    """
    if scan.findings:
        raise NotCertifiable(
            f"series {series}: found {scan.findings} findings of the residual scan, needed none; "
            "look at the check no_residue, fix the rule it points to, and run the delivery again"
        )
    if not decisions or not instances:
        raise NotCertifiable(f"series {series}: found no decisions, needed those of every instance; run it again")
    if strangers := {row["policy"] for row in decisions} - {terms.policy_sha256}:
        raise NotCertifiable(
            f"series {series}: found decisions of {len(strangers)} other policies, needed those of "
            f"{terms.policy_name} {terms.policy_sha256[:12]} alone; run the delivery again"
        )
    said = [row for row in decisions if not (row["action"] == "K" and row["rule"] in empty)]
    entries = tuple(_entry(category, said, scan) for category in CATEGORIES)
    return Certificate(
        delivery=delivery,
        series=series,
        terms=terms,
        instances=instances,
        elements=sum(int(row["count"]) for row in decisions),
        scan=scan,
        faces=_faces(decisions),
        burned_in=_burned_in(decisions),
        entries=entries,
    )


def _entry(category: Category, decisions: Sequence[Mapping[str, Any]], scan: Scan) -> Entry:
    rows = [row for row in decisions if _belongs(category, row)]
    status, said = _face_status(decisions) if category.letter == "Q" else (_status(category, rows), "")
    return Entry(
        letter=category.letter,
        title=category.title,
        status=status,
        elements=sum(int(row["count"]) for row in rows),
        rules=tuple(sorted({str(row["rule"]) for row in rows})),
        checked=said or _checked(category, rows, scan),
    )


def _status(category: Category, rows: Sequence[Mapping[str, Any]]) -> Status:
    """The most that is left of it: what was kept counts before what was changed, that before what was removed."""
    left = {_left(row) for row in rows}
    for status in (Status.KEPT, Status.TRANSFORMED, Status.REMOVED):
        if status in left:
            return status
    return Status.NOT_APPLICABLE if category.remark else Status.ABSENT


def _left(row: Mapping[str, Any]) -> Status:
    action, kind = str(row["action"]), str(row["kind"])
    if action in _GONE or (kind == "text" and _owner(str(row["detector"])) is not None):
        return Status.REMOVED  # of a text, the passage that was found is what went
    return Status.TRANSFORMED if action in _CHANGED else Status.KEPT


def _checked(category: Category, rows: Sequence[Mapping[str, Any]], scan: Scan) -> str:
    rules = sorted({str(row["rule"]) for row in rows})
    detectors = sorted({str(row["detector"]) for row in rows if row["detector"]} - {"policy"})
    parts = [category.remark] if category.remark and not rows else []
    if rules:
        more = f" and {len(rules) - _RULES_SHOWN} more" if len(rules) > _RULES_SHOWN else ""
        parts.append(f"rules {', '.join(rules[:_RULES_SHOWN])}{more}")
    if detectors:
        parts.append(f"detectors {', '.join(detectors)}")
    if category.elements or category.kinds or category.entities or rules:
        parts.append(f"residual scan for {scan.values} values in {scan.bytes} bytes found none")
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def _belongs(category: Category, row: Mapping[str, Any]) -> bool:
    """Whether a decision is about this identifier; each decision is about one of the 18 at most."""
    if row["kind"] in ("pixels", "face", "text in pixels") or (row["action"] == "K" and _harmless(row)):
        return False
    owner = _owner(str(row["detector"])) if row["kind"] == "text" else None
    if owner is None:
        place = str(row["element"]).rsplit(">", maxsplit=1)[-1]
        owner = _AT.get(place) or _OF.get(str(row["kind"]))
    return owner == category.letter


def _harmless(row: Mapping[str, Any]) -> bool:
    """Whether what was kept is no identifier: known words, UIDs of the standard, ages up to 89, numbers of the scan."""
    return row["detector"] != "policy" or not (row["kind"] == "date" or str(row["element"]) in _AT.keys() - {_AGE})


def _owner(detector: str) -> str | None:
    """The identifier that a detector of text finds; None for one that keeps text or finds no identifier."""
    entity = _ENTITIES.get(detector)
    for category in CATEGORIES:
        if detector in category.detectors or detector in category.entities or entity in category.entities:
            return category.letter
    return None


def _faces(decisions: Sequence[Mapping[str, Any]]) -> str:
    actions = {str(row["action"]) for row in decisions if row["rule"] == FACE}
    if actions & _CHANGED:
        return "removed"
    if actions:
        return "none shown"
    rules = {str(row["rule"]) for row in decisions if row["kind"] == "face"}
    return "exempt" if FACE_EXEMPT in rules else "not judged" if FACE_UNJUDGED in rules else "not looked for"


def _burned_in(decisions: Sequence[Mapping[str, Any]]) -> str:
    actions = {str(row["action"]) for row in decisions if row["rule"] == BURNED_IN}
    return "removed" if actions & _CHANGED else "none found" if actions else "not looked for"


def _face_status(decisions: Sequence[Mapping[str, Any]]) -> tuple[Status, str]:
    said = {
        "removed": (Status.REMOVED, "A face was found in the volume and its surface removed, measured afterwards."),
        "none shown": (Status.ABSENT, "The geometry of the volume shows no face."),
        "exempt": (Status.NOT_APPLICABLE, f"Exempt by policy: {_exemptions(decisions)}."),
        "not judged": (Status.KEPT, "The images make no volume, so nothing could judge them; they become no volume."),
        "not looked for": (Status.KEPT, "The policy keeps faces, or the object holds no image; see its determination."),
    }
    return said[_faces(decisions)]


def _exemptions(decisions: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(sorted({str(row["detector"]) for row in decisions if row["rule"] == FACE_EXEMPT}))


def _at(text: str) -> frozenset[str]:
    return frozenset(f"({group.upper()},{number.upper()})" for group, number in re.findall(r"(\w{4}),(\w{4})", text))


_TEXT_ONLY = "DICOM has no element for it; kept text is searched by recognizers"

CATEGORIES: tuple[Category, ...] = (
    Category("A", "Names", kinds=frozenset({"name"}), entities=frozenset({"NAME"}), detectors=frozenset({"vault"})),
    Category(
        "B",
        "Geographic subdivisions smaller than a state",
        _at(
            "0008,0080 0008,0081 0008,1040 0010,1040 0010,2150 0010,2152 0038,0300 0038,0400 0040,0011 0040,0243 "
            "0040,2009"
        ),
        entities=frozenset({"ADDRESS", "INSTITUTION"}),
    ),
    Category(
        "C",
        "Dates directly related to an individual, except year, and ages over 89",
        _at("0010,1010"),
        frozenset({"date"}),
        frozenset({"DATE", "AGE"}),
    ),
    Category("D", "Telephone numbers", _at("0010,2154 0008,0094 0040,2010 0008,0116"), entities=frozenset({"PHONE"})),
    Category("E", "Fax numbers", remark=f"{_TEXT_ONLY} of telephone numbers"),
    Category("F", "Electronic mail addresses", _at("0010,2155"), entities=frozenset({"EMAIL"})),
    Category("G", "Social security numbers", entities=frozenset({"SSN"}), remark=_TEXT_ONLY),
    Category(
        "H",
        "Medical record numbers",
        _at("0010,0020 0010,0021 0010,1000 0010,1001 0010,1002 0010,1090 0010,0022"),
        entities=frozenset({"record number"}),
    ),
    Category("I", "Health plan beneficiary numbers", _at("0010,0050 0010,1050")),
    Category(
        "J",
        "Account numbers",
        _at("0008,0050 0038,0010 0038,0060 0040,2016 0040,2017 0040,1001 0040,0009 0040,0253 0032,1064"),
        entities=frozenset({"accession number"}),
    ),
    Category("K", "Certificate and license numbers", entities=frozenset({"licence number"}), remark=_TEXT_ONLY),
    Category("L", "Vehicle identifiers and serial numbers", remark="no element of an image holds it"),
    Category(
        "M",
        "Device identifiers and serial numbers",
        _at(
            "0018,1000 0008,1010 0018,1002 0018,1003 0018,1004 0018,1005 0018,1006 0018,1007 0018,1008 0018,1009 "
            "0018,100A 0018,1010 0018,1011 0018,700A 0018,9371 0018,9373 0040,0010 0040,0241 0040,0242"
        ),
    ),
    Category("N", "Web URLs", _at("0008,1190 0040,E010 0008,010E 0018,9073"), entities=frozenset({"URL"})),
    Category("O", "Internet protocol addresses", entities=frozenset({"IP"}), remark=_TEXT_ONLY),
    Category(
        "P",
        "Biometric identifiers, including finger and voice prints",
        remark="an MR image holds none but the face, which is its own line",
    ),
    Category("Q", "Full-face photographs and comparable images"),
    Category(
        "R",
        "Any other unique identifying number, characteristic or code",
        kinds=frozenset({"uid", "id", "text", "binary", "sequence", "number", "code"}),
        entities=frozenset({"ID"}),
        detectors=frozenset({"unknown word"}),
    ),
)
"""The 18 identifiers, A to R, with where DICOM keeps them."""

_AT: Mapping[str, str] = {element: c.letter for c in CATEGORIES for element in c.elements}
_OF: Mapping[str, str] = {kind: c.letter for c in CATEGORIES for kind in c.kinds}
_NUMBERED = frozenset({"record number", "accession number", "licence number"})
_ENTITIES: Mapping[str, str] = {p.name: p.name if p.name in _NUMBERED else p.entity for p in PATTERNS}
"""Detector, as decisions quote it, to what it finds."""
