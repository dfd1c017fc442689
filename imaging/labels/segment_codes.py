"""Coded meaning of a label's name: which concept a segment shows, and of which category it is.

Belongs here: looking names up among the concepts that DICOM lists for segments (PS3.16 CID 7151), and the private code
of a name that is not among them: scheme 99LARMOR, code `LABEL-<value>`, category `LABEL`, the name as its meaning.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

PRIVATE = "99LARMOR"
"""Coding scheme designator of codes that stand for themselves; 99 marks private ones (PS3.16 8)."""

Concept = tuple[str, str, str]
"""Code value, coding scheme designator, code meaning."""

_TISSUE: Concept = ("85756007", "SCT", "Tissue")
_STRUCTURE: Concept = ("91723000", "SCT", "Anatomical Structure")
_ABNORMAL: Concept = ("49755003", "SCT", "Morphologically Abnormal Structure")
_PRIVATE_CATEGORY: Concept = ("LABEL", PRIVATE, "Label of a label map")
_GROUPS = ((7194, _ABNORMAL), (7191, _TISSUE), (7192, _STRUCTURE))
"""Context groups of segmented property types (PS3.16), with the category (CID 7150) that each is of."""

_LONGEST = 64
_SPELLINGS = (("grey", "gray"), ("tumour", "tumor"), ("oedema", "edema"))
_NO_LETTER = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True)
class Coded:
    """What a segment shows.

    Attributes:
        type: the concept.
        category: what kind of thing it is.
    """

    type: Concept
    category: Concept


def coded(name: str, value: int) -> Coded:
    """The concept of a label's name; the private one where DICOM lists none of that name."""
    found = _known().get(_plain(name))
    return found or Coded((f"LABEL-{value}", PRIVATE, name[:_LONGEST] or f"label {value}"), _PRIVATE_CATEGORY)


def categorized(concept: Concept) -> Coded:
    """A delivered concept with the category that it has among DICOM's, else that of a label."""
    listed = next((known for known in _known().values() if known.type[:2] == concept[:2]), None)
    return Coded(concept, listed.category if listed else _PRIVATE_CATEGORY)


@lru_cache(maxsize=1)
def _known() -> dict[str, Coded]:
    """Concepts by plain name and plain meaning; of two of one name, the tissue or structure wins over its defect."""
    from pydicom.sr.codedict import codes

    found: dict[str, Coded] = {}
    for group, category in _GROUPS:
        concepts: dict[str, Any] = getattr(codes, f"cid{group}").concepts
        for keyword, code in concepts.items():
            entry = Coded((code.value, code.scheme_designator, code.meaning), category)
            found[_plain(keyword)] = found[_plain(code.meaning)] = entry
    return found


def _plain(name: str) -> str:
    plain = _NO_LETTER.sub("", name.lower())
    for ours, theirs in _SPELLINGS:
        plain = plain.replace(ours, theirs)
    return plain
