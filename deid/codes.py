"""Coded concepts: which of them a public terminology knows.

Belongs here: the check of one item of a code sequence (PS3.3 8.8). A code can hold any text, so only pairs of scheme
and value that pydicom's copy of the standard's terminologies lists leave, with the meaning that stands there.
"""

from functools import cache

from deid import encoding
from deid.elements import Dataset, text_of

_VALUE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104
_LONGEST_MEANING = 64


def concept(item: Dataset) -> bytes | None:
    """The item with value, scheme and the terminology's own meaning; None if no terminology knows it."""
    found = {
        tag: text_of(value, item.encodings).strip(" \0")
        for tag, _, value in item.elements
        if tag in {_VALUE, _SCHEME} and isinstance(value, bytes)
    }
    value, scheme = found.get(_VALUE, ""), found.get(_SCHEME, "")
    meaning = _meanings().get((scheme, value)) or _meanings().get(("SCT", _snomed(scheme, value)))
    if meaning is None:
        return None
    return coded(value, scheme, meaning)


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
