"""The frames of an enhanced multi-frame instance, each as the flat set of elements that a classic instance would have.

Belongs here: functional groups (PS3.3 C.7.6.16), shared and per frame, and Philips' private copy of classic elements.
What the elements mean is `imaging.header`.
"""

from imaging.elements import Elements, Layout, read_items
from imaging.errors import ImagingError
from schemas.reasons import Reason

SHARED, PER_FRAME = 0x52009229, 0x52009230

_PHILIPS_COPY = "PHILIPS MR IMAGING DD 005"
"""Creator of (2005,xx0F), a sequence of the elements that Philips' classic instances have."""

_CONTENT = {
    0x00209113: frozenset({0x00200032}),  # Plane Position
    0x00209116: frozenset({0x00200037}),  # Plane Orientation
    0x00289110: frozenset({0x00280030, 0x00180050, 0x00180088}),  # Pixel Measures
    0x00289145: frozenset({0x00281052, 0x00281053}),  # Pixel Value Transformation
    0x00209111: frozenset({0x00209128, 0x00189074}),  # Frame Content: temporal position, acquisition time
    0x00189114: frozenset({0x00189082}),  # MR Echo: effective echo time
    0x00189112: frozenset({0x00180080, 0x00181314, 0x00180091}),  # MR Timing: TR, flip angle, echo train
    0x00189115: frozenset({0x00189079, 0x00189009}),  # MR Modifier: inversion times, inversion recovery
    0x00189117: frozenset({0x00189087, 0x00189076}),  # MR Diffusion: b-value, direction below
    0x00189076: frozenset({0x00189089}),  # Diffusion Gradient Direction
    0x00189226: frozenset({0x00089007, 0x00089208}),  # MR Image Frame Type
    0x00409096: frozenset({0x00409224, 0x00409225}),  # Real World Value Mapping
}
"""Functional group to the elements that are read of it."""

ENHANCED_TAGS = frozenset().union(*_CONTENT.values()) | {SHARED, PER_FRAME, 0x00189008, 0x00189018, 0x00189012}
"""Elements that the frames of enhanced instances have beside the classic ones; Echo Pulse Sequence, Echo Planar Pulse
Sequence and Multiple Spin Echo stand at the top."""

Raw = dict[int, bytes]


def frame_values(elements: Elements, frames: int) -> list[Raw]:
    """Raw elements of each frame: those of the instance, overlaid by shared and by the frame's own groups.

    Args:
        elements: the instance, with `SHARED` and `PER_FRAME` among its values.
        frames: Number of Frames (0028,0008).

    Returns:
        One flat set of elements a frame; none where the instance has no functional groups.

    Raises:
        ImagingError: HEADER_INVALID where there are other than `frames` items, or a sequence is malformed.
    """
    if PER_FRAME not in elements.values:
        return []
    layout = elements.layout
    top = {tag: value for tag, value in elements.values.items() if tag not in (SHARED, PER_FRAME)}
    items = read_items(elements.values[PER_FRAME], layout, _group)
    if len(items) != frames:
        raise ImagingError(
            Reason.HEADER_INVALID, f"found functional groups of {len(items)} frames, needed one for each of {frames}"
        )
    shared: Raw = {}
    for item in read_items(elements.values.get(SHARED, b""), layout, _group):
        shared |= _flat(item.values, layout)
    return [top | shared | _flat(item.values, layout) for item in items]


def _group(tag: int) -> bool:
    private = tag >> 16 == 0x2005
    return tag in _CONTENT or (private and (tag & 0xFFFF <= 0xFF or tag & 0xFF == 0x0F))


def _flat(groups: Raw, layout: Layout) -> Raw:
    """The elements of functional groups, first items only; the standard's win over Philips' copies."""
    flat: Raw = {}
    copy = _philips_copy(groups)
    if copy:
        for item in read_items(groups[copy], layout, _copied)[:1]:
            flat |= item.values
    for group, content in _CONTENT.items():
        if group not in groups:
            continue
        for item in read_items(groups[group], layout, content.__contains__)[:1]:
            flat |= item.values
            if 0x00189076 in item.values:
                flat |= _flat({0x00189076: item.values[0x00189076]}, layout)
    flat.pop(0x00189076, None)
    return flat


def _philips_copy(groups: Raw) -> int:
    for tag, value in groups.items():
        if tag >> 16 == 0x2005 and tag & 0xFFFF <= 0xFF and value.strip(b"\0 ").upper() == _PHILIPS_COPY.encode():
            sequence = 0x20050000 | (tag & 0xFF) << 8 | 0x0F
            return sequence if sequence in groups else 0
    return 0


def _copied(tag: int) -> bool:
    """Of the copy: scan parameters, b-values and directions, scale slope; not its rounded geometry."""
    group, element = tag >> 16, tag & 0xFFFF
    if group in (0x2001, 0x2005):
        return element <= 0xFF or element & 0xFF in (0x03, 0x0E, 0xB0, 0xB1, 0xB2)
    return tag in (0x00180020, 0x00180021, 0x00180086, 0x00280053)
