"""Explicit VR little endian files, walked byte by byte: what nearly all scanners write and archives keep.

Belongs here: the layout that PS3.5 section 7 prescribes, and nothing that judges a value. What departs from it is not
guessed at: a file that ends early or nests without end is refused, any other oddity is left to `deid.headers.elements`,
whose reader is slower and more patient. Both give the same elements, which the tests hold them to.

Each byte is looked at once: a value is sliced, never searched, and no place is returned to. Pixels are not even copied:
their value is a view of the file. Runs of elements that an earlier file had too are compared, not walked.
"""

import struct
import zlib
from functools import cache
from typing import cast

from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, UID_dictionary

from deid.headers.layout import OTHER, WITH_LONG_LENGTH, WITH_SHORT_LENGTH, Run, Unusual, known_heads, known_runs
from deid.headers.parsed import (
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
from imaging.headers.elements import MAX_INFLATED
from schemas.reasons import Reason

REMEMBERED = 4096
"""Longest sequence whose bytes are kept beside its items."""

_PREAMBLE = 132
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_SYNTAX = 0x00020010
_RUN, _LONGEST_RUN = 8, 2048
"""Elements of a run, and bytes of the longest that is remembered."""

_bare = struct.Struct("<HHI").unpack_from


def walked(data: bytes, pixels: bool = True) -> Parsed:
    """The elements of a Part 10 file, as `deid.headers.elements.parse` gives them.

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
        data, start = inflated(data, start), 0
    walk = _Walk(data, pixels)
    return Parsed(syntax, walk.dataset(start, len(data), 0, LATIN, open_ended=False)[0])


def _file_meta(data: bytes) -> tuple[str, int]:
    """The transfer syntax, and where the dataset begins."""
    at, last, syntax, heads = _PREAMBLE, -1, b"", known_heads()
    while data[at : at + 2] == b"\2\0":
        tag, _, form = heads[data[at : at + 6]]
        if form == WITH_LONG_LENGTH:
            start = at + 12
            length = int.from_bytes(data[at + 8 : start], "little")
        elif form == WITH_SHORT_LENGTH or tag == 0x00020000:
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


def inflated(data: bytes, start: int) -> bytes:
    """The dataset of a deflated file.

    Args:
        data: the file.
        start: where the dataset begins.

    Raises:
        Refused: `header_invalid` if it cannot be inflated, `unsupported` if it would be over `MAX_INFLATED` bytes,
            `truncated` if it ends early.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = inflater.decompress(memoryview(data)[start:], MAX_INFLATED)
    except zlib.error:
        raise Refused(Reason.HEADER_INVALID) from None
    if inflater.unconsumed_tail:
        raise Refused(Reason.UNSUPPORTED)
    if not inflater.eof:
        raise Refused(Reason.TRUNCATED)
    return unpacked


class _Walk:
    """One pass over the bytes of a dataset."""

    __slots__ = ("_data", "_heads", "_pixels", "_runs", "_size")

    def __init__(self, data: bytes, pixels: bool) -> None:
        self._data, self._pixels, self._size = data, pixels, len(data)
        self._heads, self._runs = known_heads(), known_runs()

    def dataset(
        self, at: int, end: int, depth: int, encodings: tuple[str, ...], open_ended: bool
    ) -> tuple[Dataset, int]:
        """The dataset from `at` to `end`, or to its delimiter if it is open-ended, and the place behind it."""
        if depth > DEEPEST:
            raise Refused(Reason.HEADER_INVALID)
        elements: list[Element] = []
        last = -1
        while at < end:
            tag, vr, form = self._heads[self._data[at : at + 6]]
            if form != OTHER:
                begin = at
                at, last = self._repeated(at, last, elements) if not depth else self._plain(at, end, last, elements)
                if at > begin:
                    continue
            if tag == _ITEM_END and open_ended:
                return Dataset(elements, encodings), self._delimited(at, end)
            if tag in PIXELS and not depth and not self._pixels:
                return Dataset(elements, encodings), at
            if tag <= last:
                raise Unusual  # the order says which of two would count, so two may not be
            element, at = self._other(tag, vr, at, end, depth, encodings)
            elements.append(element)
            last = tag
            if tag == CHARACTER_SET:
                encodings = _encodings(element)
        if open_ended:
            raise self._beyond(end)
        return Dataset(elements, encodings), at

    def _repeated(self, at: int, last: int, elements: list[Element]) -> tuple[int, int]:
        """As `_plain`, at the top of a file, but a run of elements that an earlier file had too is taken over."""
        head = self._data[at : at + 6]
        known = self._runs.get(head)
        if known is not None and known.elements[0][0] > last and self._data.startswith(known.raw, at):
            elements.extend(known.elements)
            return at + len(known.raw), known.elements[-1][0]
        count = len(elements)
        stop, last = self._plain(at, self._size, last, elements)
        if at < stop <= at + _LONGEST_RUN:
            self._runs.keep(head, Run(self._data[at:stop], elements[count:]))
        return stop, last

    def _plain(self, at: int, end: int, last: int, elements: list[Element]) -> tuple[int, int]:
        """Read some elements that are nothing but a value; the place behind them, and the last one's tag."""
        data, heads, append = self._data, self._heads, elements.append
        for _ in range(_RUN):
            tag, vr, form = heads[data[at : at + 6]]
            if form == WITH_SHORT_LENGTH:
                start = at + 8
                stop = start + int.from_bytes(data[at + 6 : start], "little")
            elif form == WITH_LONG_LENGTH:
                start = at + 12
                stop = start + int.from_bytes(data[at + 8 : start], "little")
            else:
                break
            if tag <= last or stop > end:
                break
            append((tag, vr, data[start:stop]))
            at, last = stop, tag
            if at == end:
                break
        return at, last

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
        """An element that is more than a value, or whose length does not fit, and the place behind it."""
        if vr == "SQ" and tag & 0xFFFF and tag >> 16 != 0xFFFE:
            start = at + 12
            length = int.from_bytes(self._data[at + 8 : start], "little")
            return self._sequence(tag, start, length, end, depth, encodings, implicit=False)
        form = self._heads.form(vr)
        if form == OTHER or tag >> 16 in {0, 0xFFFE}:
            raise Unusual
        long = form == WITH_LONG_LENGTH
        start = at + 12 if long else at + 8
        length = int.from_bytes(self._data[start - (4 if long else 2) : start], "little")
        stop = start + length
        if long and length == UNDEFINED and start <= end:
            return self._undefined(tag, vr, start, end, depth, encodings)
        if stop > end:
            raise self._beyond(stop)
        if (tag == CHARACTER_SET and vr != "CS") or (not tag & 0xFFFF and vr != "UL"):
            raise Unusual
        if tag in PIXELS:
            return (tag, vr, self._view(start, stop)), stop
        value = self._data[start:stop]
        if tag == CHARACTER_SET:
            value = character_set(value)
        return (tag, vr, value if tag & 0xFFFF else b""), stop

    def _undefined(
        self, tag: int, vr: str, start: int, end: int, depth: int, encodings: tuple[str, ...]
    ) -> tuple[Element, int]:
        """An element of undefined length: encapsulated pixels, or a sequence that somebody did not know.

        The items of such a sequence are implicit (PS3.5 6.2.2).
        """
        if tag in PIXELS and not depth:
            stop = self._fragments(start, end)
            return (tag, vr, self._view(start, stop - 8)), stop
        if vr != "UN":
            raise Unusual
        return self._sequence(tag, start, UNDEFINED, end, depth, encodings, implicit=True)

    def _view(self, start: int, stop: int) -> bytes:
        """A part of the file that is not copied; whoever reads pixels takes bytes and views alike."""
        return cast(bytes, memoryview(self._data)[start:stop])

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
        vr = self._data[at + 4 : at + 6].decode("latin-1")
        if self._heads.form(vr) != OTHER or vr == "SQ":
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
