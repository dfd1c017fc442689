"""The raw elements of a DICOM file: where each wanted value lies, found in one pass over the bytes.

Belongs here: Part 10 files (file meta, deflate) and the items of sequences. Stepping from element to element is
`imaging.headers.walk`, the constants of the layout `imaging.headers.layout`; what a value means is
`imaging.headers.values` and `imaging.headers.reading`; decoding pixels is `imaging.volumes.pixels`.

One pass that keeps a few dozen raw values costs a fraction of building a pydicom dataset, and headers are parsed once
for every slice of a lake. The tests hold it to what pydicom reads.
"""

import struct
import zlib
from dataclasses import dataclass

from imaging.errors import ImagingError
from imaging.headers.layout import (
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    IMPLICIT_LITTLE,
    ITEM,
    LONG,
    PREAMBLE,
    SEQUENCE_END,
    UNDEFINED,
    Layout,
    looks_implicit,
    malformed,
    truncated,
)
from imaging.headers.walk import Frame, PerFrame, Raw, Skipped, Walk, Wanted, long_length
from schemas.reasons import Reason

MAX_INFLATED = 1 << 30
"""Largest deflated data set that is unpacked, so that a small file cannot fill the memory."""


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

    values: Raw
    layout: Layout
    transfer_syntax: str = ""
    buffer: bytes = b""
    pixel_tag: int = 0
    pixel_offset: int = 0
    pixel_length: int = 0
    frames: list[Frame] | None = None


def read_elements(
    data: bytes, wanted: Wanted, per_frame: PerFrame | None = None, skipped: Skipped | None = None
) -> Elements:
    """The wanted top-level elements of a Part 10 file, up to its pixel data.

    Args:
        data: the whole file.
        wanted: whether a tag (group << 16 | element) is to be kept.
        per_frame: reads the per-frame functional groups; None: they are stepped over.
        skipped: sequences that are known from other files; None: nothing is.

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
    layout = Layout(syntax == IMPLICIT_LITTLE or looks_implicit(buffer, start), little)
    values: dict[int, bytes] = {}
    walk = Walk(buffer, layout, wanted, skipped, per_frame)
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
            raise truncated()
        self.position = position
        implicit = position + 14 <= self._end and looks_implicit(data, position + 8)
        self.layout = Layout(True, True) if implicit else layout
        self._walk = Walk(data, self.layout, wanted)
        self._head = struct.Struct(("<" if layout.little else ">") + "HHI").unpack_from

    def read(self) -> dict[int, bytes] | None:
        """The wanted elements of the next item; None after the last.

        Raises:
            ImagingError: as `read_elements`.
        """
        if self.position + 8 > self._end:
            if not self._bounded:
                raise truncated()
            self.position = self._end
            return None
        group, element, length = self._head(self._data, self.position)
        tag, start = group << 16 | element, self.position + 8
        if tag == SEQUENCE_END:
            self.position = start
            return None
        if tag != ITEM:
            raise malformed("found no item tag in a sequence, needed one")
        end = self._end if length == UNDEFINED else start + length
        if end > self._end:
            raise truncated()
        values: dict[int, bytes] = {}
        self.position, _, _ = self._walk.collect(start, end, values, 1)
        return values


def _file_meta(data: bytes) -> tuple[str, int]:
    position = PREAMBLE
    syntax = b""
    while position + 8 <= len(data) and data[position : position + 2] == b"\x02\x00":
        element, vr, length = struct.unpack_from("<H2sH", data, position + 2)
        start = position + 8
        if vr in LONG:
            length = long_length(data, position + 8, "<")
            start = position + 12
        if element == 0x0010:
            syntax = data[start : start + length]
        position = start + length
    if position > len(data):
        raise truncated()
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
        raise truncated()
    return unpacked
