"""Frames that repeat but for a few elements: what is the same is compared at once, what differs is read.

Belongs here: reading the functional groups of a frame by the example of another frame, as `imaging.headers.patterns`
reads a file by the example of another. What the elements of a frame are, is `imaging.headers.multiframe`, which reads
what no pattern fits.

Scanners write 50 to 150 elements a frame, nested up to four deep, of which some ten differ from frame to frame.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from imaging.headers.elements import Items
from imaging.headers.layout import MAX_DEPTH, UNDEFINED, Layout
from imaging.headers.multiframe import Groups, Path, is_group, private_sequences, rank
from imaging.headers.walk import Frame, Raw, heads_of

MOST = 8
"""Patterns kept: the parts and echoes of a few instances."""
PATIENCE = 16
"""More misses than hits by this number: the frames do not repeat, and examples are no longer taken."""

_ITEM, _ITEM_END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_PLAIN = Layout(False, True)


class _Irregular(Exception):
    """An example is written in a way that no pattern is made of."""


class _Leaf(NamedTuple):
    """Where an element of an example lies that is no sequence.

    Attributes:
        path: what leads to it.
        head: its tag and VR.
        value: the first byte of its value.
        end: the byte after it.
        wide: whether its length has four bytes.
        fixed: whether a sequence or item around it states a length, so that its own cannot change.
    """

    path: Path
    head: bytes
    value: int
    end: int
    wide: bool
    fixed: bool


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An example, cut at the elements that differ.

    Attributes:
        structure: what two examples of one pattern have in common.
        contents: the bytes of each element's value.
        differing: places of the elements that differ.
        pieces: before each differing element, the bytes that are equal, its own tag and VR included, and how many they
            are; bytes of its length, or 0 where that is among the equal bytes; its length then; the tag it is read as.
        tail: the bytes after the last of them.
        flat: the elements of the example, as `Groups.flat` gives them.
    """

    structure: tuple[tuple[Path, bytes, int], ...]
    contents: tuple[bytes, ...]
    differing: frozenset[int]
    pieces: tuple[tuple[bytes, int, int, int, int], ...]
    tail: bytes
    flat: Raw

    def match(self, data: bytes, position: int) -> tuple[Frame, int] | None:
        """The elements of the frame at `position`, and the place after it; None where it does not fit."""
        changed = {}
        for stretch, size, width, length, tag in self.pieces:
            if not data.startswith(stretch, position):
                return None
            start = position + size + width
            if width:
                length = int.from_bytes(data[start - width : start], "little")
            position = start + length
            if tag:
                changed[tag] = data[start:position]
        fits = data.startswith(self.tail, position)
        return ((self.flat, changed), position + len(self.tail)) if fits else None


class FramePatterns:
    """Reads per-frame functional groups, learning from those it has read; one for each process."""

    def __init__(self) -> None:
        """Make a reader that has seen nothing."""
        self._known: list[_Pattern] = []
        self._balance = PATIENCE

    def read(self, data: bytes, position: int, length: int, layout: Layout) -> tuple[list[Frame], int]:
        """The elements of each frame, together as `Groups.flat` gives them, and the place after the sequence.

        Args:
            data: the data set.
            position: where the sequence's value starts.
            length: of the value; `UNDEFINED` where a delimiter ends it.
            layout: how the sequence is written.

        Raises:
            ImagingError: as `imaging.headers.elements.read_elements`.
        """
        items = Items(data, position, length, layout, is_group)
        end = len(data) if length == UNDEFINED else position + length
        groups, plain = Groups(items.layout), items.layout == _PLAIN
        frames: list[Frame] = []
        while True:
            begin = items.position
            found = self._match(data, begin) if plain else None
            if found and found[1] <= end:
                frames.append(found[0])
                items.position = found[1]
                continue
            values = items.read()
            if values is None:
                return frames, items.position
            flat = groups.flat(values)
            frames.append((flat, {}))
            if plain and self._balance > 0:
                self._balance -= 1
                self._learn(data, begin, items.position, values, flat)

    def _match(self, data: bytes, position: int) -> tuple[Frame, int] | None:
        for place, pattern in enumerate(self._known):
            found = pattern.match(data, position)
            if found is not None:
                if place:
                    self._known.insert(0, self._known.pop(place))
                self._balance = min(self._balance + 1, PATIENCE)
                return found
        return None

    def _learn(self, data: bytes, begin: int, end: int, values: Raw, flat: Raw) -> None:
        leaves: list[_Leaf] = []
        try:
            after = _item(data, begin, (), False, 0, leaves)
        except _Irregular:
            return
        if after != end:
            return
        contents = tuple([data[value:end] for _, _, value, end, _, _ in leaves])
        structure = tuple(
            [(path, head, end - value if fixed else -1) for path, head, value, end, _, fixed in leaves]
        )  # fmt: skip
        differing: frozenset[int] = frozenset()
        for pattern in [pattern for pattern in self._known if pattern.structure == structure]:
            changed = {p for p, content in enumerate(pattern.contents) if content != contents[p]}
            if not any(_binds(leaves[p].path, flat) for p in changed):
                differing |= pattern.differing | changed
                self._known.remove(pattern)  # the new one fits whatever it fits
        tags = _tags([(place, leaves[place]) for place in sorted(differing)], leaves, private_sequences(values))
        if any(flat.get(tag) != contents[place] for place, tag in tags.items()):
            return
        pieces, last = [], begin
        for place in sorted(differing):
            leaf = leaves[place]
            width = 0 if leaf.fixed else 4 if leaf.wide else 2
            stretch = data[last : leaf.value - width]
            pieces.append((stretch, len(stretch), width, leaf.end - leaf.value, tags.get(place, 0)))
            last = leaf.end
        pattern = _Pattern(structure, contents, differing, tuple(pieces), data[last:end], flat)
        self._known = [pattern, *self._known][:MOST]


def _binds(path: Path, flat: Raw) -> bool:
    """Whether frames that differ in this element need patterns of their own.

    How a frame is read hangs on its creators, and a sequence that is kept as it is has no elements to read.
    """
    return len(path) == 1 or not flat.keys().isdisjoint(path[:-1])


def _tags(differing: Iterable[tuple[int, _Leaf]], leaves: list[_Leaf], sequences: list[int]) -> dict[int, int]:
    """The tag that each differing element is read as, by its place; what is not read, or overlaid, is left out."""
    wanted = {leaf.path[-1] for _, leaf in differing if rank(leaf.path, sequences) is not None}
    best: dict[int, tuple[int, int]] = {}
    for place, leaf in enumerate(leaves):
        if (tag := leaf.path[-1]) in wanted:
            order = rank(leaf.path, sequences)
            if order is not None and (tag not in best or order >= best[tag][0]):
                best[tag] = (order, place)
    return {place: tag for tag, (_, place) in best.items()}


def _item(data: bytes, position: int, path: Path, fixed: bool, depth: int, leaves: list[_Leaf]) -> int:
    """Add the elements of the item at `position`; the place after it.

    Raises:
        _Irregular: where it is not written plainly.
    """
    if data[position : position + 4] != _ITEM or depth > MAX_DEPTH:
        raise _Irregular
    heads = heads_of(is_group)
    length = int.from_bytes(data[position + 4 : position + 8], "little")
    position += 8
    end = len(data) if length == UNDEFINED else position + length
    fixed = fixed or length != UNDEFINED
    while position < end:
        head = data[position : position + 6]
        code = heads[head]
        if code < 0:
            break
        wide = code & 2
        start = position + (12 if wide else 8)
        size = int.from_bytes(data[position + 8 if wide else position + 6 : start], "little")
        tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
        if head[4:] == b"SQ":
            position = _sequence(data, start, size, (*path, tag), fixed, depth + 1, leaves)
        elif size == UNDEFINED:
            raise _Irregular
        else:
            leaves.append(_Leaf((*path, tag), head, start, start + size, bool(wide), fixed))
            position = start + size
    if length != UNDEFINED:
        if position != end:
            raise _Irregular
        return position
    if data[position : position + 4] != _ITEM_END:
        raise _Irregular
    return position + 8


def _sequence(data: bytes, position: int, length: int, path: Path, fixed: bool, depth: int, leaves: list[_Leaf]) -> int:
    """Add the elements of the items of a sequence whose value starts at `position`; the place after it."""
    end = len(data) if length == UNDEFINED else position + length
    number = 0
    while position < end and data[position : position + 4] != _SEQUENCE_END:
        position = _item(data, position, (*path, number), fixed or length != UNDEFINED, depth, leaves)
        number += 1
    if length != UNDEFINED and position != end:
        raise _Irregular
    return position if length != UNDEFINED else position + 8
