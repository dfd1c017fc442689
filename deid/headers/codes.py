"""Coded concepts: which of them a public terminology knows.

Belongs here: the check of one item of a code sequence (PS3.3 8.8). A code can hold any text, so only pairs of scheme
and value that pydicom's copy of the standard's terminologies lists leave, with the meaning that stands there.
"""

import re
from functools import cache

from deid.headers import encoding
from deid.headers.elements import Dataset, text_of

_VALUE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104
_LONGEST_MEANING = 64
_ATOM = (
    r"(?:10\*-?\d{1,2}|1|%|\{ratio\}|[numkcdMGTp]?(?:m|s|g|l|L|Hz|Pa|V|T|A|J|W|N|mol|Bq|Gy|Sv|K)|u[mslg]|"
    r"min|h|d|wk|mo|a|deg|rad|Cel|dB|ppm|bit|By)"
)
_UNIT = re.compile(rf"/?{_ATOM}(?:-?[1-9])?(?:[./]{_ATOM}(?:-?[1-9])?){{0,4}}")
"""Units of UCUM without annotations, which could hold any text; a unit is its own meaning."""
_GRAMMARS = {"UCUM": _UNIT} | dict.fromkeys(("RFC5646", "RFC3066", "ISO639_1"), re.compile("[a-z]{2}"))
"""Schemes whose codes follow a grammar rather than a list: units, and languages without their region."""
_OWN_SCHEME, _REMOVED = "99LARMOR", "REMOVED"
"""A private scheme begins with 99 (PS3.16 8.2)."""


def concept(item: Dataset, instead: str | bytes = "") -> bytes | None:
    """The item with value, scheme and the terminology's own meaning.

    Args:
        item: a coded concept.
        instead: meaning of the private code that stands where no terminology knows the item's.

    Returns:
        The encoded item; None if no terminology knows it and nothing is to stand there.
    """
    value, scheme, meaning = _found(item)
    if meaning:
        return coded(value, scheme, meaning)
    if not instead:
        return None
    return coded(_REMOVED, _OWN_SCHEME, instead.decode() if isinstance(instead, bytes) else instead)


def known(item: Dataset) -> bool:
    """Whether a public terminology knows the coded concept."""
    return bool(_found(item)[2])


def identity(item: Dataset) -> tuple[str, str]:
    """Scheme and value of a coded concept as the file gives them."""
    value, scheme, _ = _found(item)
    return scheme, value


def _found(item: Dataset) -> tuple[str, str, str]:
    """Value, scheme, and the terminology's meaning, empty where it has none."""
    found = {
        tag: text_of(value, item.encodings).strip(" \0")
        for tag, _, value in item.elements
        if tag in {_VALUE, _SCHEME} and isinstance(value, bytes)
    }
    value, scheme = found.get(_VALUE, ""), found.get(_SCHEME, "")
    meaning = _meanings().get((scheme, value)) or _meanings().get(("SCT", _snomed(scheme, value)))
    if not meaning and (pattern := _GRAMMARS.get(scheme)) and pattern.fullmatch(value):
        meaning = value
    return value, scheme, meaning or ""


def coded(value: str, scheme: str, meaning: str) -> bytes:
    """The elements of a coded concept."""
    return b"".join(
        encoding.element(tag, vr, text.encode())
        for tag, vr, text in (
            (_VALUE, "SH", value),
            (_SCHEME, "SH", scheme),
            (_MEANING, "LO", meaning[:_LONGEST_MEANING]),
        )
    )


@cache
def _meanings() -> dict[tuple[str, str], str]:
    from pydicom.sr._concepts_dict import concepts  # half a second, so only where a coded concept comes

    return {
        (scheme, value): described[0]
        for scheme, keywords in concepts.items()
        for values in keywords.values()
        for value, described in values.items()
    }


def _snomed(scheme: str, value: str) -> str:
    """The SNOMED CT code of an older SNOMED-RT one."""
    if scheme not in {"SRT", "SNM3", "99SDM"}:
        return ""
    from pydicom.sr._snomed_dict import mapping

    return str(mapping["SRT"].get(value, ""))
