"""Explicit VR little endian files, walked byte by byte: what nearly all scanners write and archives keep.

Belongs here: the layout that PS3.5 section 7 prescribes, and nothing that judges a value. What departs from it is not
guessed at: a file that ends early or nests without end is refused, any other oddity is left to `deid.elements`, whose
reader is slower and more patient. Both give the same elements, which the tests hold them to.

Each byte is looked at once: a value is sliced, never searched, and no place is returned to. Pixels are not even copied:
their value is a view of the file.
"""

import struct
import zlib
from functools import cache

from pydicom.uid import UID, UID_dictionary, DeflatedExplicitVRLittleEndian

from deid.parsed import (
    CHARACTER_SET,
    DEEPEST,
    LATIN,
    PIXELS,
    UNDEFINED,
    Dataset,
    Element,
    Items,
    Parsed,
    dictionary_vr,
    encodings_of,
)
from deid.refusals import Refused
from schemas.reasons import Reason

LARGEST_INFLATED = 1 << 30
"""Most bytes that a deflated dataset may have, so that a small file cannot fill the memory."""
REMEMBERED = 4096
"""Longest sequence whose bytes are kept beside its items."""

_PREAMBLE = 132
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_WITH_SHORT_LENGTH, _WITH_LONG_LENGTH, _OTHER = range(3)
_SYNTAX = 0x00020010
_MOST_HEADS = 1 << 16

_bare = struct.Struct("<HHI").unpack_from


class Unusual(Exception):
    """Bytes that the standard does not foresee; a more patient reader may know what was meant."""


class _Heads(dict[bytes, tuple[int, str, int]]):
    """Tag, value representation and form of an element by its first six bytes; each is worked out once a process."""

    def __missing__(self, head: bytes) -> tuple[int, str, int]:
        if len(head) < 6:
            raise Unusual
        group, number, vr = struct.unpack("<HH2s", head)
        tag = group << 16 | number
        form = _WITH_LONG_LENGTH if vr in _LONG else _WITH_SHORT_LENGTH if vr in _SHORT else _OTHER
        if group in {0, 0xFFFE} or not number or tag == CHARACTER_SET or tag in PIXELS:
            form = _OTHER
        if len(self) >= _MOST_HEADS:
            self.clear()
        known = self[head] = (tag, vr.decode("latin-1"), form)
        return known


@cache
def _heads() -> _Heads:
    return _Heads()


def walked(data: bytes, pixels: bool = True) -> Parsed:
    """The elements of a Part 10 file, as `deid.elements.parse` gives them.

    Args:
        data: the file.
        pixels: whether to read Pixel Data and what follows it.

    Raises:
        Unusual: if this is not explicit VR little endian exactly as the standard has it.
        Refused: `truncated` if it ends early, `header_invalid` if it is nested too deep or cannot be inflated,
            `unsupported` if it is too large when inflated.

    Source: DICOM PS3.10 section 7.1 (file meta), PS3.5 sections 7.1, 7.5, A.4 and A.5.
    """
    syntax, start = _file_meta(data)
    if not _explicit_little(syntax):
        raise Unusual
    if syntax == DeflatedExplicitVRLittleEndian:
        data, start = _inflated(data, start), 0
    walk = _Walk(data, pixels)
    return Parsed(syntax, walk.dataset(start, len(data), 0, LATIN, open_ended=False)[0])


def _file_meta(data: bytes) -> tuple[str, int]:
    """The transfer syntax, and where the dataset begins."""
    at, last, syntax, heads = _PREAMBLE, -1, b"", _heads()
    while data[at : at + 2] == b"\2\0":
        tag, _, form = heads[data[at : at + 6]]
        if form == _WITH_LONG_LENGTH:
            start = at + 12
            length = int.from_bytes(data[at + 8 : start], "little")
        elif form == _WITH_SHORT_LENGTH or tag == 0x00020000:
            start = at + 8
            length = int.from_bytes(data[at + 6 : start], "little")
        else:
            raise Unusual
        if tag <= last or start + length > len(data):
            raise Unusual
        if tag == _SYNTAX:
            syntax = data[start : start + length]
        at, last = start + length, tag
    return syntax.decode("ascii", "replace").rstrip("\0 "), at


@cache
def _explicit_little(syntax: str) -> bool:
    uid = UID(syntax)
    known = syntax in UID_dictionary and uid.is_transfer_syntax
    return known and not uid.is_implicit_VR and uid.is_little_endian


def _inflated(data: bytes, start: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = inflater.decompress(memoryview(data)[start:], LARGEST_INFLATED)
    except zlib.error:
        raise Refused(Reason.HEADER_INVALID) from None
    if inflater.unconsumed_tail:
        raise Refused(Reason.UNSUPPORTED)
    if not inflater.eof:
        raise Refused(Reason.TRUNCATED)
    return unpacked


class _Walk:
    """One pass over the bytes of a dataset."""

    __slots__ = ("_data", "_heads", "_pixels", "_size")

    def __init__(self, data: bytes, pixels: bool) -> None:
        self._data, self._pixels, self._size, self._heads = data, pixels, len(data), _heads()

    def dataset(
        self, at: int, end: int, depth: int, encodings: tuple[str, ...], open_ended: bool
    ) -> tuple[Dataset, int]:
        """The dataset from `at` to `end`, or to its delimiter if it is open-ended, and the place behind it."""
        if depth > DEEPEST:
            raise Refused(Reason.HEADER_INVALID)
        data, heads, last = self._data, self._heads, -1
        elements: list[Element] = []
        append = elements.append
        while at < end:
            tag, vr, form = heads[data[at : at + 6]]
            if tag <= last:
                raise Unusual  # the order says which of two would count, so two may not be
            if form == _WITH_SHORT_LENGTH:
                start = at + 8
                stop = start + int.from_bytes(data[at + 6 : start], "little")
            elif form == _WITH_LONG_LENGTH:
                start = at + 12
                stop = start + int.from_bytes(data[at + 8 : start], "little")
            elif tag == _ITEM_END and open_ended:
                return Dataset(elements, encodings), self._delimited(at, end)
            elif tag in PIXELS and not depth and not self._pixels:
                return Dataset(elements, encodings), at
            else:
                element, at = self._other(tag, vr, at, end, depth, encodings)
                append(element)
                if tag == CHARACTER_SET:
                    encodings = _encodings(element)
                last = tag
                continue
            if stop > end:
                element, stop = self._overrun(tag, vr, start, stop, end, depth, encodings)
                append(element)
            else:
                append((tag, vr, data[start:stop]))
            at, last = stop, tag
        if open_ended:
            raise self._beyond(end)
        return Dataset(elements, encodings), at

    def _delimited(self, at: int, end: int) -> int:
        """The place behind a delimiter."""
        if at + 8 > end:
            raise self._beyond(at + 8)
        if _bare(self._data, at)[2]:
            raise Unusual
        return at + 8

    def _beyond(self, stop: int) -> Exception:
        """What to raise where something ends at `stop`, behind what holds it."""
        return Refused(Reason.TRUNCATED) if stop >= self._size else Unusual()

    def _other(
        self, tag: int, vr: str, at: int, end: int, depth: int, encodings: tuple[str, ...]
    ) -> tuple[Element, int]:
        """An element that is more than a value, and the place behind it."""
        if vr == "SQ" and tag & 0xFFFF and tag >> 16 != 0xFFFE:
            start = at + 12
            length = int.from_bytes(self._data[at + 8 : start], "little")
            return self._sequence(tag, start, length, end, depth, encodings, implicit=False)
        long = vr.encode("latin-1") in _LONG
        start = at + 12 if long else at + 8
        length = int.from_bytes(self._data[start - (4 if long else 2) : start], "little")
        stop = start + length
        if tag in PIXELS and long:
            if length == UNDEFINED:
                return self._overrun(tag, vr, start, stop, end, depth, encodings)
        elif not (tag == CHARACTER_SET and vr == "CS") and not (self._is_group_length(tag) and vr == "UL"):
            raise Unusual
        if stop > end:
            raise self._beyond(stop)
        if tag in PIXELS:
            return (tag, vr, memoryview(self._data)[start:stop]), stop
        value = self._data[start:stop]
        if tag == CHARACTER_SET:
            return (tag, vr, character_set(value)), stop
        return (tag, vr, b"" if self._is_group_length(tag) else value), stop

    @staticmethod
    def _is_group_length(tag: int) -> bool:
        return not tag & 0xFFFF and tag >> 16 not in {0, 0xFFFE}

    def _overrun(
        self, tag: int, vr: str, start: int, stop: int, end: int, depth: int, encodings: tuple[str, ...]
    ) -> tuple[Element, int]:
        """An element whose length does not fit: undefined, or wrong."""
        if stop - start == UNDEFINED and start <= end:
            if vr == "UN":  # a sequence that somebody did not know, whose items are implicit (PS3.5 6.2.2)
                return self._sequence(tag, start, UNDEFINED, end, depth, encodings, implicit=True)
            if tag in PIXELS and not depth:
                stop = self._fragments(start, end)
                return (tag, vr, memoryview(self._data)[start : stop - 8]), stop
            raise Unusual
        raise self._beyond(stop)

    def _fragments(self, at: int, end: int) -> int:
        """The place behind encapsulated Pixel Data (PS3.5 A.4)."""
        while at + 8 <= end:
            group, number, length = _bare(self._data, at)
            at += 8
            if group << 16 | number == _SEQUENCE_END and not length:
                return at
            if group << 16 | number != _ITEM:
                raise Unusual
            at += length
        raise self._beyond(max(at, end))

    def _sequence(
        self, tag: int, start: int, length: int, end: int, depth: int, encodings: tuple[str, ...], implicit: bool
    ) -> tuple[Element, int]:
        undefined = length == UNDEFINED
        stop = end if undefined else start + length
        if start > end or stop > end:
            raise self._beyond(max(start, stop))
        items: list[Dataset] = []
        at = start
        read = self._implicit if implicit else self.dataset
        while at < stop:
            if at + 8 > stop:
                raise self._beyond(at + 8)
            group, number, size = _bare(self._data, at)
            at += 8
            kind = group << 16 | number
            if kind == _SEQUENCE_END and undefined and not size:
                return self._remembered(tag, items, start, at - 8, implicit), at
            if kind != _ITEM:
                raise Unusual
            inner_end = stop if size == UNDEFINED else at + size
            if inner_end > stop:
                raise self._beyond(inner_end)
            item, at = read(at, inner_end, depth + 1, encodings, size == UNDEFINED)
            items.append(item)
        if undefined:
            raise self._beyond(end)
        return self._remembered(tag, items, start, at, implicit), at

    def _remembered(self, tag: int, items: list[Dataset], start: int, stop: int, implicit: bool) -> Element:
        known = stop - start <= REMEMBERED and not implicit
        return tag, "SQ", Items(items, self._data[start:stop] if known else b"")

    def _implicit(
        self, at: int, end: int, depth: int, encodings: tuple[str, ...], open_ended: bool
    ) -> tuple[Dataset, int]:
        """As `dataset`, of an item in implicit VR little endian."""
        if depth > DEEPEST:
            raise Refused(Reason.HEADER_INVALID)
        if (vr := self._data[at + 4 : at + 6]) in _SHORT or vr in _LONG or vr == b"SQ":
            raise Unusual  # looks explicit
        elements: list[Element] = []
        last = -1
        while at < end:
            if at + 8 > end:
                raise self._beyond(at + 8)
            group, number, length = _bare(self._data, at)
            tag = group << 16 | number
            if tag == _ITEM_END and open_ended:
                return Dataset(elements, encodings), self._delimited(at, end)
            if tag <= last or group in {0, 0xFFFE}:
                raise Unusual
            element, at = self._implicit_element(tag, length, at + 8, end, depth, encodings)
            elements.append(element)
            if tag == CHARACTER_SET:
                encodings = _encodings(element)
            last = tag
        if open_ended:
            raise self._beyond(end)
        return Dataset(elements, encodings), at

    def _implicit_element(
        self, tag: int, length: int, start: int, end: int, depth: int, encodings: tuple[str, ...]
    ) -> tuple[Element, int]:
        vr = dictionary_vr(tag)
        if vr == "SQ" or (length == UNDEFINED and vr == "UN"):
            return self._sequence(tag, start, length, end, depth, encodings, implicit=True)
        stop = start + length
        if length == UNDEFINED:
            raise Unusual
        if stop > end:
            raise self._beyond(stop)
        value = self._data[start:stop]
        if not tag & 0xFFFF:
            return (tag, "UL", b""), stop
        return (tag, vr, character_set(value) if tag == CHARACTER_SET else value), stop


def _encodings(element: Element) -> tuple[str, ...]:
    value = element[2]
    return LATIN if isinstance(value, list) else encodings_of(value)


def character_set(value: bytes) -> bytes:
    """Specific Character Set without padding."""
    return b"\\".join(part.strip(b" \0") for part in value.split(b"\\"))
