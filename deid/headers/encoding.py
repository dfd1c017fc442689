"""Writing elements: explicit VR little endian bytes (PS3.5 7.1.2, PS3.10 7.1).

Belongs here: bytes. The same input gives the same bytes: sequences and items have their lengths, nothing is padded
but to even length, and the preamble is zeros.
"""

import struct
from collections.abc import Iterable

from deid.constants import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_NUMBERS = frozenset({"AT", "DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"})
_ITEM = struct.pack("<HH", 0xFFFE, 0xE000)
_SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
_SHORT_LIMIT = 0xFFFE
_UNDEFINED = 0xFFFFFFFF


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element; an odd value is padded with a space, or with zero where the representation asks for it.

    Numbers that are too many for a short element, as in outlines, are given as UN (PS3.5 6.2.2, note 2).

    Raises:
        ValueError: if the value is longer than its value representation can say.
    """
    if len(value) % 2:
        value += b"\0" if vr in {"UI", "OB", "UN"} else b" "
    if len(value) > _SHORT_LIMIT and vr in _NUMBERS:
        vr = "UN"
    if vr in _LONG:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value)) + value
    if len(value) > _SHORT_LIMIT:
        raise ValueError(f"found a value of {len(value)} bytes, needed at most {_SHORT_LIMIT} for {vr}")
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def sequence(tag: int, items: Iterable[bytes]) -> bytes:
    """A sequence of items that are elements already."""
    return element(tag, "SQ", b"".join(_ITEM + struct.pack("<I", len(item)) + item for item in items))


def pixel_header(vr: str, length: int, encapsulated: bool, tag: int = 0x7FE00010) -> bytes:
    """What stands before the bytes of Pixel Data, or of what an object has in its place."""
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, _UNDEFINED if encapsulated else length)


def part10(meta: dict[int, tuple[str, bytes]], body: Iterable[bytes | memoryview]) -> bytes:
    """A Part 10 file: zero preamble, file meta information of these elements, then the dataset.

    Args:
        meta: elements of group 2 without group length and version; ours of the implementation are added.
        body: encoded elements in order of their tags.
    """
    ours = {
        0x00020001: ("OB", b"\0\1"),
        0x00020012: ("UI", IMPLEMENTATION_UID.encode()),
        0x00020013: ("SH", IMPLEMENTATION_VERSION.encode()),
    }
    group = b"".join(element(tag, vr, value) for tag, (vr, value) in sorted((meta | ours).items()))
    return b"".join((bytes(128), b"DICM", element(0x00020000, "UL", struct.pack("<I", len(group))), group, *body))


LONG_HEAD = 12
"""Bytes before the value of a sequence, and of any element whose length has four bytes."""

SEQUENCE_END = _SEQUENCE_END
"""What closes encapsulated Pixel Data."""
