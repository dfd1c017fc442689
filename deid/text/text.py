"""What may leave of a text: header words are kept if they are known, report prose if nothing in it points to a person.

Belongs here: the decision about each word of a text. The patterns are `deid.text.recognizers`, the subject's own
identifiers `deid.text.identifiers`, the known words `deid.text.vocabulary`.

Two manners, because two kinds of text come. Header text is a label of a few words: what the vocabulary does not know is
dropped, word by word. A report is prose: its lower-case words stay, what a recognizer or an identifier finds becomes a
typed tag, and so does every capitalized word that no vocabulary knows, every lower-case one that stands where a name
does, and every word of a script that the vocabulary does not have.
"""

import html
import re
import urllib.parse
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from deid.text.identifiers import Identifiers
from deid.text.passing import named_in_passing
from deid.text.spelling import atoms, fold
from deid.text.vocabulary import words

VOCABULARY, OWN, UNKNOWN = "vocabulary", "vault", "unknown word"
LONGEST_NUMBER = 4
"""Digits of the longest number that header text keeps; b-values and times fit, record numbers do not."""
MEMO = 1 << 16
"""Texts remembered; header text repeats, so one delivery needs a few thousand."""

_ROUNDS = 6
_TOKEN = re.compile(r"[^\W_]+")
_REPORT_WORD = re.compile(r"[^\W\d_](?:[\w\u2019'-]*\w)?")
_NUMBERED = re.compile(r"(\d{0,4})([a-z]++)(\d{0,4})([a-z]*)")
_SEQUENCE = re.compile(r"([a-z]{2,}+)[123]d\d{0,2}(?:(?:[rtpsv]|ns|ir)\d{0,4})*+")
"""Siemens' sequence names: a kind, its dimensions, and counts (`epfid2d1`, `tfl3d1`, `spc3d1rr282ns`)."""
_PLAIN_SEPARATORS = frozenset(" _-./,:;()+=*%^<>&#[]|~")
_NUMBER_LETTERS = frozenset("abcdehilmnprstvwxz")
_ADJACENT_NUMBERS = re.compile(r"\d[^A-Za-z0-9]+\d")
_YEAR = re.compile(r"(?:19|20)\d\d")
_OTHER_SCRIPT = re.compile(r"[^\x00-\x7f]{2,}")
"""In a folded word; a single letter is a symbol, as in `μm` or `β-amyloid`."""
_ESCAPED = re.compile(r"(?:(?<!\d)%[0-9A-Fa-f]{2})+")
_CHARACTER = re.compile(r"&#0*([0-9]{1,8})[0-9]*")
"""A character by its number, which has seven digits at most; Python refuses to read one of thousands."""
_SENTENCE_END = re.compile(r"[\s\"'(]*(?:\Z|[.!?:;\n]|[-*\d.)]++\s*\n)")
"""Read backwards: a beginning of the text, a mark that ends a sentence, or the marker of an item in a list."""
_NAME_GAP = re.compile(r"[ ,]*(?:[A-Z]\.?[ ,]*)?")
_MEDICAL_ENDING = re.compile(
    r".{3,}(?:tions?|sions?|ities|ity|osis|oses|itis|ments?|ness|ology|ologic|ography|graphic|graphically|ically|ously|ably|"
    r"ibly|otomy|ostomy|ectomy|opathy|omegaly|plasia|trophy|trophic|intense|vascular|cranial|thecal|foraminal|uminal)"
)
_TAGS = {
    "name": "NAME", "clinician": "NAME", "id": "ID", "uid": "ID", "other": "ID", "date": "DATE", "birth": "DATE",
    "address": "ADDRESS", "phone": "PHONE", "institution": "INSTITUTION", "SSN": "ID", "EMAIL": "CONTACT",
    "URL": "CONTACT", "IP": "ID",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that was taken out of a text.

    Attributes:
        detector: what found it: `vault` (an identifier of the subject), `unknown word`, or a recognizer's name.
        kind: what it seems to be, for example name or date.
        score: how sure the detector is, 0 to 1.
    """

    detector: str
    kind: str
    score: float


@dataclass(frozen=True, slots=True)
class Result:
    """A cleaned text and what was taken out of it, in order."""

    text: str
    removed: tuple[Removal, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    removal: Removal


class TextCleaner:
    """Cleans texts, remembering what it saw; one for each process and policy."""

    def __init__(self) -> None:
        """Make a cleaner with an empty memory."""
        self._headers: dict[tuple[str, bytes], Result] = {}
        self._found: dict[str, tuple[_Span, ...]] = {}

    def header(self, text: str, identifiers: Identifiers) -> Result:
        """A header text of its known words only; empty where nothing is known."""
        key = (text, identifiers.digest)
        result = self._headers.get(key)
        if result is None:
            result = self._settled(text, identifiers)
            _remember(self._headers, key, result)
        return result

    def _settled(self, text: str, identifiers: Identifiers) -> Result:
        """Cleaned again until nothing changes: what was dropped may have kept two halves of something apart."""
        removed: list[Removal] = []
        for _ in range(_ROUNDS):
            result = _kept_words(text, [*self._recognized(text, quick=True), *_own(text, identifiers)])
            removed.extend(result.removed)
            if result.text == text or not result.text:
                return Result(result.text, tuple(removed))
            text = result.text
        return Result("", tuple(removed))

    def report(self, text: str, identifiers: Identifiers) -> Result:
        """A report's prose, with typed tags such as [NAME] or [DATE] in place of what may identify somebody."""
        text = _readable(text)
        spans = [*self._recognized(text, quick=False), *_own(text, identifiers)]
        spans.extend(_unknown_names(text, spans))
        return _tagged(text, spans)

    def _recognized(self, text: str, quick: bool) -> tuple[_Span, ...]:
        if quick and plain_label(text):
            return ()
        spans = self._found.get(text)
        if spans is None:
            from deid.text.engine import analyzer  # Presidio takes seconds to import and most labels never need it

            spans = tuple(
                _Span(r.start, r.end, Removal(r.recognition_metadata["recognizer_name"], r.entity_type, r.score))
                for r in analyzer().analyze(text, language="en")
            )
            _remember(self._found, text, spans)
        return spans


def _remember(memo: dict[Any, Any], key: object, value: object) -> None:
    if len(memo) >= MEMO:
        memo.clear()
    memo[key] = value


def _readable(text: str) -> str:
    """The text as its reader would see it: entities of HTML and escapes of web addresses as their characters."""
    unescaped = html.unescape(_CHARACTER.sub(r"&#\1", text))
    return _ESCAPED.sub(lambda match: urllib.parse.unquote(match[0]), unescaped)


def _touching(spans: Iterable[_Span]) -> Callable[[re.Match[str]], bool]:
    """Whether a match and any of the passages have a character in common: one search, however many there are."""
    ordered = sorted(spans, key=lambda span: span.start)
    starts = [span.start for span in ordered]
    reach = [0, *accumulate((span.end for span in ordered), max)]
    return lambda match: reach[bisect_left(starts, match.end())] > match.start()


def _own(text: str, identifiers: Identifiers) -> Iterable[_Span]:
    return (_Span(f.start, f.end, Removal(OWN, f.kind, 1.0)) for f in sorted(set(identifiers.find(text))))


@lru_cache(maxsize=MEMO)
def plain_label(text: str) -> bool:
    """Whether every word is known and nothing asks for a closer look.

    Two numbers side by side, as in dates and phone numbers, three lone letters in a row, or a long number do.
    """
    tokens = _TOKEN.findall(text)
    return (
        not _ADJACENT_NUMBERS.search(text)
        and all(known_word(token) for token in tokens)
        and not any(token.isdigit() and len(token) >= LONGEST_NUMBER for token in tokens)
        and not _lone_letters(tokens)
    )


@lru_cache(maxsize=MEMO)
def known_word(token: str) -> bool:
    """Whether a run of letters and digits may stay in header text.

    Known are words of the vocabulary, numbers of few digits that are no calendar year, and words with a number before
    or behind them: `b1000`, `32ch`, `T2w`, `HeadNeck20`. Years ending in 00 or 50 stay, because b-values look like
    them.
    """
    word = fold(token)
    known = words("protocol", "generic")
    if word in known:
        return True
    if word.isdigit():
        return word.isascii() and len(word) <= LONGEST_NUMBER and not _is_year(word)
    match = _NUMBERED.fullmatch(word)
    if match and (match[1] or match[3]) and not _is_year(match[1]) and not _is_year(match[3]):
        return all(_numbered(part, match) for part in (match[2], match[4]) if part)
    if (match := _SEQUENCE.fullmatch(word)) and match[1] in known:
        return True
    parts = [atom.text for atom in atoms(token)]
    return len(parts) > 1 and all(len(p) > 1 and not p.isdigit() and p in known for p in parts)


def _is_year(number: str) -> bool:
    return bool(_YEAR.fullmatch(number)) and number[2:] not in {"00", "50"}


def _numbered(part: str, match: re.Match[str]) -> bool:
    if len(part) == 1:
        longest = max(len(match[1]), len(match[3]))
        return part in _NUMBER_LETTERS and (longest <= 2 or (longest <= LONGEST_NUMBER and part in "bsrdm"))
    return part in words("protocol", "generic")


def _kept_words(text: str, spans: list[_Span]) -> Result:
    kept: list[str] = []
    removed = [span.removal for span in spans]
    end_of_last = 0
    dropped = True
    tokens = list(_TOKEN.finditer(text))
    lone = _lone_letters([m[0] for m in tokens])
    touching = _touching(spans)
    for place, match in enumerate(tokens):
        covered = touching(match) or (
            dropped and match[0] in "sS" and text[match.start() - 1 : match.start()] in {"'", "\u2019"}
        )
        if covered or place in lone or not known_word(match[0]):
            if not covered:
                removed.append(Removal(UNKNOWN, "text", 1.0))
            dropped = True
            continue
        between = text[end_of_last : match.start()]
        kept.append(_separator(between, dropped, bool(kept)))
        kept.append(match[0])
        end_of_last, dropped = match.end(), False
    tail = "" if dropped else "".join(c for c in text[end_of_last:] if c in ")*%+]")
    return Result(("".join(kept) + tail).strip(), tuple(removed))


def _lone_letters(tokens: list[str]) -> set[int]:
    """Places of three or more single letters in a row: a word spelt out."""
    lone: set[int] = set()
    run: list[int] = []
    for place, token in enumerate([*tokens, ""]):
        if len(token) == 1 and not token.isdigit():
            run.append(place)
            continue
        if len(run) >= 3:
            lone.update(run)
        run = []
    return lone


def _separator(between: str, dropped: bool, inside: bool) -> str:
    """What stands between two kept words: as it was, if nothing was dropped there."""
    if not inside:
        return "".join(c for c in between if c in "(*[") if not dropped or not between.strip(" *([") else ""
    if dropped:
        return " "
    return "".join(c if c in _PLAIN_SEPARATORS else " " for c in between)


def _unknown_names(text: str, spans: list[_Span]) -> list[_Span]:
    """Names of people and places that no pattern found: words that no vocabulary knows and that look like one."""
    known, touching = words(), _touching(spans)
    found = [_Span(start, end, Removal(UNKNOWN, "name", 0.5)) for start, end in named_in_passing(text)]
    last = 0
    for match in _REPORT_WORD.finditer(text):
        word = match[0]
        before, last = text[max(last - 1, 0) : match.start()], match.end()  # with the letter that ends the word before
        if touching(match):
            continue
        if _OTHER_SCRIPT.search(fold(word)):
            found.append(_Span(match.start(), match.end(), Removal(UNKNOWN, "text", 0.5)))
            continue
        if not any(c.isupper() for c in word):
            continue
        parts = [p for p in re.split(r"[-_]", re.sub(r"[\u2019']s?$", "", word)) if p]
        if all(p.islower() or fold(p) in known or known_word(p) for p in parts) or fold(word) in known:
            continue
        begins = bool(_SENTENCE_END.match(before[::-1])) or word.isupper()
        if begins and _MEDICAL_ENDING.fullmatch(fold(word)):
            continue
        found.append(_Span(match.start(), match.end(), Removal(UNKNOWN, "name", 0.5)))
    return found


def _one_name(last: _Span, span: _Span, text: str) -> bool:
    """Whether two passages are parts of one name, a middle initial between them included."""
    names = all(_TAGS.get(s.removal.kind, s.removal.kind) == "NAME" for s in (last, span))
    return names and bool(_NAME_GAP.fullmatch(text[last.end : span.start]))


def _tagged(text: str, spans: list[_Span]) -> Result:
    """The text with each passage replaced by its tag; passages that overlap become one, named by the surest."""
    joined: list[_Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if joined and (span.start < joined[-1].end or _one_name(joined[-1], span, text)):
            last = joined[-1]
            surest = max(last.removal, span.removal, key=lambda r: r.score)
            joined[-1] = _Span(last.start, max(last.end, span.end), surest)
        else:
            joined.append(span)
    pieces: list[str] = []
    at = 0
    for span in joined:
        passage = text[span.start : span.end]
        trailing = passage[len(passage.rstrip(" \n\t,.")) :]
        pieces.extend((text[at : span.start], f"[{_TAGS.get(span.removal.kind, span.removal.kind).upper()}]", trailing))
        at = span.end
    return Result("".join([*pieces, text[at:]]), tuple(s.removal for s in joined))
