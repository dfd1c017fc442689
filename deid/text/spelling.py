"""How a text is taken apart before it is compared with anything: folded atoms with their places.

Belongs here: folding and splitting. Deciding what an atom means is `deid.text.text` and `deid.text.identifiers`. The
residual scanner has its own normalization on purpose and does not use this.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_LETTERS = str.maketrans({
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d",
    "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i", "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T", "ĸ": "k",
})  # fmt: skip
"""Latin letters that no accent makes, as they are written without them."""
_ATOM = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")


class Atom(NamedTuple):
    """A run of letters or digits.

    Attributes:
        text: folded: NFKD, no accents, case-folded.
        start: first character in the original text.
        end: one past the last.
    """

    text: str
    start: int
    end: int


def fold(text: str) -> str:
    """The text without accents, width variants and case (Unicode NFKD, case folding)."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


@lru_cache(maxsize=4096)
def atoms(text: str) -> tuple[Atom, ...]:
    """The atoms of a text, split at anything but letters and digits, at camel case, and between letters and digits.

    `SmithJohn_t1-SMITH2` gives smith, john, t, 1, smith, 2.
    """
    plain, places = _plain(text)
    return tuple(
        Atom(match[0].casefold(), places[match.start()], places[match.end() - 1] + 1) for match in _ATOM.finditer(plain)
    )


def _plain(text: str) -> tuple[str, range | list[int]]:
    """The text without accents and width variants, and the original place of each of its characters."""
    if text.isascii():
        return text, range(len(text))
    characters, places = [], []
    for place, original in enumerate(text):
        for character in unicodedata.normalize("NFKD", original.translate(_LETTERS)):
            if not unicodedata.combining(character):
                characters.append(character)
                places.append(place)
    return "".join(characters), places
