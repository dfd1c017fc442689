"""Files that repeat but for a few elements: what is the same is compared at once, what differs is read.

Belongs here: reading a file by the example of another one of its series. What an element is, is
`imaging.headers.elements`; the result is what `imaging.headers.elements.read_elements` gives, which reads what no
pattern fits.

Of the 100 to 300 elements of a slice about 20 differ from those of the slice before. Comparing the stretches between
them costs a fraction of walking through them.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import NamedTuple

from imaging.headers.elements import Elements, read_elements
from imaging.headers.frame_patterns import FramePatterns
from imaging.headers.layout import (
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    IMPLICIT_LITTLE,
    PIXEL_DATA,
    PREAMBLE,
    UNDEFINED,
    Layout,
)
from imaging.headers.walk import Skipped, Wanted, heads_of, skip_sequence

MOST = 16
"""Patterns kept: the echoes, parts and weightings of a few series."""
LARGE = 4096
"""Elements that nobody wants and that are longer are stepped over, which is faster than comparing them."""
PATIENCE = 32
"""More misses than hits by this number: the files do not repeat, and examples are no longer taken."""

_OTHER_LAYOUTS = frozenset({IMPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED_LITTLE})
_TRANSFER_SYNTAX = b"\x02\x00\x10\x00UI"


class _Element(NamedTuple):
    """Where an element of an example lies: its first byte, and that after it."""

    head: bytes
    code: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An example, cut at the elements that differ.

    Attributes:
        heads: tag and VR of each element, by which patterns are told apart.
        contents: bytes of each element.
        differing: places of the elements that differ, or are stepped over.
        pieces: before each differing element, the bytes that are equal, its own tag and VR included, and how many
            they are; and its code (see `imaging.headers.walk.heads_of`).
        tail: the bytes between the last of them and the length of the pixel data.
        values: the wanted values of the example, in the order of the file.
        syntax: Transfer Syntax UID.
    """

    heads: tuple[bytes, ...]
    contents: tuple[bytes, ...]
    differing: frozenset[int]
    pieces: tuple[tuple[bytes, int, int], ...]
    tail: bytes
    values: dict[int, bytes]
    syntax: str

    def match(self, data: bytes) -> Elements | None:
        """The elements of a file that fits; None where it does not."""
        position, end = PREAMBLE, len(data)
        values = self.values.copy()
        for stretch, size, code in self.pieces:
            if not data.startswith(stretch, position):
                return None
            position += size
            if code & 2:
                start = position + 6
                length = int.from_bytes(data[position + 2 : start], "little")
            else:
                start = position + 2
                length = int.from_bytes(data[position:start], "little")
            position = skip_sequence(data, start, stretch[-2:]) if length == UNDEFINED else start + length
            if code & 1:
                values[code >> 2] = data[start:position]
        if not data.startswith(self.tail, position):
            return None
        start = position + len(self.tail) + 4
        if start > end:
            return None
        length = int.from_bytes(data[start - 4 : start], "little")
        return Elements(values, Layout(False, True), self.syntax, data, PIXEL_DATA, start, length)


class Patterns:
    """Reads the elements of files, learning from those it has read; one for each process."""

    def __init__(self, wanted: Wanted, own: Container[int]) -> None:
        """Make a reader that has seen nothing.

        Args:
            wanted: whether a tag (group << 16 | element) is to be kept; one function, whose answers are remembered.
            own: wanted tags that are expected to differ between the slices of a series.
        """
        self._wanted, self._own = wanted, own
        self._frames, self._skipped = FramePatterns(), Skipped()
        self._known: list[_Pattern] = []
        self._balance = PATIENCE

    def read(self, data: bytes) -> Elements:
        """The wanted elements of a file, as `imaging.headers.elements.read_elements` gives them.

        Raises:
            ImagingError: as `imaging.headers.elements.read_elements`.
        """
        for place, pattern in enumerate(self._known):
            found = pattern.match(data)
            if found is not None:
                if place:
                    self._known.insert(0, self._known.pop(place))
                self._balance = min(self._balance + 1, PATIENCE)
                return found
        elements = read_elements(data, self._wanted, self._frames.read, self._skipped)
        if self._balance > 0 and elements.transfer_syntax not in _OTHER_LAYOUTS and not elements.layout.implicit:
            self._balance -= 1
            self._learn(data, elements)
        return elements

    def _learn(self, data: bytes, elements: Elements) -> None:
        end = elements.pixel_offset - 12
        large = any(len(value) > LARGE and tag not in self._own for tag, value in elements.values.items())
        if elements.pixel_tag != PIXEL_DATA or large:
            return  # a few enhanced instances make a series: little to gain, and much to compare
        laid = self._laid_out(data, end)
        if laid is None:
            return
        heads = tuple([element.head for element in laid])
        contents = tuple([data[begin:end] for _, _, begin, end in laid])
        differing = {p for p, element in enumerate(laid) if len(contents[p]) > LARGE and not element.code & 1}
        for pattern in [pattern for pattern in self._known if pattern.heads == heads]:
            changed = [p for p, content in enumerate(pattern.contents) if content != contents[p]]
            shared = {p for p in changed if laid[p].code & 1 and laid[p].code >> 2 not in self._own}
            differing |= pattern.differing | (set(changed) - shared)
            if not shared:
                self._known.remove(pattern)  # the new one fits whatever it fits
        differing -= {p for p, head in enumerate(heads) if head == _TRANSFER_SYNTAX}
        pieces, last = [], PREAMBLE
        for element in (laid[p] for p in sorted(differing)):
            stretch = data[last : element.begin + 6]
            pieces.append((stretch, len(stretch), element.code))
            last = element.end
        pattern = _Pattern(
            heads, contents, frozenset(differing), tuple(pieces), data[last : end + 8], elements.values.copy(),
            elements.transfer_syntax,
        )  # fmt: skip
        self._known = [pattern, *self._known][:MOST]

    def _laid_out(self, data: bytes, end: int) -> list[_Element] | None:
        """Every element up to the pixel data; None where one needs a closer look."""
        heads, position, laid = heads_of(self._wanted), PREAMBLE, []
        while position < end:
            head = data[position : position + 6]
            code = heads[head]
            if code < 0:
                return None
            start = position + (12 if code & 2 else 8)
            length = int.from_bytes(data[position + (8 if code & 2 else 6) : start], "little")
            after = skip_sequence(data, start, head[4:]) if length == UNDEFINED else start + length
            laid.append(_Element(head, code, position, after))
            position = after
        return laid if position == end else None
