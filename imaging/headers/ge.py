"""GE's private blobs: what two of them say of the order of slices and of phase encoding; and its software's release.

Belongs here: their layout. What is made of it is `imaging.headers.scanned` and, for files that leave,
`deid.headers.vendor`.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache

MOST_UNPACKED = 1 << 18
"""Bytes of a protocol that are unpacked at most; real ones have a few thousand."""

_ENTRY = re.compile(rb"\b(VIEWORDER|SLICEORDER)\s*+(?:=\s*+)?\"(\d{1,4})\"")

_RELEASE = re.compile(rb"\b[A-Z]{2}(\d{1,3})\.(\d{1,3})(?:_R(\d{1,3}))?")

_HEADER_AT, _SMALLEST = 24, 916
_VERSIONS, _MOVED_FROM, _MOVED_BY = (5.0, 40.0), 25.002, 0x4C
_FLAGS, _EPI_FLAGS, _VIEWS, _VIEWS_MOVED = 0x30, 0x3A, 0x394, 0x394 - 0x8C
_EPI, _FLIPPED, _BOTTOM_UP = 0x800, 0x4, 1


def release(software: bytes) -> tuple[int, int, int] | None:
    """Release of GE's software from its version (0018,1020), as (27, 0, 3) of `RX27.0_R03_1831.a`.

    Returns:
        Two numbers and that of the revision, 0 where none is written; None where there is no such version.
    """
    found = _RELEASE.search(software)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


@lru_cache(maxsize=32)
def protocol_entries(blob: bytes) -> Mapping[str, str]:
    """View order and slice order of a protocol data block (0025,xx1B): four bytes, then a compressed list of entries.

    Args:
        blob: value of the element; it is the same in each file of a series.

    Returns:
        VIEWORDER and SLICEORDER, as far as they are there; none where the block cannot be unpacked.
    """
    try:
        text = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(blob[4:], MOST_UNPACKED)
    except zlib.error:
        return {}
    return {name.decode(): value.decode() for name, value in _ENTRY.findall(text)}


@lru_cache(maxsize=32)
def reordering(blob: bytes) -> str:
    """Rectilinear Phase Encode Reordering (0018,9034) of an echo-planar scan, from the user data (0043,xx2A).

    Newer scanners write the standard's element; older ones have two flags, the polarity of phase encoding and the
    order of views, of which either turns the direction.

    Args:
        blob: value of (0043,xx2A).

    Returns:
        LINEAR or REVERSE_LINEAR, as the scanner would write it; empty where the scan is not echo-planar or the
        layout is not known.

    Source: GE's `rdbm.h` as published with GE-MRI-Tools; offsets by release as dcm2niix documents them.
    """
    if len(blob) < _SMALLEST:
        return ""
    start = int.from_bytes(blob[_HEADER_AT : _HEADER_AT + 2], "little")
    if len(blob) < start + _SMALLEST:
        return ""
    (version,) = struct.unpack_from("<f", blob, start)
    if not _VERSIONS[0] <= version <= _VERSIONS[1]:
        return ""
    moved = version >= _MOVED_FROM
    start += _MOVED_BY if moved else 0

    def short(offset: int) -> int:
        return int.from_bytes(blob[start + offset : start + offset + 2], "little")

    if not short(_EPI_FLAGS) & _EPI:
        return ""
    flipped = bool(short(_FLAGS) & _FLIPPED) != (short(_VIEWS_MOVED if moved else _VIEWS) == _BOTTOM_UP)
    return "LINEAR" if flipped else "REVERSE_LINEAR"
