"""The raw elements of a DICOM file: where each wanted value lies, found in one pass over the bytes.

Belongs here: the byte layout of Part 10 files (file meta, explicit and implicit VR, both byte orders, deflate, nested
sequences). What a value means is `imaging.headers.values` and `imaging.headers.reading`; decoding pixels is
`imaging.volumes.pixels`.

One pass that keeps a few dozen raw values costs a fraction of building a pydicom dataset, and headers are parsed once
for every slice of a lake. The tests hold it to what pydicom reads.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

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
MAX_INFLATED = 1 << 31
"""Largest deflated data set that is unpacked, so that a small file cannot fill the memory."""

PER_FRAME = 0x52009230
"""Per-Frame Functional Groups, which whoever reads the file may have read item by item on the way."""
PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
"""Float Pixel Data, Double Float Pixel Data, Pixel Data."""

_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)
_KNOWN = 4096
"""Longest sequence that is remembered while walking through a data set, bytes."""
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


@dataclass(frozen=True, slots=True)
class Layout:
    """How a data set is written."""

    implicit: bool
    little: bool


@dataclass(frozen=True, slots=True)
class Elements:
    """Raw values of a data set.

    Attributes:
        values: tag (group << 16 | element) to raw bytes, wanted tags only; a sequence is the bytes of its items.
        layout: how the values are written.
        transfer_syntax: Transfer Syntax UID; empty for an item of a sequence.
        buffer: the bytes that `pixel_offset` counts in; the unpacked ones of a deflated file.
        pixel_tag: tag of the pixel data element; 0: the data set has none.
        pixel_offset: where its value starts in `buffer`.
        pixel_length: its length in bytes; `UNDEFINED` for encapsulated frames.
        frames: what a `PerFrame` made of the per-frame functional groups; None where none was asked for, or none met.
    """

    values: dict[int, bytes]
    layout: Layout
    transfer_syntax: str = ""
    buffer: bytes = b""
    pixel_tag: int = 0
    pixel_offset: int = 0
    pixel_length: int = 0
    frames: list[dict[int, bytes]] | None = None


Wanted = Callable[[int], bool]
PerFrame = Callable[[bytes, int, int, Layout], tuple[list[dict[int, bytes]], int]]
"""From a data set, the place and length of its per-frame functional groups, and their layout, to the elements of each
frame and the place after them; so that the longest part of an enhanced instance is walked through once."""


def read_elements(data: bytes, wanted: Wanted, per_frame: PerFrame | None = None) -> Elements:
    """The wanted top-level elements of a Part 10 file, up to its pixel data.

    Args:
        data: the whole file.
        wanted: whether a tag (group << 16 | element) is to be kept.
        per_frame: reads the per-frame functional groups; None: they are stepped over.

    Raises:
        ImagingError: UNREADABLE where the bytes are no Part 10 file, TRUNCATED where they end too early,
            HEADER_INVALID where lengths or nesting contradict each other.

    Source: DICOM PS3.10 section 7.1 (file meta), PS3.5 sections 7.1 and 7.5 (elements, sequences), A.5 (deflate).
    """
    if data[PREAMBLE - 4 : PREAMBLE] != b"DICM":
        raise ImagingError(Reason.UNREADABLE, "found no DICM prefix after 128 bytes, needed a DICOM Part 10 file")
    syntax, start = _file_meta(data)
    buffer = data
    if syntax == DEFLATED_LITTLE:
        buffer, start = _inflate(data[start:]), 0
    little = syntax != EXPLICIT_BIG
    layout = Layout(syntax == IMPLICIT_LITTLE or _looks_implicit(buffer, start), little)
    values: dict[int, bytes] = {}
    walk = _Walk(buffer, layout, wanted, per_frame=per_frame)
    end, tag, length = walk.collect(start, len(buffer), values, 0)
    return Elements(values, layout, syntax, buffer, tag, end, length, walk.frames)


def read_items(value: bytes, layout: Layout, wanted: Wanted) -> list[Elements]:
    """The wanted elements of each item of a sequence.

    Args:
        value: the sequence's raw bytes, as `Elements.values` holds them.
        layout: layout of the data set it comes from.
        wanted: whether a tag is to be kept.

    Raises:
        ImagingError: as `read_elements`.
    """
    items = Items(value, 0, len(value), layout, wanted)
    return [Elements(values, items.layout) for values in iter(items.read, None)]


class Items:
    """The items of a sequence, one after the other.

    Attributes:
        position: where the next item starts; after the last, the place after the sequence.
        layout: how the items are written: implicit where somebody on the way did not know the private element.
    """

    def __init__(self, data: bytes, position: int, length: int, layout: Layout, wanted: Wanted) -> None:
        """Stand before the first item.

        Args:
            data: the bytes that hold the sequence.
            position: where its value starts.
            length: of its value; `UNDEFINED` where a delimiter ends it.
            layout: layout of the data set it belongs to.
            wanted: whether a tag is to be kept.

        Raises:
            ImagingError: TRUNCATED where the sequence is longer than what is there.
        """
        self._data, self._bounded = data, length != UNDEFINED
        self._end = position + length if self._bounded else len(data)
        if self._end > len(data):
            raise _truncated()
        self.position = position
        implicit = position + 14 <= self._end and _looks_implicit(data, position + 8)
        self.layout = Layout(True, True) if implicit else layout
        self._walk = _Walk(data, self.layout, wanted)
        self._head = struct.Struct(("<" if layout.little else ">") + "HHI").unpack_from

    def read(self) -> dict[int, bytes] | None:
        """The wanted elements of the next item; None after the last.

        Raises:
            ImagingError: as `read_elements`.
        """
        if self.position + 8 > self._end:
            if not self._bounded:
                raise _truncated()
            self.position = self._end
            return None
        group, element, length = self._head(self._data, self.position)
        tag, start = group << 16 | element, self.position + 8
        if tag == _SEQUENCE_END:
            self.position = start
            return None
        if tag != _ITEM:
            raise _malformed("found no item tag in a sequence, needed one")
        end = self._end if length == UNDEFINED else start + length
        if end > self._end:
            raise _truncated()
        values: dict[int, bytes] = {}
        self.position, _, _ = self._walk.collect(start, end, values, 1)
        return values


def _file_meta(data: bytes) -> tuple[str, int]:
    position = PREAMBLE
    syntax = b""
    while position + 8 <= len(data) and data[position : position + 2] == b"\x02\x00":
        element, vr, length = struct.unpack_from("<H2sH", data, position + 2)
        start = position + 8
        if vr in _LONG:
            length = _long_length(data, position + 8, "<")
            start = position + 12
        if element == 0x0010:
            syntax = data[start : start + length]
        position = start + length
    if position > len(data):
        raise _truncated()
    if not syntax:
        raise ImagingError(Reason.UNREADABLE, "found no Transfer Syntax UID (0002,0010), needed it to read the file")
    return syntax.decode("ascii", "replace").strip("\0 "), position


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = inflater.decompress(packed, MAX_INFLATED)
    except zlib.error:
        raise ImagingError(Reason.UNREADABLE, "found a data set that does not inflate, needed a valid one") from None
    if inflater.unconsumed_tail:
        raise ImagingError(Reason.UNSUPPORTED, f"found a deflated data set over {MAX_INFLATED} bytes, needed less")
    if not inflater.eof:
        raise _truncated()
    return unpacked


def _looks_implicit(data: bytes, start: int) -> bool:
    """Whether the first element has no VR: some writers declare an explicit syntax and write implicit VR."""
    vr = data[start + 4 : start + 6]
    return len(vr) == 2 and vr not in _LONG and vr not in _SHORT


class _Heads(dict[bytes, int]):
    """What to do with an element, by its first six bytes in explicit VR little endian: tag and VR.

    The value is the tag << 2, plus 1 if it is wanted, plus 2 if its length has four bytes; -1 where only `_Walk` knows.
    A lake has a few thousand of them, so that each is worked out once a process.
    """

    _MOST = 1 << 16

    def __init__(self, wanted: Wanted) -> None:
        """Start with none."""
        super().__init__()
        self._wanted = wanted

    def __missing__(self, head: bytes) -> int:
        """Work out a head that was not seen before."""
        group, element, vr = struct.unpack("<HH2s", head) if len(head) == 6 else (0, 0, b"")
        tag, code = group << 16 | element, -1
        if tag not in PIXEL_TAGS and tag != PER_FRAME and group != 0xFFFE and (vr in _SHORT or vr in _LONG):
            code = tag << 2 | (vr in _LONG) << 1 | self._wanted(tag)
        if len(self) >= self._MOST:
            self.clear()
        self[head] = code
        return code


@cache
def heads_of(wanted: Wanted) -> Mapping[bytes, int]:
    """What to do with an element, by its first six bytes in explicit VR little endian: see `_Heads`."""
    return _Heads(wanted)


def skip_sequence(data: bytes, position: int, vr: bytes) -> int:
    """The place after a sequence of undefined length at the top of an explicit little endian data set.

    Args:
        data: the file.
        position: where its first item starts.
        vr: its VR; one of VR UN is written implicitly.

    Raises:
        ImagingError: as `read_elements`.
    """
    return _Walk(data, Layout(False, True), _nothing).skip(position, len(data), vr == b"UN", 1)


def _quickly(walk: "_Walk", data: bytes, position: int, end: int, values: dict[int, bytes], depth: int) -> int:
    """Put wanted elements into `values` up to the first that needs a closer look; where that one stands.

    Explicit VR little endian, which nearly all scanners write. Twice as fast as the rest of `_Walk.collect`, which goes
    on from there.
    """
    heads = heads_of(walk.wanted)
    while position + 8 <= end:
        code = heads[data[position : position + 6]]
        if code < 0:
            break
        if code & 2:
            start = position + 12
            length = int.from_bytes(data[position + 8 : start], "little")
        else:
            start = position + 8
            length = data[position + 6] | data[position + 7] << 8
        if length == UNDEFINED:
            position = walk.skip_known(data[position : position + 6], start, end, depth)
        elif start + length > end:
            break
        else:
            position = start + length
        if code & 1:
            values[code >> 2] = data[start:position]
    return position


class _Walk:
    """A pass over the elements of one data set."""

    __slots__ = ("_bare", "_data", "_explicit", "_layout", "_order", "_per_frame", "_skipped", "frames", "wanted")

    def __init__(
        self,
        data: bytes,
        layout: Layout,
        wanted: Wanted,
        skipped: dict[bytes, bytes] | None = None,
        per_frame: PerFrame | None = None,
    ) -> None:
        self._data, self._layout, self.wanted = data, layout, wanted
        self._skipped = {} if skipped is None else skipped
        self._per_frame = per_frame
        self.frames: list[dict[int, bytes]] | None = None
        self._order = "<" if layout.little else ">"
        self._explicit = struct.Struct(self._order + "HH2sH").unpack_from
        self._bare = struct.Struct(self._order + "HHI").unpack_from

    def collect(self, position: int, end: int, values: dict[int, bytes], depth: int) -> tuple[int, int, int]:
        """Put wanted elements from `position` on into `values`.

        Returns:
            (position, tag, length): of the pixel data's value; or the place after the last element, 0, 0.
        """
        if depth > MAX_DEPTH:
            raise _malformed(f"found sequences nested deeper than {MAX_DEPTH}, needed fewer")
        data, wanted = self._data, self.wanted
        if not self._layout.implicit and self._layout.little:
            position = _quickly(self, data, position, end, values, depth)
        head = self._implicit_head if self._layout.implicit else self._explicit_head
        while position + 8 <= end:
            tag, start, length, unknown = head(position)
            if tag in PIXEL_TAGS and not depth:
                return start, tag, length
            if tag == _ITEM_END:
                return start, 0, 0
            if tag == PER_FRAME and self._per_frame and not depth:
                self.frames, position = self._per_frame(
                    data, start, length, self._inner(unknown and length == UNDEFINED)
                )
            else:
                position = self._after(start, length, end, unknown, depth)
            if wanted(tag):
                values[tag] = data[start:position]
        if position < end and not depth:
            raise _truncated()
        return position, 0, 0

    def _after(self, start: int, length: int, end: int, unknown: bool, depth: int) -> int:
        """The place after a value."""
        if length == UNDEFINED:
            return self.skip(start, end, unknown, depth + 1)
        if start + length > end:
            raise _truncated()
        return start + length

    def _inner(self, unknown: bool) -> Layout:
        """Layout of a sequence of undefined length; of unknown VR it is implicit (PS3.5 section 6.2.2)."""
        return Layout(True, True) if unknown else self._layout

    def _implicit_head(self, position: int) -> tuple[int, int, int, bool]:
        """(tag, start of the value, length, False)."""
        group, element, length = self._bare(self._data, position)
        return group << 16 | element, position + 8, length, False

    def _explicit_head(self, position: int) -> tuple[int, int, int, bool]:
        """(tag, start of the value, length, whether the VR is UN)."""
        group, element, vr, length = self._explicit(self._data, position)
        start = position + 8
        if vr in _LONG:
            length = _long_length(self._data, start, self._order)
            start += 4
        elif vr not in _SHORT:
            length = self._bare(self._data, position)[2]  # delimiters, and elements some writers leave bare
        return group << 16 | element, start, length, vr == b"UN"

    def skip_known(self, head: bytes, start: int, end: int, depth: int) -> int:
        """The place after a sequence of undefined length; one that repeats, as in frame after frame, is compared."""
        known = self._skipped.get(head)
        if known and start + len(known) <= end and self._data.startswith(known, start):
            return start + len(known)
        after = self.skip(start, end, head[4:] == b"UN", depth + 1)
        if after - start <= _KNOWN:
            self._skipped[head] = self._data[start:after]
        return after

    def skip(self, position: int, end: int, unknown: bool, depth: int) -> int:
        """The place after a sequence of undefined length."""
        inner = _Walk(self._data, self._inner(unknown), _nothing, self._skipped)
        while position + 8 <= end:
            group, element, length = inner._bare(self._data, position)
            tag = group << 16 | element
            position += 8
            if tag == _SEQUENCE_END:
                return position
            if tag != _ITEM:
                raise _malformed("found no item tag in a sequence of undefined length, needed one")
            position = inner.collect(position, end, {}, depth)[0] if length == UNDEFINED else position + length
        raise _truncated()


def _nothing(_: int) -> bool:
    return False


def _long_length(data: bytes, position: int, order: str) -> int:
    if position + 4 > len(data):
        raise _truncated()
    length: int = struct.unpack_from(order + "I", data, position)[0]
    return length


def _truncated() -> ImagingError:
    return ImagingError(Reason.TRUNCATED, "found the end of the file inside an element, needed the whole element")


def _malformed(message: str) -> ImagingError:
    return ImagingError(Reason.HEADER_INVALID, message)
