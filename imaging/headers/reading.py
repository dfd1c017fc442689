"""From the elements of a DICOM file to its header.

Belongs here: which elements are read and what each becomes. What a header is, is `imaging.headers.header`; elements as
bytes are `imaging.headers.elements`, their values `imaging.headers.values`; many headers at once are
`imaging.headers.headers`.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Any

from imaging.headers import statements
from imaging.headers.diffusion import (
    CANON_START,
    DIFFUSION_PRIVATE,
    DIFFUSION_TAGS,
    GE_ACQUISITION,
    IMAGE_COMMENTS,
    PrivateElements,
    is_trace,
    philips_order,
    weighted_by_blob,
    weighting,
)
from imaging.headers.elements import PER_FRAME, Elements, Layout, read_elements
from imaging.headers.frame_patterns import FramePatterns
from imaging.headers.header import FIELDS, Header
from imaging.headers.mosaic import MOSAIC_PRIVATE, mosaic_layout, stated_tiles, tiling
from imaging.headers.multiframe import ENHANCED_TAGS, frame_values
from imaging.headers.pixel_facts import MAPPING, component, real_world, rescale, spacing
from imaging.headers.scanned import BLOBS, OWN_PRIVATE, SCANNED_PRIVATE, SCANNED_TAGS, clock, scanned
from imaging.headers.values import CHARACTER_SET, Values
from imaging.volumes.pepolar import PEPOLAR_PRIVATE, pepolar

_STANDARD = frozenset(
    {0x0020000D, 0x0020000E, 0x00080018, 0x00080016, 0x00080060, 0x00080070, 0x00081090, 0x00180087, 0x00080008}
    | {0x00089208, 0x0008103E, 0x00181030, 0x00180024, 0x00180020, 0x00180021, 0x00180022, 0x00180023, 0x00180025}
    | {0x00180010, 0x00180015, 0x00180080, 0x00180081, 0x00180082, 0x00181314, 0x00180091, 0x00180086, 0x00200011}
    | {0x00200012, 0x00200013, 0x00200100, 0x00200105, 0x00080032, 0x00080033, 0x00181060, 0x00200032, 0x00200037}
    | {0x00280030, 0x00180050, 0x00180088, 0x00280010, 0x00280011, 0x00280008, 0x00280100, 0x00280101, 0x00280102}
    | {0x00280103, 0x00280002, 0x00280004, 0x00281052, 0x00281053, 0x00100040, 0x00101010, CHARACTER_SET, MAPPING}
    | DIFFUSION_TAGS
    | ENHANCED_TAGS
    | SCANNED_TAGS
    | statements.TAGS
)
_PRIVATE: dict[int, frozenset[int]] = {
    group: frozenset().union(
        *(dialect.get(group, ()) for dialect in (DIFFUSION_PRIVATE, MOSAIC_PRIVATE, PEPOLAR_PRIVATE, SCANNED_PRIVATE))
    )
    | extra
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
    header = _flat_header(elements)
    if header.mosaic > 0 and header.vendor == "uih":
        tiles = _tiles(elements, header)
        return replace(header, planes=tiles) if tiles else replace(header, mosaic=-1)
    seen = frames or Frames()
    if values := frame_values(elements, header.frames, seen.groups):
        return replace(header, planes=tuple(_planes(elements, values, seen.headers)))
    return header


def _planes(
    elements: Elements, frames: list[dict[int, bytes]], known: dict[Hashable, dict[str, Any]]
) -> Iterator[Header]:
    """Headers of frames; what frames share is read once."""
    if len(known) >= _MOST:
        known.clear()
    for values in frames:
        frame = replace(elements, values=values)
        shared = (elements.transfer_syntax, elements.layout, _shared(values))
        if shared in known:
            yield Header(**known[shared] | own(frame))
            continue
        header = _flat_header(frame)
        known[shared] = {name: getattr(header, name) for name in FIELDS}
        yield header


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
    return tags, _getter(tags)(values)


@lru_cache(maxsize=4096)
def _getter(tags: tuple[int, ...]) -> Callable[[dict[int, bytes]], object]:
    """Takes the values of all tags but `OWN` out of a dictionary; half the time of going through it."""
    shared = [tag for tag in tags if tag not in OWN]
    return itemgetter(*shared) if shared else lambda _: ()


def own(elements: Elements) -> dict[str, Any]:
    """The fields of a header that differ from slice to slice.

    Raises:
        ImagingError: HEADER_INVALID as `read_header`.
    """
    values = Values(elements.values, elements.layout.little)
    return {
        "sop_uid": values.text(0x00080018),
        "acquisition_number": values.integer(0x00200012),
        "instance_number": values.integer(0x00200013),
        "temporal_position": values.integer(0x00200100) or values.long(0x00209128),
        "acquisition_time": _first(values.moment(0x00189074), values.seconds(0x00080032)),
        "content_time": values.seconds(0x00080033),
        "trigger_time": values.number(0x00181060),
        "clock": clock(elements.values, values),
        "position": values.numbers(0x00200032, 3),
        "dimension_index": values.longs(0x00209157),
        "pixel_tag": elements.pixel_tag,
        "pixel_offset": elements.pixel_offset,
        "pixel_length": elements.pixel_length,
    }


_MOST = 4096
"""Headers of frames remembered: a series has one for each weighting, echo or time."""

OWN = frozenset(
    {0x00080018, 0x00200012, 0x00200013, 0x00200100, 0x00209128, 0x00189074, 0x00080032, 0x00080033, 0x00181060}
    | {0x00200032, 0x0020930D, 0x00209157}
    | OWN_PRIVATE
    | BLOBS
)
"""Tags of what `own` reads."""


def _flat_header(elements: Elements) -> Header:
    values = Values(elements.values, elements.layout.little)
    private = PrivateElements(values, elements.values)
    manufacturer = values.text(0x00080070)
    b_value, gradient = weighting(values, private)
    slope, intercept = real_world(elements, manufacturer) or rescale(values, private)
    frames = values.integer(0x00280008)
    image_type = values.words(0x00089007) or values.words(0x00080008)
    mosaic, slice_normal = mosaic_layout(values, private, image_type)
    stored = values.short(0x00280101) or 0
    high_bit = values.short(0x00280102)
    return Header(
        study_uid=values.text(0x0020000D),
        series_uid=values.text(0x0020000E),
        sop_class=values.text(0x00080016),
        transfer_syntax=elements.transfer_syntax,
        modality=values.text(0x00080060),
        manufacturer=manufacturer,
        model=values.text(0x00081090),
        field_strength=values.number(0x00180087),
        image_type=image_type,
        component=component(values, private),
        series_description=values.text(0x0008103E),
        protocol_name=values.text(0x00181030),
        sequence_name=statements.first_text(values, 0x00180024, 0x00189005, private.tag(GE_ACQUISITION, 0x9E)),
        scanning_sequence=values.words(0x00180020) or statements.pulse_sequence(values),
        sequence_variant=values.words(0x00180021),
        scan_options=values.words(0x00180022),
        spectral=statements.spectral(values),
        acquisition_contrast=statements.weighting(values),
        acquisition_type=values.text(0x00180023),
        angio=values.text(0x00180025),
        contrast_agent=statements.contrast_agent(values),
        body_part=statements.body_part(values, elements.layout),
        repetition_time=values.number(0x00180080),
        echo_time=_first(values.doubles(0x00189082), values.number(0x00180081)),
        inversion_time=_first(values.doubles(0x00189079), values.number(0x00180082)),
        flip_angle=values.number(0x00181314),
        echo_train=values.integer(0x00180091),
        echo_number=values.integer(0x00180086),
        series_number=values.integer(0x00200011),
        temporal_positions=values.integer(0x00200105),
        orientation=values.numbers(0x00200037, 6),
        pixel_spacing=spacing(values),
        slice_thickness=values.number(0x00180050),
        slice_spacing=values.number(0x00180088),
        rows=values.short(0x00280010) or 0,
        columns=values.short(0x00280011) or 0,
        frames=1 if frames is None else frames,
        mosaic=mosaic,
        slice_normal=slice_normal,
        bits_allocated=values.short(0x00280100) or 0,
        bits_stored=stored,
        high_bit=stored - 1 if high_bit is None else high_bit,
        signed=values.short(0x00280103) == 1,
        samples=values.short(0x00280002) or 1,
        photometric=values.text(0x00280004),
        slope=slope,
        intercept=intercept,
        b_value=b_value,
        gradient=gradient,
        trace=is_trace(values, private),
        pepolar=pepolar(values, private),
        diffusion_number=philips_order(values, private),
        scanned=scanned(values, private),
        sex=values.text(0x00100040).upper(),
        age=values.years(0x00101010),
        **own(elements),
    )


def _first(preferred: tuple[float, ...], other: float | None) -> float | None:
    return preferred[0] if preferred else other
