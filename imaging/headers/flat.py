"""The header of one slice, from the flat set of elements that a classic instance or a frame has.

Belongs here: which element becomes which field. Which elements are read, frames and what repeats are
`imaging.headers.reading`; values are decoded by `imaging.headers.values`.
"""

from typing import Any

from imaging.headers import statements
from imaging.headers.diffusion import GE_ACQUISITION, PrivateElements, is_trace, weighting
from imaging.headers.elements import Elements
from imaging.headers.header import Header
from imaging.headers.layout import Layout
from imaging.headers.mosaic import mosaic_layout
from imaging.headers.philips import philips_numbers
from imaging.headers.pixel_facts import component, real_world, rescale, spacing
from imaging.headers.scanned import BLOBS, OWN_PRIVATE, SIEMENS_FRAME, clock, scanned
from imaging.headers.values import Values
from imaging.volumes.pepolar import pepolar

NUMBERED = frozenset(
    {0x00080018, 0x00200012, 0x00200013, 0x00200100, 0x00209128, 0x00189074, 0x00080032, 0x00080033, 0x00181060}
    | {0x0020930D}
    | OWN_PRIVATE
)
"""Tags of what `numbered` reads; beside those of private creators, which it looks at, too."""
PLACED = frozenset({0x00200032, 0x00209157})
"""Tags of what `placed` reads."""
OWN = NUMBERED | PLACED | BLOBS
"""Tags of what `own` reads, and of what nothing that a slice has of its own is read from."""


def flat_header(elements: Elements) -> Header:
    """The header that these elements make, without frames.

    Raises:
        ImagingError: HEADER_INVALID where an element that is read cannot be decoded or is not finite.
    """
    values = Values(elements.values, elements.layout.little)
    private = PrivateElements(values, elements.values)
    return Header(
        **_identity(values),
        **_sequence(values, private, elements.layout),
        **_timing(values),
        **_weighting(values, private),
        **_matrix(values, private, elements),
        **own(elements.values, elements.layout),
        **pixel_place(elements),
    )


def own(raw: dict[int, bytes], layout: Layout) -> dict[str, Any]:
    """The fields of a header that differ from slice to slice.

    Raises:
        ImagingError: HEADER_INVALID as `flat_header`.
    """
    return numbered(raw, layout) | placed(raw, layout)


def numbered(raw: dict[int, bytes], layout: Layout) -> dict[str, Any]:
    """Of those, the ones that tell when a slice was taken and which it is; frames of one step have them in common.

    Raises:
        ImagingError: HEADER_INVALID as `flat_header`.
    """
    values = Values(raw, layout.little)
    return {
        "sop_uid": values.text(0x00080018),
        "acquisition_number": values.integer(0x00200012),
        "instance_number": values.integer(0x00200013),
        "temporal_position": values.integer(0x00200100) or values.long(0x00209128),
        "acquisition_time": _first(values.moment(0x00189074), values.seconds(0x00080032)),
        "content_time": values.seconds(0x00080033),
        "trigger_time": values.number(0x00181060),
        "clock": clock(raw, values),
    }


def placed(raw: dict[int, bytes], layout: Layout) -> dict[str, Any]:
    """Of those, the ones that tell where it lies.

    Raises:
        ImagingError: HEADER_INVALID as `flat_header`.
    """
    values = Values(raw, layout.little)
    return {
        "position": values.numbers(0x00200032, 3),
        "dimension_index": values.longs(0x00209157),
    }


def pixel_place(elements: Elements) -> dict[str, Any]:
    """The fields of a header that say where its instance's pixels lie."""
    return {
        "transfer_syntax": elements.transfer_syntax,
        "pixel_tag": elements.pixel_tag,
        "pixel_offset": elements.pixel_offset,
        "pixel_length": elements.pixel_length,
    }


def _identity(values: Values) -> dict[str, Any]:
    """Who made it and what it is called."""
    return {
        "study_uid": values.text(0x0020000D),
        "series_uid": values.text(0x0020000E),
        "sop_class": values.text(0x00080016),
        "modality": values.text(0x00080060),
        "manufacturer": values.text(0x00080070),
        "model": values.text(0x00081090),
        "field_strength": values.number(0x00180087),
        "series_description": values.text(0x0008103E),
        "protocol_name": values.text(0x00181030),
        "series_number": values.integer(0x00200011),
        "sex": values.text(0x00100040).upper(),
        "age": values.years(0x00101010),
    }


def _sequence(values: Values, private: PrivateElements, layout: Layout) -> dict[str, Any]:
    """The pulse sequence, and what else tells contrasts apart."""
    image_type = _image_type(values, private)
    mosaic, slice_normal = mosaic_layout(values, private, image_type)
    return {
        "image_type": image_type,
        "mosaic": mosaic,
        "slice_normal": slice_normal,
        "component": component(values, private),
        "sequence_name": statements.first_text(values, 0x00180024, 0x00189005, private.tag(GE_ACQUISITION, 0x9E)),
        "scanning_sequence": values.words(0x00180020) or statements.pulse_sequence(values),
        "sequence_variant": values.words(0x00180021),
        "scan_options": values.words(0x00180022),
        "spectral": statements.spectral(values),
        "acquisition_contrast": statements.weighting(values),
        "acquisition_type": values.text(0x00180023),
        "angio": values.text(0x00180025),
        "contrast_agent": statements.contrast_agent(values),
        "body_part": statements.body_part(values, layout),
        "scanned": scanned(values, private),
    }


def _image_type(values: Values, private: PrivateElements) -> tuple[str, ...]:
    """Frame Type or Image Type; with Siemens' own word for images that were taken without an excitation pulse."""
    words = values.words(0x00089007) or values.words(0x00080008)
    return (*words, "NOISE") if "NOISE" in values.words(private.tag(SIEMENS_FRAME, 0x75)) else words


def _timing(values: Values) -> dict[str, Any]:
    return {
        "repetition_time": values.number(0x00180080),
        "echo_time": _first(values.doubles(0x00189082), values.number(0x00180081)),
        "inversion_time": _first(values.doubles(0x00189079), values.number(0x00180082)),
        "flip_angle": values.number(0x00181314),
        "echo_train": values.integer(0x00180091),
        "echo_number": values.integer(0x00180086),
        "temporal_positions": values.integer(0x00200105),
    }


def _weighting(values: Values, private: PrivateElements) -> dict[str, Any]:
    """Diffusion, and the polarity of an echo-planar scan."""
    b_value, gradient = weighting(values, private)
    return {
        "b_value": b_value,
        "gradient": gradient,
        "trace": is_trace(values, private),
        "pepolar": pepolar(values, private),
        "philips": philips_numbers(values, private, values.text(0x00080070)),
    }


def _matrix(values: Values, private: PrivateElements, elements: Elements) -> dict[str, Any]:
    """Geometry, matrix and scale of the pixels."""
    (slope, intercept), display = rescale(values, private, real_world(elements, values.text(0x00080070)))
    frames, stored, high_bit = values.integer(0x00280008), values.short(0x00280101) or 0, values.short(0x00280102)
    return {
        "orientation": values.numbers(0x00200037, 6),
        "pixel_spacing": spacing(values),
        "slice_thickness": values.number(0x00180050),
        "slice_spacing": values.number(0x00180088),
        "rows": values.short(0x00280010) or 0,
        "columns": values.short(0x00280011) or 0,
        "frames": frames or 1,  # some writers state none as zero
        "bits_allocated": values.short(0x00280100) or 0,
        "bits_stored": stored,
        "high_bit": stored - 1 if high_bit is None else high_bit,
        "signed": values.short(0x00280103) == 1,
        "samples": values.short(0x00280002) or 1,
        "photometric": values.text(0x00280004),
        "slope": slope,
        "intercept": intercept,
        "display": display,
    }


def _first(preferred: tuple[float, ...], other: float | None) -> float | None:
    return preferred[0] if preferred else other
