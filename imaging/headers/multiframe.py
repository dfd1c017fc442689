"""The frames of an enhanced multi-frame instance, each as the flat set of elements that a classic instance would have.

Belongs here: functional groups (PS3.3 C.7.6.16), shared and per frame, and Philips' private copy of classic elements.
What the elements mean is `imaging.headers.reading`.
"""

from collections.abc import Sequence

from imaging.errors import ImagingError
from imaging.headers.elements import Elements, read_items
from imaging.headers.layout import PER_FRAME, Layout
from imaging.headers.walk import Frame, Raw, Wanted
from schemas.reasons import Reason

SHARED = 0x52009229

_CREATORS = frozenset({b"PHILIPS MR IMAGING DD 005", b"SIEMENS MR SDI 02"})
"""Creators of (2005,xx0F), the elements that Philips' classic instances have, and (0021,xxFE), Siemens' of a frame."""

ANATOMIC_REGION = 0x00082218

_CONTENT = {
    0x00209113: frozenset({0x00200032}),  # Plane Position
    0x00209116: frozenset({0x00200037}),  # Plane Orientation
    0x00289110: frozenset({0x00280030, 0x00180050, 0x00180088}),  # Pixel Measures
    0x00289145: frozenset({0x00281052, 0x00281053}),  # Pixel Value Transformation
    0x00209111: frozenset({0x00209128, 0x00209157, 0x00189074}),  # Frame Content: indices, acquisition time
    0x00189114: frozenset({0x00189082}),  # MR Echo: effective echo time
    0x00189112: frozenset({0x00180080, 0x00181314, 0x00180091}),  # MR Timing: TR, flip angle, echo train
    0x00189115: frozenset({0x00189079, 0x00189009, 0x00189026}),  # MR Modifier: inversion, selective excitation
    0x00189117: frozenset({0x00189075, 0x00189087, 0x00189076}),  # MR Diffusion: kind, b-value, direction below
    0x00189076: frozenset({0x00189089}),  # Diffusion Gradient Direction
    0x00189226: frozenset({0x00089007, 0x00089208, 0x00089209}),  # MR Image Frame Type
    0x00189341: frozenset({0x00189342}),  # Contrast/Bolus Usage: administered
    0x00209071: frozenset({ANATOMIC_REGION}),  # Frame Anatomy
    0x00189125: frozenset({0x00181312}),  # MR FOV/Geometry: phase-encoding direction in the plane
    0x00189042: frozenset({0x00181250}),  # MR Receive Coil: name
    0x00189251: frozenset({0x00189257}),  # MR Arterial Spin Labeling: context
    0x00209310: frozenset({0x0020930D}),  # Temporal Position: time offset
    0x00409096: frozenset({0x00409224, 0x00409225}),  # Real World Value Mapping
}
"""Functional group to the elements that are read of it."""

ENHANCED_TAGS = frozenset().union(*_CONTENT.values()) | {SHARED, PER_FRAME} | {
    0x00189005, 0x00189008, 0x00189012, 0x00189014, 0x00189015, 0x00189018, 0x00189025, 0x00189250,
}  # fmt: skip
"""Elements that the frames of enhanced instances have beside the classic ones; those of the pulse sequence module (its
name, echoes, phase contrast, time of flight, echo planar, spectral suppression, spin labelling) stand at the top."""

_SEQUENCES = {0x0021: 0xFE, 0x2005: 0x0F}
"""Private sequences with elements of a frame, Siemens' and Philips', by group: low byte."""

_MOST = 64
"""Shared groups remembered."""


def frame_values(elements: Elements, frames: int, known: dict[tuple[Layout, bytes], Raw] | None = None) -> list[Frame]:
    """Raw elements of each frame: those of the instance, overlaid by shared and by the frame's own groups.

    Args:
        elements: the instance, with `SHARED` and `PER_FRAME` among its values.
        frames: Number of Frames (0028,0008).
        known: shared groups that were read before, by their bytes; they repeat in a series. None: nothing is kept.

    Returns:
        The elements of each frame; none where the instance has no functional groups.

    Raises:
        ImagingError: HEADER_INVALID where there are other than `frames` items, or a sequence is malformed.
    """
    if PER_FRAME not in elements.values:
        return []
    layout = elements.layout
    top = {tag: value for tag, value in elements.values.items() if tag not in (SHARED, PER_FRAME)}
    own = elements.frames
    if own is None:
        own = [(flat, {}) for flat in _flat_items(elements.values[PER_FRAME], layout)]
    if len(own) != frames:
        raise ImagingError(
            Reason.HEADER_INVALID, f"found functional groups of {len(own)} frames, needed one for each of {frames}"
        )
    known, key = {} if known is None else known, (layout, elements.values.get(SHARED, b""))
    if key not in known:
        if len(known) >= _MOST:
            known.clear()
        known[key] = dict(item for flat in _flat_items(key[1], layout) for item in flat.items())
    common, examples = top | known[key], {id(example): example for example, _ in own}
    whole = {name: common | example for name, example in examples.items()}
    return [(whole[id(example)], changed) for example, changed in own]


def _flat_items(value: bytes, layout: Layout) -> list[Raw]:
    groups = Groups(layout)
    return [groups.flat(item.values) for item in read_items(value, layout, is_group)]


def is_group(tag: int) -> bool:
    """Whether a frame is read for this element: a functional group, a vendor's sequence or its creator."""
    low = _SEQUENCES.get(tag >> 16)
    return tag in _CONTENT or (low is not None and (tag & 0xFFFF <= 0xFF or tag & 0xFF == low))


class Groups:
    """Reads functional groups, each that repeats once."""

    def __init__(self, layout: Layout) -> None:
        """Start with none."""
        self._layout = layout
        self._known: dict[tuple[int, bytes], Raw] = {}

    def flat(self, groups: Raw) -> Raw:
        """The elements of functional groups, first items only; the standard's win over vendors' copies."""
        flat: Raw = {}
        for sequence in private_sequences(groups):
            flat |= self._first(sequence, groups[sequence], _copied)
        for group, content in _CONTENT.items():
            if group in groups:
                flat |= self._first(group, groups[group], content.__contains__)
        direction = flat.pop(_DIRECTION, None)
        return flat if direction is None else flat | self.flat({_DIRECTION: direction})

    def _first(self, group: int, value: bytes, wanted: Wanted) -> Raw:
        known = self._known.get((group, value))
        if known is None:
            items = read_items(value, self._layout, wanted)
            known = self._known[group, value] = items[0].values if items else {}
        return known


_DIRECTION = 0x00189076
"""Diffusion Gradient Direction Sequence, a group inside the group MR Diffusion."""

Path = tuple[int, ...]
"""Tag and number of the item for each sequence on the way, then the tag: what leads to an element of a frame."""


def rank(path: Path, sequences: Sequence[int]) -> int | None:
    """How much an element counts among those that `Groups.flat` may take its tag from, higher ones winning.

    Args:
        path: where the element lies in the frame.
        sequences: the vendors' sequences of the frame, see `private_sequences`.

    Returns:
        None where the element is not read.
    """
    if len(path) == 3 and not path[1] and path[0] in sequences and _copied(path[2]):
        return sequences.index(path[0])
    if len(path) == 3 and not path[1] and path[2] in _CONTENT.get(path[0], ()):
        return len(sequences) + _ORDER[path[0]]
    if len(path) == 5 and not path[1] and not path[3] and path[2] == _DIRECTION in _CONTENT.get(path[0], ()):
        return len(sequences) + len(_ORDER) if path[4] in _CONTENT[_DIRECTION] else None
    return None


_ORDER = {group: number for number, group in enumerate(_CONTENT)}


def private_sequences(groups: Raw) -> list[int]:
    """Tags of the vendors' sequences that hold elements of a frame."""
    found = []
    for tag, value in groups.items():
        group, block = tag >> 16, tag & 0xFFFF
        if group in _SEQUENCES and block <= 0xFF and value.strip(b"\0 ").upper() in _CREATORS:
            found.append(group << 16 | block << 8 | _SEQUENCES[group])
    return [sequence for sequence in found if sequence in groups]


def _copied(tag: int) -> bool:
    """Of a copy: scan parameters, weighting, scale slope, label, time and volume; not its rounded geometry."""
    group, element = tag >> 16, tag & 0xFFFF
    if group in _COPIED:
        return element <= 0xFF or element & 0xFF in _COPIED[group]
    return tag in (0x00180020, 0x00180021, 0x00180086, 0x00200100, 0x00280053)


_COPIED = {
    0x0021: frozenset({0x04, 0x1C, 0x4F, 0x53, 0x75}),
    0x0029: frozenset({0x0D}),
    0x2001: frozenset({0x03, 0x04, 0x08}),
    0x2005: frozenset({0x0E, 0x12, 0x13, 0x29, 0x96, 0xA0, 0xB0, 0xB1, 0xB2}),
}
"""Low bytes of private elements that are read of a copy, by group."""
