"""Whether an object may pass at all, judged by its header.

Belongs here: what kind of object it is, and what in a header says that text may be burned into the pixels. Looking at
the pixels themselves is a later station's business; until then suspicion is enough to hold a file back.
"""

from collections.abc import Mapping

from deid.refusals import Refused
from schemas.reasons import Reason

MR_IMAGES = frozenset(
    {"1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"}
)  # MR, Enhanced MR, Legacy Converted Enhanced MR
_UNSUPPORTED = frozenset({"1.2.840.10008.5.1.4.1.1.4.2", "1.2.840.10008.5.1.4.1.1.4.3"})  # spectroscopy, colour
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SOP_CLASS, _MODALITY, _IMAGE_TYPE, _BURNED_IN = 0x00080016, 0x00080060, 0x00080008, 0x00280301
_CAPTURED = (0x00080064, 0x00181010, 0x00181011, 0x00181012, 0x00181016, 0x00181018, 0x00181019, 0x0018101A, 0x0018101B)
"""Conversion type and the attributes of secondary capture and digitizing devices (PS3.3 C.8.6.1)."""
_IDENTITY = (0x0020000D, 0x0020000E, 0x00080018)
_OVERLAY_BIT_POSITION = 0x0102
_PIXEL_DATA = 0x7FE00010

Top = Mapping[int, bytes]
"""Values of a header's top level by tag."""


def check(top: Top, has_pixels: bool, suspect_image_types: frozenset[str]) -> None:
    """Let an MR image pass that nothing speaks against.

    Args:
        top: values of the header's top level, sequences left out.
        has_pixels: whether there is Pixel Data.
        suspect_image_types: values of Image Type that raise the suspicion of burned-in text.

    Raises:
        Refused: with the reason.
    """
    sop_class = _text(top, _SOP_CLASS)
    if sop_class == _SECONDARY_CAPTURE or sop_class.startswith(f"{_SECONDARY_CAPTURE}."):
        raise Refused(Reason.BURNED_IN_SUSPECTED)
    if sop_class in _UNSUPPORTED:
        raise Refused(Reason.UNSUPPORTED)
    if sop_class not in MR_IMAGES:
        raise Refused(Reason.NOT_MR if has_pixels else Reason.NOT_AN_IMAGE)
    if _text(top, _MODALITY) not in {"MR", ""}:
        raise Refused(Reason.NOT_MR)
    if not has_pixels:
        raise Refused(Reason.PIXELS_INVALID)
    if not all(_text(top, tag) for tag in _IDENTITY):
        raise Refused(Reason.MISSING_IDENTITY)
    if _burned_in(top, suspect_image_types):
        raise Refused(Reason.BURNED_IN_SUSPECTED)


def _burned_in(top: Top, suspect_image_types: frozenset[str]) -> bool:
    types = {part.strip().upper() for part in _text(top, _IMAGE_TYPE).split("\\")}
    overlays_in_pixels = any(
        tag >> 24 == 0x60 and tag & 0xFFFF == _OVERLAY_BIT_POSITION and any(value) for tag, value in top.items()
    )
    return (
        _text(top, _BURNED_IN).upper() not in {"NO", ""}
        or bool(types & suspect_image_types)
        or any(_text(top, tag) for tag in _CAPTURED)
        or overlays_in_pixels
    )


def _text(top: Top, tag: int) -> str:
    return top.get(tag, b"").decode("ascii", "replace").strip(" \0")
