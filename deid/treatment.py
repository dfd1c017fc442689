"""What becomes of each element: the rules of a policy applied to one dataset, for one subject's study.

Belongs here: the allow-list itself. An element that no rule names is not copied, at whatever depth it stands. Whole
files, marks and pixels are `deid.headers`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from pydicom.uid import UID_dictionary

from deid import codes, encoding, values
from deid.elements import Dataset, Element, text_of
from deid.identifiers import Identifiers
from deid.policy import Rules, Treat, Treatment
from deid.text import VOCABULARY, TextCleaner, plain_label
from deid.vault import STANDARD_ROOT, Subject
from schemas.policy import Dates

POLICY, CHECK, VAULT = "policy", "value check", "vault"
UNNAMED = "not-named"
"""Rule that decisions quote for what no rule names."""
MEMO = 1 << 15
_LONGEST_MEMO = 4096
_CREATORS = range(0x10, 0x100)
_CHARACTERS = frozenset({"CS", "SH", "LO", "ST", "LT", "UT", "UC", "DS", "IS", "AS"})
_ONE_VALUE = frozenset({"ST", "LT", "UT"})
_KINDS = {
    "PN": "name", "DA": "date", "DT": "date", "TM": "date", "UI": "uid", "SQ": "sequence", "CS": "code", "AS": "number",
    "OB": "binary", "OW": "binary", "OD": "binary", "OF": "binary", "OL": "binary", "OV": "binary", "UN": "binary",
    "SH": "text", "LO": "text", "ST": "text", "LT": "text", "UT": "text", "UC": "text", "AE": "text", "UR": "text",
}  # fmt: skip


class Decision(NamedTuple):
    """What was done to an element; the columns of `schemas.tables.DECISIONS`, never a value."""

    element: str
    rule: str
    action: str
    kind: str
    detector: str | None
    score: float | None


class Treated(NamedTuple):
    """An element that leaves, None if it does not, and the decisions that led there."""

    value: tuple[str, bytes] | None
    encoded: bytes | None
    decisions: tuple[Decision, ...]


@dataclass
class Output:
    """What leaves of one dataset.

    Attributes:
        encoded: (tag, encoded element), unsorted.
        decisions: one for each element that came, nested ones included.
        facts: first value of each tag that leaves, nested ones included.
        private: whether a private element leaves.
    """

    encoded: list[tuple[int, bytes]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    facts: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    private: bool = False

    def body(self) -> list[bytes]:
        """The encoded elements in order of their tags."""
        return [encoded for _, encoded in sorted(self.encoded, key=lambda pair: pair[0])]


class Treater:
    """The rules for one study of one subject, remembering what it decided about each value."""

    def __init__(self, rules: Rules, cleaner: TextCleaner, subject: Subject, ids: Identifiers, study: str) -> None:
        """Prepare for a study, given by its original UID."""
        self._rules, self._cleaner, self._subject, self._ids = rules, cleaner, subject, ids
        dates = rules.policy.dates
        self._days = {Dates.YEAR_ONLY: None, Dates.SHIFT: subject.shift_days, Dates.KEEP: 0}[dates]
        self._seconds = subject.shift_seconds(study) if dates is Dates.YEAR_ONLY else 0
        self._memo: dict[tuple[str, Element, tuple[str, ...], bool], Treated] = {}
        self._unnamed: dict[tuple[str, int, str, str], Decision] = {}
        self._creators = frozenset(creator for creator, _ in rules.private)
        self._by_treat: dict[Treat, Callable[[str, Treatment, str, bytes, tuple[str, ...]], Treated]] = {
            Treat.NUMBER: self._number,
            Treat.CODE: self._code,
            Treat.TEXT: self._text,
            Treat.AGE: self._age,
            Treat.TIME: self._time,
            Treat.UID: self._uid,
            Treat.EMPTY: self._empty,
        }

    def dataset(self, dataset: Dataset, path: str = "", signed: bool = False) -> Output:
        """What leaves of a dataset.

        Args:
            dataset: its elements.
            path: of the sequence it stands in, ending in `>`; empty at the top.
            signed: whether Pixel Representation makes US-or-SS elements signed where the file leaves it open.
        """
        output = Output()
        creators = self._reserved(dataset)
        kept_private: dict[tuple[int, str], dict[int, Treated]] = {}
        for element in dataset.elements:
            tag, _, value = element
            if (tag >> 16) % 2:
                self._private(element, path, creators, kept_private, output)
            elif isinstance(value, list):
                self._sequence(tag, value, path, signed, output)
            else:
                treated = self._remembered(element, path, dataset.encodings, signed)
                output.decisions.extend(treated.decisions)
                if treated.encoded is not None and treated.value is not None:
                    output.encoded.append((tag, treated.encoded))
                    output.facts.setdefault(tag, treated.value)
        self._reserve(kept_private, output)
        return output

    def _remembered(self, element: Element, path: str, encodings: tuple[str, ...], signed: bool) -> Treated:
        key = (path, element, encodings, signed)
        treated = self._memo.get(key)
        if treated is None:
            treated = self._element(element, path, encodings, signed)
            if len(element[2]) <= _LONGEST_MEMO:
                if len(self._memo) >= MEMO:
                    self._memo.clear()
                self._memo[key] = treated
        return treated

    def _element(self, element: Element, path: str, encodings: tuple[str, ...], signed: bool) -> Treated:
        tag, vr, value = element
        place = path + standard_place(tag)
        treatment = self._rules.standard.get(tag)
        if treatment is None:
            return _dropped(place, UNNAMED, vr, POLICY)
        known = _representation(treatment, vr, signed)
        if known is None or isinstance(value, list) or treatment.treat not in self._by_treat:
            return _dropped(place, treatment.rule, vr, CHECK)
        treated = self._by_treat[treatment.treat](place, treatment, known, value, encodings)
        return _encoded(tag, treated)

    def _sequence(self, tag: int, items: list[Dataset], path: str, signed: bool, output: Output) -> None:
        place = path + standard_place(tag)
        treatment = self._rules.standard.get(tag)
        if treatment is None or treatment.treat not in {Treat.SEQUENCE, Treat.CODES}:
            rule = UNNAMED if treatment is None else treatment.rule
            output.decisions.append(Decision(place, rule, "X", "sequence", POLICY, None))
            return
        if treatment.treat is Treat.CODES:
            bodies = [body for item in items if (body := codes.concept(item)) is not None]
            action, detector = ("K", POLICY) if len(bodies) == len(items) else ("C", CHECK)
            output.decisions.append(Decision(place, treatment.rule, action, "code", detector, None))
            if not bodies:
                return
        else:
            output.decisions.append(Decision(place, treatment.rule, "K", "sequence", POLICY, None))
            bodies = []
            for item in items:
                inner = self.dataset(item, f"{place}>", signed)
                bodies.append(b"".join(inner.body()))
                output.decisions.extend(inner.decisions)
                output.private = output.private or inner.private
                for inner_tag, value in inner.facts.items():
                    output.facts.setdefault(inner_tag, value)
        output.encoded.append((tag, encoding.sequence(tag, bodies)))

    def _reserved(self, dataset: Dataset) -> dict[int, str]:
        """Creators of the private blocks, by group << 8 | block."""
        return {
            (tag >> 16) << 8 | (tag & 0xFF): text_of(value, dataset.encodings).strip(" \0")
            for tag, _, value in dataset.elements
            if (tag >> 16) % 2 and tag & 0xFFFF in _CREATORS and isinstance(value, bytes)
        }

    def _private(
        self,
        element: Element,
        path: str,
        creators: dict[int, str],
        kept: dict[tuple[int, str], dict[int, Treated]],
        output: Output,
    ) -> None:
        tag, vr, value = element
        group, number = tag >> 16, tag & 0xFFFF
        creator = creators.get(group << 8 | number >> 8, "")
        treatment = self._rules.private.get((creator, group << 8 | number & 0xFF)) if number >= 0x1000 else None
        if treatment is None:
            key = (path, tag, creator, vr)
            decision = self._unnamed.get(key)
            if decision is None:
                place = path + private_place(group, number, creator, self._creators)
                decision = self._unnamed[key] = Decision(place, UNNAMED, "X", _kind(vr), POLICY, None)
            output.decisions.append(decision)
            return
        place = path + private_place(group, number, creator, self._creators)
        known = _representation(treatment, vr, signed=False)
        if known is None or isinstance(value, list):
            output.decisions.append(Decision(place, treatment.rule, "X", _kind(vr), CHECK, None))
            return
        treated = self._number(place, treatment, known, value, ())
        output.decisions.extend(treated.decisions)
        if treated.value is not None:
            # a creator that reserves two blocks gives an element once
            kept.setdefault((group, creator), {}).setdefault(number & 0xFF, treated)

    def _reserve(self, kept: dict[tuple[int, str], dict[int, Treated]], output: Output) -> None:
        """Private blocks anew, from 10 up in each group, reserved by the policy's spelling of the creator."""
        next_block: dict[int, int] = {}
        for (group, creator), elements in sorted(kept.items()):
            block = next_block.setdefault(group, 0x10)
            next_block[group] = block + 1
            reservation = group << 16 | block
            output.encoded.append((reservation, encoding.element(reservation, "LO", creator.encode())))
            for offset, treated in elements.items():
                tag = group << 16 | block << 8 | offset
                again = _encoded(tag, treated)
                if again.encoded is not None:
                    output.encoded.append((tag, again.encoded))
            output.private = True

    def _number(self, place: str, treatment: Treatment, vr: str, value: bytes, _: tuple[str, ...]) -> Treated:
        checked = values.number(vr, value, treatment.most)
        if checked is None:
            return _dropped(place, treatment.rule, vr, CHECK)
        return _kept(place, treatment.rule, "K", "number", POLICY, (vr, checked))

    def _code(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        parts = [part.strip(" \0") for part in text_of(value, encodings).split("\\")][: treatment.most]
        known = [part if part.isascii() and plain_label(part) else "" for part in parts]
        action, detector = ("K", VOCABULARY) if known == parts else ("C", CHECK)
        # a dropped term leaves its place empty, because the places of Image Type have meanings
        return _kept(place, treatment.rule, action, "code", detector, (vr, "\\".join(known).rstrip("\\").encode()))

    def _text(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        text = text_of(value, encodings)
        parts = [text] if vr in _ONE_VALUE else text.split("\\")[: treatment.most]
        results = [self._cleaner.header(part.strip(" \0\r\n"), self._ids) for part in parts]
        cleaned = "\\".join(result.text for result in results).rstrip("\\").encode()
        removed: dict[str, float] = {}
        for removal in (r for result in results for r in result.removed):
            removed[removal.detector] = max(removal.score, removed.get(removal.detector, 0.0))
        action = "Z" if value.strip(b" \0") and not cleaned else "C"
        decisions = tuple(Decision(place, treatment.rule, action, "text", d, s) for d, s in sorted(removed.items()))
        kept = Decision(place, treatment.rule, "K", "text", VOCABULARY, None)
        return Treated((vr, cleaned), None, decisions or (kept,))

    def _age(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        text = text_of(value, encodings).strip(" \0")
        capped = values.age(text, self._rules.policy.age_cap) if text else ""
        if capped is None:
            return _dropped(place, treatment.rule, vr, CHECK)
        action = "K" if capped == text else "C"
        return _kept(place, treatment.rule, action, "number", POLICY, (vr, capped.encode()))

    def _time(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        parts = [part.strip(" \0") for part in text_of(value, encodings).split("\\")[: treatment.most]]
        moved = [self._moved(vr, part) if part else "" for part in parts]
        good = "\\".join(part or "" for part in moved).rstrip("\\")
        if None in moved and not good:
            return _kept(place, treatment.rule, "Z", "date", CHECK, (vr, b""))
        action = "K" if self._days == 0 else "C"
        return _kept(place, treatment.rule, action, "date", POLICY if action == "K" else VAULT, (vr, good.encode()))

    def _moved(self, vr: str, text: str) -> str | None:
        if vr == "DA":
            return values.date(text, self._days)
        if vr == "TM":
            return values.time(text, self._seconds)
        return values.moment(text, self._days, self._seconds)

    def _uid(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        parts = [p.strip(" \0") for p in text_of(value, encodings).split("\\")][: treatment.most]
        standard = all(part in UID_dictionary for part in parts)
        replaced = "\\".join(self._replaced(part) for part in parts)
        action, detector = ("K", POLICY) if standard else ("U", VAULT)
        return _kept(place, treatment.rule, action, "uid", detector, (vr, replaced.encode()))

    def _replaced(self, uid: str) -> str:
        if not uid or uid in UID_dictionary:
            return uid
        # below the standard's root, but not the standard's: anything could be written there
        return self._subject.uid(f"unknown {uid}" if uid.startswith(STANDARD_ROOT) else uid)

    def _empty(self, place: str, treatment: Treatment, vr: str, value: bytes, _: tuple[str, ...]) -> Treated:
        return _kept(place, treatment.rule, "Z" if value else "K", _kind(vr), POLICY, (vr, b""))


def _representation(treatment: Treatment, vr: str, signed: bool) -> str | None:
    """The value representation to read a value by; None if what the file says contradicts the standard."""
    if vr in treatment.vrs:
        return "SS" if signed and vr == "US" and "SS" in treatment.vrs else vr
    if vr == "UN" or {vr, treatment.vrs[0]} <= _CHARACTERS:
        return treatment.vrs[0]
    return None


def _encoded(tag: int, treated: Treated) -> Treated:
    if treated.value is None:
        return treated
    vr, value = treated.value
    try:
        return treated._replace(encoded=encoding.element(tag, vr, value))
    except ValueError:
        dropped = tuple(d._replace(action="X", detector=CHECK) for d in treated.decisions)
        return Treated(None, None, dropped)


def _kept(place: str, rule: str, action: str, kind: str, detector: str, value: tuple[str, bytes]) -> Treated:
    return Treated(value, None, (Decision(place, rule, action, kind, detector, None),))


def _dropped(place: str, rule: str, vr: str, detector: str) -> Treated:
    return Treated(None, None, (Decision(place, rule, "X", _kind(vr), detector, None),))


def _kind(vr: str) -> str:
    return _KINDS.get(vr, "number")


@cache
def standard_place(tag: int) -> str:
    """An element's number as decisions write it."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def private_place(group: int, number: int, creator: str, known: frozenset[str]) -> str:
    """A private element's number with its creator; a creator nobody knows may be anything and is not written."""
    name = creator if creator in known or creator in _vendors() else "unknown creator"
    return f"({group:04X},xx{number & 0xFF:02X} {name})" if number > 0xFF else f"({group:04X},{number:04X})"


@cache
def _vendors() -> frozenset[str]:
    from pydicom._private_dict import private_dictionaries

    return frozenset(private_dictionaries)
