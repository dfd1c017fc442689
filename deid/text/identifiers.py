"""What identifies one subject: values gathered from headers, and where a text repeats them in whatever spelling.

Belongs here: gathering from parsed elements and finding in text. The patterns that identify anybody (dates, phone
numbers, ...) are `deid.text.recognizers`; searching output bytes is `deid.proof.residual`, which shares only the
values.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from deid.constants import STANDARD_UIDS
from deid.headers import content
from deid.headers.elements import Dataset, Element, text_of
from deid.text.numbers import SHORTEST_NUMBER, Numbers
from deid.text.spelling import Atom, atoms, fold
from deid.text.vocabulary import words

Pair = tuple[str, str]
"""Kind and value of an identifier; kinds as in `schemas.tables.IDENTIFIERS`, and `birth` for dates of birth."""

SHORTEST_NAME = 3
"""Shorter parts of names are initials and particles; as words they would take half of every text with them."""
SHORTEST_AFFIX = 5
"""A part of a name this long is found at the start or end of a longer word (`smithjohn`) ..."""
SHORTEST_INFIX = 6
"""... and this long anywhere in it."""
SHORTEST_ID = 4
"""Shorter ids are found only as whole words, because `7` or `12` stand in every protocol name."""
SHORTEST_WORD = 5
"""A word of an institution or address this long identifies it alone, unless it is a word of the vocabulary."""

_NAMES = {
    0x00080090: "clinician", 0x00081048: "clinician", 0x00081050: "clinician", 0x00081060: "clinician",
    0x00081070: "clinician", 0x00321032: "clinician", 0x00400006: "clinician", 0x0008009C: "clinician",
    0x0040A075: "clinician",
}  # fmt: skip
_KINDS = {
    0x00100020: "id", 0x00101000: "id", 0x00101002: "id", 0x00080050: "id", 0x00200010: "id", 0x00380010: "id",
    0x00401001: "id", 0x00400009: "id", 0x00400253: "id", 0x00402016: "id", 0x00402017: "id", 0x00101090: "id",
    0x00100021: "id", 0x00321060: "other",
    0x00181000: "other", 0x00081010: "other", 0x00400242: "other", 0x00181004: "other", 0x00180013: "other",
    0x00101040: "address", 0x00080081: "address", 0x00380300: "address", 0x00102150: "address", 0x00102152: "address",
    0x00102154: "phone", 0x00080094: "phone", 0x00402010: "phone", 0x00102155: "phone",
    0x00080080: "institution", 0x00081040: "institution", 0x00400243: "institution", 0x00380400: "institution",
    0x00402008: "clinician", 0x00402009: "institution", 0x00104000: "other", 0x001021B0: "other",
}  # fmt: skip
_SKIPPED_OTHER = frozenset({0x00321060, 0x00104000, 0x001021B0})
"""Free text about the person: it is no spelling of anything, so it is not searched for."""
_BIRTH = frozenset({0x00100030})
_PERSONS = frozenset({"name", "clinician"})
_NAME_PART = re.compile(r"[\s^=,.-]+")
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa", "ø": "oe", "Ø": "Oe"}
)
_FIRST_IDEOGRAPH, _IDEOGRAPHS = "\u2e80", 2
_VOWELS = re.compile("(?<=[aou])e")
_NUMBERED = frozenset({"id", "phone", "date", "birth", "other"})
_DATE_VRS = frozenset({"DA", "DT"})
_TELLING = _DATE_VRS | {"PN", "UI", "SQ"}
"""Value representations of elements that may identify whatever their tag is."""
_NOTHING = frozenset({"", "none", "na", "n/a", "unknown", "anonymous", "anonymized", "deidentified", "removed", "null"})
_DEPTH = 12


def gather(dataset: Dataset) -> frozenset[Pair]:
    """The identifying values of one header, nested and private person names included.

    Args:
        dataset: parsed header, see `deid.headers.elements.parse`.

    Returns:
        Kind and value: name, id, date, birth, uid, address, phone, institution, clinician or other.
    """
    return frozenset((kind, value) for kind, value in set(_gathered(dataset, 0)) if fold(value) not in _NOTHING)


def _gathered(dataset: Dataset, depth: int) -> Iterator[Pair]:
    for tag, vr, value in _telling(dataset):
        if isinstance(value, list):
            if depth < _DEPTH:
                yield from _inside(tag, value, depth + 1)
        elif vr == "PN":
            yield from ((_NAMES.get(tag, "name"), part) for part in _parts(dataset, value))
        elif tag in _KINDS:
            if tag not in _SKIPPED_OTHER:
                yield from ((_KINDS[tag], part) for part in _parts(dataset, value))
        elif vr == "UI":
            yield from (("uid", part) for part in _parts(dataset, value) if part not in STANDARD_UIDS)
        elif vr in _DATE_VRS:
            kind = "birth" if tag in _BIRTH else "date"
            yield from ((kind, part[:8]) for part in _parts(dataset, value) if part[:8].isdigit() and len(part) >= 8)


def _inside(tag: int, items: list[Dataset], depth: int) -> Iterator[Pair]:
    for item in items:
        if tag in content.PLACES:
            yield from content.pairs(item)
        yield from _gathered(item, depth)


def _telling(dataset: Dataset) -> list[Element]:
    """The few elements that may say who it is."""
    return [element for element in dataset.elements if element[1] in _TELLING or element[0] in _KINDS]


def _parts(dataset: Dataset, value: bytes) -> list[str]:
    return [part for part in (p.strip(" \0") for p in text_of(value, dataset.encodings).split("\\")) if part]


def _reaches(word: str, least: int) -> bool:
    """Whether a word is long enough to be looked for; two ideographs say as much as a word of an alphabet."""
    return len(word) >= (least if word < _FIRST_IDEOGRAPH else _IDEOGRAPHS)


def _spellings(name: str) -> frozenset[str]:
    """The words of a name: without accents, with umlauts in two letters or one, joined where they are one part.

    `Müller-O'Neil` gives muller, mueller, neil, oneil, and each of them backwards if that is long enough to be no word.
    """
    found: set[str] = set()
    for spelt in (name, name.translate(_UMLAUTS)):
        for part in _NAME_PART.split(spelt):
            own = [atom.text for atom in atoms(part)]
            found.update(own, ["".join(own)])
    found |= {_VOWELS.sub("", word) for word in found if len(word) >= SHORTEST_WORD}
    return frozenset(found | ({word[::-1] for word in found if len(word) >= SHORTEST_WORD} - words()))


class Found(NamedTuple):
    """A passage that repeats an identifier: its place and the identifier's kind."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Identifiers:
    """The identifying values of a subject, compiled for searching text."""

    pairs: frozenset[Pair] = field(default_factory=frozenset)

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> "Identifiers":
        """The identifiers of these pairs."""
        return cls(frozenset(pairs))

    @cached_property
    def digest(self) -> bytes:
        """Key for memos inside a process; it is not kept, because a plain digest of identifiers can be guessed."""
        return hashlib.sha256("\0".join(f"{k}\1{v}" for k, v in sorted(self.pairs)).encode()).digest()

    @cached_property
    def _words(self) -> dict[str, str]:
        """Single folded words that identify, to their kind."""
        found: dict[str, str] = {}
        for kind, value in sorted(self.pairs):
            own = [atom.text for atom in atoms(value)]
            if kind in _PERSONS:
                spelt = (word for word in _spellings(value) if _reaches(word, SHORTEST_NAME) and not word.isdigit())
                found.update(dict.fromkeys(spelt, kind))
            elif kind in {"institution", "address"}:
                known = words()
                found.update((w, kind) for w in own if len(w) >= SHORTEST_WORD and w not in known and not w.isdigit())
                if len(own) == 1 and len(own[0]) >= SHORTEST_NAME and own[0] not in known:
                    found[own[0]] = kind
        return found

    @cached_property
    def _initials(self) -> dict[str, str]:
        """First letters of names of three parts or more, in the order of the header and as they are spoken."""
        found: dict[str, str] = {}
        for kind, value in sorted(self.pairs):
            if kind in _PERSONS:
                letters = "".join(part[0] for part in map(fold, _NAME_PART.split(value)) if part[:1].isalpha())
                if len(letters) >= SHORTEST_NAME:
                    found.update(dict.fromkeys({letters, letters[1:] + letters[0]} - words(), kind))
        return found

    @cached_property
    def _affixes(self) -> tuple[tuple[str, str, bool], ...]:
        """Words that identify as a part of longer ones too, their kind, and whether anywhere in them."""
        affixes = ((w, kind) for w, kind in self._words.items() if _reaches(w, SHORTEST_AFFIX))
        return tuple((w, kind, _reaches(w, SHORTEST_INFIX)) for w, kind in affixes)

    @cached_property
    def _compact(self) -> dict[str, str]:
        """Ids, numbers, phrases and UIDs without their separators, the shortest first, to their kind."""
        found: dict[str, str] = {}
        for kind, value in sorted(self.pairs):
            if kind in {"date", "birth"}:
                continue
            parts = [atom.text for atom in atoms(value)]
            own = "".join(parts)
            if own in words("protocol"):
                continue  # a department called FMRI or an id DEV names nobody
            if len(own) >= SHORTEST_NAME and (kind in {"id", "other"} or len(own) >= SHORTEST_ID):
                found[own] = kind
            if kind in _PERSONS:
                joined = ("".join(p) for p in (parts[::-1], [*parts[1:], *parts[:1]], parts[:2], parts[1::-1]))
                whole = (word for word in (*joined, *_spellings(value)) if len(word) >= SHORTEST_WORD)
                found.update((word, kind) for word in whole if word not in words())
            elif kind in {"id", "other", "phone"}:
                found.update((part, kind) for part in parts if part.isdigit() and len(part) >= SHORTEST_NUMBER)
        return dict(sorted(found.items(), key=lambda item: len(item[0])))

    @cached_property
    def _lengths(self) -> list[int]:
        return [len(word) for word in self._compact]

    @cached_property
    def numbers(self) -> Numbers:
        """Ids, dates and phone numbers as they could stand where only numbers may."""
        digits = ("".join(c for c in value if c.isdigit()) for kind, value in self.pairs if kind in _NUMBERED)
        return Numbers.of(digits, (value for kind, value in self.pairs if kind in {"date", "birth"}))

    def find(self, text: str) -> list[Found]:
        """Passages of a text that repeat an identifier, whatever the order, case, accents or separators.

        Dates are not looked for here: every date is a finding of `deid.text.recognizers`, whosesoever it is.
        """
        if not self.pairs:
            return []
        parts = atoms(text)
        kinds = ((atom, self._word(atom.text) or self._abbreviated(text, atom)) for atom in parts)
        found = [Found(atom.start, atom.end, kind) for atom, kind in kinds if kind]
        found.extend(self._spaced(parts))
        found.extend(self._runs(parts))
        return found

    def _word(self, word: str) -> str | None:
        if kind := self._words.get(word):
            return kind
        if len(word) <= SHORTEST_AFFIX and word < _FIRST_IDEOGRAPH:
            return None
        for part, kind, anywhere in self._affixes:
            if part in word and (anywhere or word.startswith(part) or word.endswith(part)):
                # `max` is not in `maximum`: a word of the vocabulary is not a name with something glued to it
                return None if word in words() else kind
        return None

    def _abbreviated(self, text: str, atom: Atom) -> str | None:
        """Initials that stand alone, in capitals: `JQS`."""
        kind = self._initials.get(atom.text)
        return kind if kind and text[atom.start : atom.end].isupper() else None

    def _spaced(self, parts: tuple[Atom, ...]) -> Iterator[Found]:
        """Names written letter by letter, `S M I T H`, and initials with points, `J.Q.S.`."""
        run: list[Atom] = []
        for atom in (*parts, Atom("--", 0, 0)):
            if len(atom.text) == 1 and not atom.text.isdigit():
                run.append(atom)
                continue
            if len(run) >= SHORTEST_NAME:
                joined = "".join(a.text for a in run)
                if kind := self._initials.get(joined):
                    yield Found(run[0].start, run[-1].end, kind)
                for word, kind in self._words.items():
                    at = joined.find(word)
                    if at >= 0:
                        yield Found(run[at].start, run[at + len(word) - 1].end, kind)
            run = []

    def _runs(self, parts: tuple[Atom, ...]) -> Iterator[Found]:
        """Ids and phrases, whichever separators stand in between; they begin and end with an atom."""
        joined = "".join([a.text for a in parts])
        shorter = islice(self._compact.items(), bisect_right(self._lengths, len(joined)))
        wanted = [(word, kind) for word, kind in shorter if word in joined]
        if not wanted:
            return
        begins, ends, at = {}, {}, 0
        for atom in parts:
            begins[at] = atom.start
            at += len(atom.text)
            ends[at] = atom.end
        for word, kind in wanted:
            at = joined.find(word)
            while at >= 0:
                if at in begins and at + len(word) in ends:
                    yield Found(begins[at], ends[at + len(word)], kind)
                at = joined.find(word, at + 1)
