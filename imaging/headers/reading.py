"""From the elements of a DICOM file to its header.

Belongs here: which elements are read, the headers of frames, and what the instances of a series share. What a header
is, is `imaging.headers.header`; what each element becomes, `imaging.headers.flat`; elements as bytes are
`imaging.headers.elements`; many headers at once are `imaging.headers.headers`.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Any

from imaging.headers import statements
from imaging.headers.diffusion import (
    CANON_START,
    DIFFUSION_PRIVATE,
    DIFFUSION_TAGS,
    IMAGE_COMMENTS,
    weighted_by_blob,
)
from imaging.headers.elements import Elements, read_elements
from imaging.headers.flat import NUMBERED, OWN, PLACED, flat_header, numbered, pixel_place, placed
from imaging.headers.frame_patterns import FramePatterns
from imaging.headers.header import Header
from imaging.headers.layout import PER_FRAME, Layout
from imaging.headers.mosaic import MOSAIC_PRIVATE, stated_tiles, tiling
from imaging.headers.multiframe import ENHANCED_TAGS, frame_values
from imaging.headers.philips import PHILIPS_PRIVATE, SOFTWARE
from imaging.headers.pixel_facts import MAPPING
from imaging.headers.scanned import SCANNED_PRIVATE, SCANNED_TAGS
from imaging.headers.values import CHARACTER_SET
from imaging.headers.walk import Frame, Raw
from imaging.volumes.pepolar import PEPOLAR_PRIVATE

_STANDARD = frozenset(
    {0x0020000D, 0x0020000E, 0x00080018, 0x00080016, 0x00080060, 0x00080070, 0x00081090, 0x00180087, 0x00080008}
    | {0x00089208, 0x0008103E, 0x00181030, 0x00180024, 0x00180020, 0x00180021, 0x00180022, 0x00180023, 0x00180025}
    | {0x00180010, 0x00180015, 0x00180080, 0x00180081, 0x00180082, 0x00181314, 0x00180091, 0x00180086, 0x00200011}
    | {0x00200012, 0x00200013, 0x00200100, 0x00200105, 0x00080032, 0x00080033, 0x00181060, 0x00200032, 0x00200037}
    | {0x00280030, 0x00180050, 0x00180088, 0x00280010, 0x00280011, 0x00280008, 0x00280100, 0x00280101, 0x00280102}
    | {
        0x00280103,
        0x00280002,
        0x00280004,
        0x00281052,
        0x00281053,
        0x00100040,
        0x00101010,
        CHARACTER_SET,
        MAPPING,
        SOFTWARE,
    }
    | DIFFUSION_TAGS
    | ENHANCED_TAGS
    | SCANNED_TAGS
    | statements.TAGS
)
_DIALECTS = (DIFFUSION_PRIVATE, MOSAIC_PRIVATE, PEPOLAR_PRIVATE, PHILIPS_PRIVATE, SCANNED_PRIVATE)
_PRIVATE: dict[int, frozenset[int]] = {
    group: frozenset().union(*(dialect.get(group, ()) for dialect in _DIALECTS)) | extra
    for group, extra in {
        0x0019: frozenset({0x9E}),
        0x0021: frozenset[int](),
        0x0025: frozenset[int](),
        0x0029: frozenset[int](),
        0x0043: frozenset({0x2F}),
        0x0051: frozenset[int](),
        0x2001: frozenset[int](),
        0x2005: frozenset({0x0E}),
        0x0065: frozenset[int](),
    }.items()
}
"""Low bytes of the private elements that are read, by group; the block is found by its creator."""


def wanted(tag: int) -> bool:
    """Whether `read_header` reads this element; private creators of the groups it looks into count as read."""
    if tag in _STANDARD:
        return True
    low = _PRIVATE.get(tag >> 16)
    return low is not None and (tag & 0xFFFF <= 0xFF or tag & 0xFF in low)


def read_header(data: bytes) -> Header:
    """The header of a DICOM file.

    Args:
        data: the whole file; pixel data may be missing from a copy that holds the header alone.

    Raises:
        ImagingError: UNREADABLE or TRUNCATED where the bytes are no whole DICOM file; HEADER_INVALID where an element
            that is read cannot be decoded or is not finite. The message names the element and quotes no value.
    """
    return header_of(read_elements(data, wanted, FramePatterns().read))


class Frames:
    """What frames have been read before, each repeated thing once; one for each process."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.headers: dict[Hashable, dict[str, Any]] = {}
        self.groups: dict[tuple[Layout, bytes], dict[int, bytes]] = {}


def header_of(elements: Elements, frames: Frames | None = None) -> Header:
    """The header that these elements make, with those of its frames.

    Args:
        elements: what was read of the file.
        frames: what is known of frames of other instances; None: nothing.

    Raises:
        ImagingError: HEADER_INVALID as `read_header`.
    """
    header = flat_header(elements)
    if header.mosaic > 0 and header.vendor == "uih":
        tiles = _tiles(elements, header)
        return replace(header, planes=tiles) if tiles else replace(header, mosaic=-1)
    seen = frames or Frames()
    if values := frame_values(elements, header.frames, seen.groups):
        return replace(header, planes=_planes(elements, values, seen.headers), mosaic=0)  # XA leaves the word
    return header


def _planes(elements: Elements, frames: list[Frame], known: dict[Hashable, dict[str, Any]]) -> tuple[Header, ...]:
    """Headers of frames; what frames share is read once."""
    if len(known) >= _MOST:
        known.clear()
    examples = {id(example): example for example, _ in frames}
    alike = {name: _Alike(elements, example, known) for name, example in examples.items()}
    return tuple([alike[id(example)].header(changed) for example, changed in frames])


class _Alike:
    """Headers of frames that follow one example."""

    def __init__(self, elements: Elements, example: Raw, known: dict[Hashable, dict[str, Any]]) -> None:
        """Start with none.

        Args:
            elements: the instance.
            example: elements of the example.
            known: fields of headers of other frames, by what is shared.
        """
        self._elements, self._example, self._known = elements, example, known
        self._place = pixel_place(elements)
        self._lies = {tag: example[tag] for tag in PLACED if tag in example}
        self._fields: dict[Hashable, dict[str, Any]] = {}
        self._numbers: dict[Hashable, dict[str, Any]] = {}

    def header(self, changed: Raw) -> Header:
        """The header of the frame that differs in these elements."""
        tags, layout = tuple(changed), self._elements.layout
        shared = tags, _getter(tags, _not_own)(changed)
        if shared not in self._fields:
            self._fields[shared] = self._read(self._example | changed)
        number = tags, _getter(tags, _is_numbered)(changed)
        if number not in self._numbers:
            self._numbers[number] = numbered(self._example | changed, layout) | self._place
        lies = self._lies | {tag: changed[tag] for tag in PLACED if tag in changed}
        return Header.of(self._fields[shared] | self._numbers[number] | placed(lies, layout))

    def _read(self, values: Raw) -> dict[str, Any]:
        """The fields of a header with these elements, those of `own` aside."""
        layout = self._elements.layout
        key = (layout.implicit, layout.little, _shared(values))
        if key not in self._known:
            self._known[key] = vars(flat_header(replace(self._elements, values=values)))
        return self._known[key]


def _tiles(elements: Elements, header: Header) -> tuple[Header, ...]:
    """Headers of the tiles of a United Imaging mosaic; none where it does not state where each of them lies."""
    down, across = tiling(header.mosaic, header.vendor)
    tiles = stated_tiles(elements)
    whole = header.rows % down == 0 and header.columns % across == 0
    if not whole or len(tiles) != header.mosaic or not all(position for position, _ in tiles):
        return ()
    one = replace(header, rows=header.rows // down, columns=header.columns // across, mosaic=0)
    return tuple(replace(one, position=position, acquisition_time=time) for position, time in tiles)


def repeats(elements: Elements) -> Hashable | None:
    """What the header of an instance shares with others of its series: all but `own`; None where that is not simple.

    Instances for which it is equal have equal headers, `own` aside.
    """
    values = elements.values
    kind = values.get(0x00080008, b"")
    if PER_FRAME in values or b"MOSAIC" in kind or 0x00651051 in values or weighted_by_blob(values, kind):
        return None
    if not values.get(IMAGE_COMMENTS, CANON_START).startswith(CANON_START):
        del values[IMAGE_COMMENTS]  # only Canon's say something of the image
    return _shared(values)


def _shared(values: dict[int, bytes]) -> Hashable:
    """Tags and values of all elements but `OWN`; equal where they are."""
    tags = tuple(values)
    return tags, _getter(tags, _not_own)(values)


def _is_numbered(tag: int) -> bool:
    return tag in NUMBERED


def _not_own(tag: int) -> bool:
    return tag not in OWN


@lru_cache(maxsize=4096)
def _getter(tags: tuple[int, ...], chosen: Callable[[int], bool]) -> Callable[[dict[int, bytes]], Hashable]:
    """Takes the values of some of the tags out of a dictionary; half the time of going through it."""
    found = [tag for tag in tags if chosen(tag)]
    return itemgetter(*found) if found else lambda _: ()


_MOST = 4096
"""Headers of frames remembered: a series has one for each weighting, echo or time."""
