"""Siemens' CSA image header: the private block in which older scanners keep what DICOM had no element for.

Belongs here: its byte layout. What is read from it is `imaging.headers.reading`'s choice.
"""

import struct
from functools import lru_cache

from imaging.errors import ImagingError
from schemas.reasons import Reason

MAGIC = b"SV10"
MAX_TAGS, MAX_ITEMS = 1024, 4096
_TAG, _TAG_BYTES = struct.Struct("<64s12xi"), 84
_ITEMS_AND_CHECK, _NAME_BYTES, _CHECKS = struct.Struct("<ii"), 76, frozenset({77, 205})
"""What ends a tag, after its name and type: the number of its items, and one of two constants."""
_LENGTH, _ITEM_BYTES = struct.Struct("<4xi"), 16


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
    wanted = {name.encode("latin-1"): name for name in names}
    position = 16
    count = int.from_bytes(data[8:12], "little")
    try:
        if count > MAX_TAGS:
            raise _invalid()
        for _ in range(count):
            name, items = _TAG.unpack_from(data, position)
            position += _TAG_BYTES
            if not 0 <= items <= MAX_ITEMS:
                raise _invalid()
            key = wanted.get(name.partition(b"\0")[0])
            texts: list[str] = []
            position = _items(data, position, items, texts if key else None)
            if key and texts:
                found[key] = tuple(texts)
    except struct.error:
        raise _invalid() from None
    return found


def look_up_csa(data: bytes, names: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """As `read_csa`, but each field is looked for by its name, and the others are not checked: a third of the time."""
    if data[:4] != MAGIC or len(data) < 16:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for name, needle in _needles(names):
        position = data.find(needle, 16)
        if position < 0:
            continue
        if position % 4 or position + _TAG_BYTES > len(data):
            return read_csa(data, names)  # the name stands in a value
        items, check = _ITEMS_AND_CHECK.unpack_from(data, position + _NAME_BYTES)
        if check not in _CHECKS or not 0 <= items <= MAX_ITEMS:
            return read_csa(data, names)
        texts: list[str] = []
        try:
            _items(data, position + _TAG_BYTES, items, texts)
        except struct.error:
            raise _invalid() from None
        if texts:
            found[name] = tuple(texts)
    return found


@lru_cache(maxsize=64)
def _needles(names: frozenset[str]) -> tuple[tuple[str, bytes], ...]:
    """Names as they stand in a header."""
    return tuple((name, name.encode("latin-1") + b"\0") for name in sorted(names))


def _items(data: bytes, position: int, items: int, texts: list[str] | None) -> int:
    """The place after a tag's items; what they hold goes into `texts`, if that is wanted.

    Most tags have six items of which all but the first few are empty and alike: those are passed in one step.
    """
    size, read = len(data), _LENGTH.unpack_from
    while items:
        (length,) = read(data, position)
        end = position + items * _ITEM_BYTES
        if not length and data[position:end] == data[position : position + _ITEM_BYTES] * items:
            return end
        position += _ITEM_BYTES
        if not 0 <= length <= size - position:
            raise _invalid()
        if texts is not None:
            text = data[position : position + length].split(b"\0", 1)[0].strip().decode("latin-1")
            if text:
                texts.append(text)
        position += (length + 3) // 4 * 4
        items -= 1
    return position


def _invalid() -> ImagingError:
    return ImagingError(Reason.HEADER_INVALID, "found a CSA header whose lengths do not fit, needed a whole one")
