"""Words that may leave in text.

Belongs here: reading `vocabulary.txt` and `terms.txt`. Deciding about a text is `deid.text.text`.
"""

from functools import cache
from pathlib import Path
from typing import Literal

_FILE = Path(__file__).with_name("vocabulary.txt")
_TERMS = Path(__file__).with_name("terms.txt")

Section = Literal["protocol", "generic", "prose"]


@cache
def words(*sections: Section) -> frozenset[str]:
    """The words of some sections, lower case; all sections if none is named.

    Raises:
        ValueError: if a section is not in the file.
    """
    found: dict[str, set[str]] = {}
    current = ""
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = line.strip("[]")
            found[current] = set()
        elif line and not line.startswith("#"):
            found[current].update(line.split())
    if missing := set(sections) - found.keys():
        raise ValueError(f"found sections {sorted(found)}, needed also {sorted(missing)}")
    return frozenset(word for name in sections or found for word in found[name])


@cache
def terms() -> frozenset[str]:
    """Whole values that the standard defines for elements of code strings; as words of a text they mean nothing."""
    lines = _TERMS.read_text(encoding="utf-8").splitlines()
    return frozenset(
        term.strip() for line in lines if line and not line.startswith("#") for term in line.split("|") if term.strip()
    )
