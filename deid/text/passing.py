"""Names that a report mentions in passing, in lower case: `reported by smith`, `her husband jones`, `kim was paged`.

Belongs here: the places of a sentence where a name stands. Lower-case words of a report stay, because most of them are
findings; in these places a word that is neither known nor built like a medical or an ordinary one is taken for a name.
"""

import re
from collections.abc import Iterator

from deid.text.spelling import fold
from deid.text.vocabulary import words

_DONE_BY = (
    r"(?:read|seen|reviewed|reported|dictated|interpreted|transcribed|typed|performed|requested|referred|ordered|examined|"
    r"signed|verified|approved|assisted|supervised|prepared)(?:\s+off)?\s+by"
)
_TOLD = r"(?:discussed|shared|spoke|spoken|talked|communicated|reviewed|conferred)\s+(?:with|to)"
_STAFF = (
    r"nurse|rn|technologist|technician|tech|radiographer|radiologist|physician|surgeon|neurologist|oncologist|resident|"
    r"fellow|consultant|registrar|doctor|dr|prof|mr|mrs|ms|miss"
)
_KIN = (
    r"wife|husband|spouse|partner|mother|father|mom|dad|son|daughter|brother|sister|aunt|uncle|cousin|niece|nephew|"
    r"grandmother|grandfather|caregiver|guardian|neighbou?r|friend"
)
_BEFORE = re.compile(rf"(?<![\w-])(?:{_DONE_BY}|{_TOLD}|cc:?|attn:?|{_STAFF}|{_KIN})[\s:.,]+(?=[^\W\d_])", re.I)
_BEHIND = re.compile(
    r"(?<=[\w\u2019'-])(?=[\s,]+(?:(?:was|were|is|has\s+been)\s+)?"
    r"(?:notified|paged|informed|contacted|telephoned|emailed|faxed)\b)",
    re.I,
)
_WORD = re.compile(r"[^\W\d_][\w\u2019'-]*")
_LAST_WORD = re.compile(r"[^\W\d_][\w\u2019'-]*\Z")
_GAP = re.compile(r"[ \t]+(?:and[ \t]+)?")
_SHORTEST, _MOST = 3, 3
_ORDINARY = re.compile(
    rf"{_STAFF}|{_KIN}|.{{2,}}(?:ed|ing|ly|ous|ive|able|ible|ical|ology|ologists?|icians?)|"
    r"will|may|her|you|soon|ward|home|call"
)
"""Endings of verbs, adverbs, adjectives and professions, and verbs that are names with a capital letter."""


def named_in_passing(text: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of each lower-case word that stands where a name does and is no known word."""
    for match in _BEFORE.finditer(text):
        yield from _words_from(text, match.end())
    for match in _BEHIND.finditer(text):
        last = _LAST_WORD.search(text, max(0, match.start() - 40), match.start())
        if last and _unknown(last[0]):
            yield last.span()


def _words_from(text: str, at: int) -> Iterator[tuple[int, int]]:
    for _ in range(_MOST):
        word = _WORD.match(text, at)
        if word is None or not _unknown(word[0]):
            return
        yield word.span()
        gap = _GAP.match(text, word.end())
        if gap is None:
            return
        at = gap.end()


def _unknown(word: str) -> bool:
    folded = fold(word)
    return word.islower() and len(folded) >= _SHORTEST and folded not in words() and not _ORDINARY.fullmatch(folded)
