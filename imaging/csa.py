"""Siemens' CSA image header: the private block in which older scanners keep what DICOM had no element for.

Belongs here: its byte layout. What is read from it is `imaging.header`'s choice.
"""

import struct

from imaging.errors import ImagingError
from schemas.reasons import Reason

MAGIC = b"SV10"
MAX_TAGS, MAX_ITEMS = 1024, 4096
_TAG = struct.Struct("<64si4siii")
_ITEM = struct.Struct("<iiii")


def read_csa(data: bytes, names: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Some fields of a CSA header.

    Args:
        data: value of (0029,xx10) `SIEMENS CSA HEADER`.
        names: fields that are wanted.

    Returns:
        Field to its items as text, without empty ones; absent fields are left out. An older layout than SV10 gives
        nothing.

    Raises:
        ImagingError: HEADER_INVALID where lengths contradict each other.

    Source: nibabel.nicom, "Siemens format DICOM with CSA header" (CSA2 layout).
    """
    if data[:4] != MAGIC or len(data) < 16:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    position = 16
    count = int.from_bytes(data[8:12], "little")
    try:
        if count > MAX_TAGS:
            raise _invalid()
        for _ in range(count):
            name, _, _, _, items, _ = _TAG.unpack_from(data, position)
            position += _TAG.size
            if not 0 <= items <= MAX_ITEMS:
                raise _invalid()
            texts = []
            for _ in range(items):
                length = _ITEM.unpack_from(data, position)[1]
                position += _ITEM.size
                if not 0 <= length <= len(data) - position:
                    raise _invalid()
                texts.append(data[position : position + length].split(b"\0", 1)[0].strip().decode("latin-1"))
                position += (length + 3) // 4 * 4
            key = name.split(b"\0", 1)[0].decode("latin-1")
            if key in names and any(texts):
                found[key] = tuple(text for text in texts if text)
    except struct.error:
        raise _invalid() from None
    return found


def _invalid() -> ImagingError:
    return ImagingError(Reason.HEADER_INVALID, "found a CSA header whose lengths do not fit, needed a whole one")
