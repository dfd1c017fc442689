"""The manners of treatment: what each does to one value, and what it says about it.

Belongs here: single values, for one study of one subject. Which element is treated in which manner is
`deid.headers.treatment`.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from deid.constants import STANDARD_UIDS
from deid.decisions import CHECK, POLICY, VAULT, Decision, kind_of_value
from deid.headers import values
from deid.headers.parsed import text_of
from deid.policy import Treat, Treatment
from deid.text.identifiers import Identifiers
from deid.text.text import MEMO, VOCABULARY, Removal, TextCleaner, plain_label
from deid.text.vocabulary import terms
from deid.vault import STANDARD_ROOT, Subject
from schemas.policy import Dates, Policy

_ONE_VALUE = frozenset({"ST", "LT", "UT"})


class Treated(NamedTuple):
    """A value that leaves with its value representation, None if it does not, and the decisions that led there."""

    value: tuple[str, bytes] | None
    decisions: tuple[Decision, ...]


Manner = Callable[[str, Treatment, str, bytes, tuple[str, ...]], Treated]


class Manners:
    """The manners of a policy for one study of one subject."""

    def __init__(self, policy: Policy, cleaner: TextCleaner, subject: Subject, ids: Identifiers, study: str) -> None:
        """Prepare for a study, given by its original UID."""
        self._policy, self._cleaner, self._subject, self._ids = policy, cleaner, subject, ids
        self._days = {Dates.YEAR_ONLY: None, Dates.SHIFT: subject.shift_days, Dates.KEEP: 0}[policy.dates]
        self._seconds = subject.shift_seconds(study) if policy.dates is Dates.YEAR_ONLY else 0
        self._mentioned: dict[str, bool] = {}
        self._by_treat: dict[Treat, Manner] = {
            Treat.NUMBER: self._number,
            Treat.CODE: self._code,
            Treat.TEXT: self._text,
            Treat.PROSE: self._prose,
            Treat.AGE: self._age,
            Treat.TIME: self._time,
            Treat.UID: self._uid,
            Treat.EMPTY: self._empty,
        }

    def treat(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        """What becomes of a value.

        Args:
            place: of its element, as decisions write it.
            treatment: its rule; sequences have no value.
            vr: value representation to read it by.
            value: raw little-endian bytes.
            encodings: Python names of the character sets of its text.
        """
        manner = self._by_treat.get(treatment.treat)
        if manner is None:
            return dropped(place, treatment.rule, vr, CHECK)
        return manner(place, treatment, vr, value, encodings)

    def _number(self, place: str, treatment: Treatment, vr: str, value: bytes, _: tuple[str, ...]) -> Treated:
        if treatment.among:
            checked = values.words(value, treatment.among, treatment.most)
        else:
            checked = values.number(vr, value, treatment.most)
        if checked is None or (not treatment.among and self._ids.numbers.among(vr, checked)):
            return dropped(place, treatment.rule, vr, CHECK)
        return kept(place, treatment.rule, "K", "number", POLICY, (vr, checked))

    def _code(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        parts = [part.strip(" \0") for part in text_of(value, encodings).split("\\")][: treatment.most]
        known = [part if part in terms() or self._says_nothing(part) else "" for part in parts]
        if self._mentions(" ".join(part for part in known if part not in terms())):
            known = [part if part in terms() else "" for part in known]
        action, detector = ("K", VOCABULARY) if known == parts else ("C", CHECK)
        # a dropped term leaves its place empty, because the places of Image Type have meanings
        cleaned = "\\".join(known).rstrip("\\").encode() or treatment.instead
        return kept(place, treatment.rule, action, "code", detector, (vr, cleaned))

    def _says_nothing(self, code: str) -> bool:
        return code.isascii() and plain_label(code) and not self._mentions(code)

    def _mentions(self, text: str) -> bool:
        """Whether a text repeats an identifier of the subject; the words of a study's headers come again and again."""
        mentioned = self._mentioned.get(text)
        if mentioned is None:
            mentioned = bool(self._ids.find(text))
            if len(self._mentioned) < MEMO:
                self._mentioned[text] = mentioned
        return mentioned

    def _text(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        text = text_of(value, encodings)
        parts = [text] if vr in _ONE_VALUE else text.split("\\")[: treatment.most]
        results = [self._cleaner.header(part.strip(" \0\r\n"), self._ids) for part in parts]
        removed = _surest(r for result in results for r in result.removed)
        if len(results) > 1 and self._mentions(" ".join(result.text for result in results)):
            results, removed = [], removed | {VAULT: 1.0}  # one identifier, written over several values
        cleaned = "\\".join(result.text for result in results).rstrip("\\").encode() or treatment.instead
        action = "Z" if value.strip(b" \0") and not cleaned else "C" if cleaned != treatment.instead else "D"
        decisions = tuple(Decision(place, treatment.rule, action, "text", d, s) for d, s in sorted(removed.items()))
        unchanged = Decision(place, treatment.rule, "K", "text", VOCABULARY, None)
        return Treated((vr, cleaned), decisions or (unchanged,))

    def _prose(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        result = self._cleaner.report(text_of(value, encodings).strip(" \0\r\n"), self._ids)
        removed = _surest(result.removed)
        decisions = tuple(Decision(place, treatment.rule, "C", "text", d, s) for d, s in sorted(removed.items()))
        unchanged = Decision(place, treatment.rule, "K", "text", VOCABULARY, None)
        return Treated((vr, result.text.encode() or treatment.instead), decisions or (unchanged,))

    def _age(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        text = text_of(value, encodings).strip(" \0")
        capped = values.age(text, self._policy.age_cap) if text else ""
        if capped is None:
            return dropped(place, treatment.rule, vr, CHECK)
        action = "K" if capped == text else "C"
        return kept(place, treatment.rule, action, "number", POLICY, (vr, capped.encode()))

    def _time(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        parts = [part.strip(" \0") for part in text_of(value, encodings).split("\\")[: treatment.most]]
        moved = [self._moved(vr, part) if part else "" for part in parts]
        good = "\\".join(part or "" for part in moved).rstrip("\\")
        if None in moved and not good:
            return kept(place, treatment.rule, "Z", "date", CHECK, (vr, b""))
        action = "K" if self._days == 0 else "C"
        return kept(place, treatment.rule, action, "date", POLICY if action == "K" else VAULT, (vr, good.encode()))

    def _moved(self, vr: str, text: str) -> str | None:
        if vr == "DA":
            return values.date(text, self._days)
        if vr == "TM":
            return values.time(text, self._seconds)
        return values.moment(text, self._days, self._seconds)

    def _uid(self, place: str, treatment: Treatment, vr: str, value: bytes, encodings: tuple[str, ...]) -> Treated:
        parts = [p.strip(" \0") for p in text_of(value, encodings).split("\\")][: treatment.most]
        standard = all(part in STANDARD_UIDS for part in parts)
        replaced = "\\".join(self._replaced(part) for part in parts)
        action, detector = ("K", POLICY) if standard else ("U", VAULT)
        return kept(place, treatment.rule, action, "uid", detector, (vr, replaced.encode()))

    def _replaced(self, uid: str) -> str:
        if not uid or uid in STANDARD_UIDS:
            return uid
        # below the standard's root, but not the standard's: anything could be written there
        return self._subject.uid(f"unknown {uid}" if uid.startswith(STANDARD_ROOT) else uid)

    def _empty(self, place: str, treatment: Treatment, vr: str, value: bytes, _: tuple[str, ...]) -> Treated:
        action = "D" if treatment.instead else "Z" if value else "K"
        return kept(place, treatment.rule, action, kind_of_value(vr), POLICY, (vr, treatment.instead))


def _surest(removals: Iterable[Removal]) -> dict[str, float]:
    """The highest score of each detector."""
    surest: dict[str, float] = {}
    for removal in removals:
        surest[removal.detector] = max(removal.score, surest.get(removal.detector, 0.0))
    return surest


def kept(place: str, rule: str, action: str, kind: str, detector: str, value: tuple[str, bytes]) -> Treated:
    """A value that leaves by one decision."""
    return Treated(value, (Decision(place, rule, action, kind, detector, None),))


def dropped(place: str, rule: str, vr: str, detector: str) -> Treated:
    """A value that does not leave."""
    return Treated(None, (Decision(place, rule, "X", kind_of_value(vr), detector, None),))
