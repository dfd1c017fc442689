"""One pass over the elements of a data set, which keeps those that are wanted and steps over all others.

Belongs here: stepping from element to element, and over sequences of undefined length. What a file begins with, and
the items of a sequence, are `imaging.headers.elements`.
"""

import struct
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from imaging.headers.layout import (
    ITEM,
    ITEM_END,
    LONG,
    MAX_DEPTH,
    PER_FRAME,
    PIXEL_TAGS,
    SEQUENCE_END,
    SHORT,
    UNDEFINED,
    Layout,
    malformed,
    truncated,
)

Wanted = Callable[[int], bool]
Raw = dict[int, bytes]
Frame = tuple[Raw, Raw]
"""Elements of a frame: those of its example, one object for all that follow it, and those that differ from them."""
PerFrame = Callable[[bytes, int, int, Layout], tuple[list[Frame], int]]
"""From a data set, the place and length of its per-frame functional groups, and their layout, to the elements of each
frame and the place after them; so that the longest part of an enhanced instance is walked through once."""


class _Heads(dict[bytes, int]):
    """What to do with an element, by its first six bytes in explicit VR little endian: tag and VR.

    The value is the tag << 2, plus 1 if it is wanted, plus 2 if its length has four bytes; -1 where only `Walk` knows.
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
        if tag not in PIXEL_TAGS and tag != PER_FRAME and group != 0xFFFE and (vr in SHORT or vr in LONG):
            code = tag << 2 | (vr in LONG) << 1 | self._wanted(tag)
        if len(self) >= self._MOST:
            self.clear()
        self[head] = code
        return code


@cache
def heads_of(wanted: Wanted) -> Mapping[bytes, int]:
    """What to do with an element, by its first six bytes in explicit VR little endian: see `_Heads`."""
    return _Heads(wanted)


class Skipped:
    """Sequences of undefined length that were walked through: one that repeats is compared, not walked through again.

    They repeat from frame to frame and, since they hold what a series has in common, from file to file.
    """

    LONGEST: Final = 1 << 17
    """Longest sequence that is remembered, bytes: what the frames of an instance share has up to a hundred thousand."""
    MOST: Final = 128

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[bytes, bytes] = {}

    def find(self, head: bytes, data: bytes, start: int, end: int) -> bytes | None:
        """The value at `start`, if it is that which the last element of this tag and VR had."""
        known = self._known.get(head)
        return known if known and start + len(known) <= end and data.startswith(known, start) else None

    def remember(self, head: bytes, value: bytes) -> None:
        """Note the value of an element."""
        if len(value) <= self.LONGEST:
            if len(self._known) >= self.MOST:
                self._known.clear()
            self._known[head] = value


def skip_sequence(data: bytes, position: int, vr: bytes) -> int:
    """The place after a sequence of undefined length at the top of an explicit little endian data set.

    Args:
        data: the file.
        position: where its first item starts.
        vr: its VR; one of VR UN is written implicitly.

    Raises:
        ImagingError: as `imaging.headers.elements.read_elements`.
    """
    return Walk(data, Layout(False, True), _nothing).skip(position, len(data), vr == b"UN", 1)


class Walk:
    """A pass over the elements of one data set."""

    __slots__ = ("_bare", "_data", "_explicit", "_layout", "_order", "_per_frame", "_skipped", "_wanted", "frames")

    def __init__(
        self,
        data: bytes,
        layout: Layout,
        wanted: Wanted,
        skipped: Skipped | None = None,
        per_frame: PerFrame | None = None,
    ) -> None:
        """Stand before the data set.

        Args:
            data: the bytes that hold it.
            layout: how it is written.
            wanted: whether a tag (group << 16 | element) is to be kept.
            skipped: sequences that are known already; None: none is.
            per_frame: reads the per-frame functional groups into `frames`; None: they are stepped over.
        """
        self._data, self._layout, self._wanted = data, layout, wanted
        self._skipped = Skipped() if skipped is None else skipped
        self._per_frame = per_frame
        self.frames: list[Frame] | None = None
        self._order = "<" if layout.little else ">"
        self._explicit = struct.Struct(self._order + "HH2sH").unpack_from
        self._bare = struct.Struct(self._order + "HHI").unpack_from

    def collect(self, position: int, end: int, values: Raw, depth: int) -> tuple[int, int, int]:
        """Put wanted elements from `position` on into `values`.

        Returns:
            (position, tag, length): of the pixel data's value; or the place after the last element, 0, 0.

        Raises:
            ImagingError: as `imaging.headers.elements.read_elements`.
        """
        if depth > MAX_DEPTH:
            raise malformed(f"found sequences nested deeper than {MAX_DEPTH}, needed fewer")
        data, wanted = self._data, self._wanted
        if not self._layout.implicit and self._layout.little:
            position = self._quickly(position, end, values, depth)
        head = self._implicit_head if self._layout.implicit else self._explicit_head
        while position + 8 <= end:
            tag, start, length, unknown = head(position)
            if tag in PIXEL_TAGS and not depth:
                return start, tag, length
            if tag == ITEM_END:
                return start, 0, 0
            if tag == PER_FRAME and self._per_frame and not depth:
                inner = self._inner(unknown and length == UNDEFINED)
                self.frames, position = self._per_frame(data, start, length, inner)
            else:
                position = self._after(start, length, end, unknown, depth)
            if wanted(tag):
                values[tag] = data[start:position]
        if position < end and not depth:
            raise truncated()
        return position, 0, 0

    def skip(self, position: int, end: int, unknown: bool, depth: int) -> int:
        """The place after a sequence of undefined length.

        Raises:
            ImagingError: as `imaging.headers.elements.read_elements`.
        """
        inner = Walk(self._data, self._inner(unknown), _nothing, self._skipped)
        while position + 8 <= end:
            group, element, length = inner._bare(self._data, position)
            tag = group << 16 | element
            position += 8
            if tag == SEQUENCE_END:
                return position
            if tag != ITEM:
                raise malformed("found no item tag in a sequence of undefined length, needed one")
            position = inner.collect(position, end, {}, depth)[0] if length == UNDEFINED else position + length
        raise truncated()

    def _quickly(self, position: int, end: int, values: Raw, depth: int) -> int:
        """Put wanted elements into `values` up to the first that needs a closer look; where that one stands.

        Explicit VR little endian, which nearly all scanners write. Twice as fast as the rest of `collect`, which goes
        on from there.
        """
        heads, data = heads_of(self._wanted), self._data
        while position + 8 <= end:
            head = data[position : position + 6]
            code = heads[head]
            if code < 0:
                break
            if code & 2:
                start = position + 12
                length = int.from_bytes(data[position + 8 : start], "little")
            else:
                start = position + 8
                length = data[position + 6] | data[position + 7] << 8
            if length == UNDEFINED:
                value = self._repeated(head, start, end, depth)
                position = start + len(value)
                if code & 1:
                    values[code >> 2] = value
                continue
            if start + length > end:
                break
            position = start + length
            if code & 1:
                values[code >> 2] = data[start:position]
        return position

    def _repeated(self, head: bytes, start: int, end: int, depth: int) -> bytes:
        """The value of a sequence of undefined length, its delimiter included."""
        value = self._skipped.find(head, self._data, start, end)
        if value is None:
            value = self._data[start : self.skip(start, end, head[4:] == b"UN", depth + 1)]
            self._skipped.remember(head, value)
        return value

    def _after(self, start: int, length: int, end: int, unknown: bool, depth: int) -> int:
        """The place after a value."""
        if length == UNDEFINED:
            return self.skip(start, end, unknown, depth + 1)
        if start + length > end:
            raise truncated()
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
        if vr in LONG:
            length = long_length(self._data, start, self._order)
            start += 4
        elif vr not in SHORT:
            length = self._bare(self._data, position)[2]  # delimiters, and elements some writers leave bare
        return group << 16 | element, start, length, vr == b"UN"


def long_length(data: bytes, position: int, order: str) -> int:
    """A length of four bytes.

    Raises:
        ImagingError: TRUNCATED where the bytes end before it.
    """
    if position + 4 > len(data):
        raise truncated()
    length: int = struct.unpack_from(order + "I", data, position)[0]
    return length


def _nothing(_: int) -> bool:
    return False
