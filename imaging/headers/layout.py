"""How the bytes of a DICOM file are laid out: transfer syntaxes, value representations, the tags that structure a file.

Belongs here: constants and the errors over bytes that contradict them. Walking through a file is
`imaging.headers.walk`, the elements of one `imaging.headers.elements`.
"""

from dataclasses import dataclass

from imaging.errors import ImagingError
from schemas.reasons import Reason

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

PREAMBLE = 132
"""Bytes before the file meta information: 128 of preamble and `DICM` (PS3.10 section 7.1)."""

UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 32
"""Sequences nested deeper than this are an attack or a defect: real objects stay below ten."""

PER_FRAME = 0x52009230
"""Per-Frame Functional Groups, which whoever reads the file may have read item by item on the way."""
PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
"""Float Pixel Data, Double Float Pixel Data, Pixel Data."""
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
"""Value representations whose length has four bytes (PS3.5 section 7.1.2)."""
SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)
"""Those whose length has two."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a data set is written."""

    implicit: bool
    little: bool


def looks_implicit(data: bytes, start: int) -> bool:
    """Whether the first element has no VR: some writers declare an explicit syntax and write implicit VR."""
    vr = data[start + 4 : start + 6]
    return len(vr) == 2 and vr not in LONG and vr not in SHORT


def truncated() -> ImagingError:
    """The error for bytes that end too early."""
    return ImagingError(Reason.TRUNCATED, "found the end of the file inside an element, needed the whole element")


def malformed(message: str) -> ImagingError:
    """The error for lengths or nesting that contradict each other."""
    return ImagingError(Reason.HEADER_INVALID, message)
