"""What in a header says that text may be burned into the pixels.

Belongs here: evidence of headers. It lowers the thresholds of the look at the pixels, `deid.pixels.burned_in`; only
what is seen there blanks something or holds a file back. What kind of object a file is, is `deid.headers.objects`.
"""

from collections.abc import Mapping

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SOP_CLASS, _IMAGE_TYPE, _BURNED_IN = 0x00080016, 0x00080008, 0x00280301
_CAPTURED = (0x00080064, 0x00181010, 0x00181011, 0x00181012, 0x00181016, 0x00181018, 0x00181019, 0x0018101A, 0x0018101B)
"""Conversion type and the attributes of secondary capture and digitizing devices (PS3.3 C.8.6.1)."""
_OVERLAY_BIT_POSITION = 0x0102

Top = Mapping[int, bytes]
"""Values of a header's top level by tag."""


def evidence(top: Top, suspect_image_types: frozenset[str]) -> frozenset[str]:
    """Why text may be burned in: `secondary capture`, `stated`, `image type`, `overlay in pixels`; empty: no reason.

    Args:
        top: values of the header's top level, sequences left out.
        suspect_image_types: values of Image Type that raise the suspicion.
    """
    types = {part.strip().upper() for part in text(top, _IMAGE_TYPE).split("\\")}
    sop_class = text(top, _SOP_CLASS)
    overlays = [tag for tag in top if tag >> 24 == 0x60]
    captured = sop_class == _SECONDARY_CAPTURE or sop_class.startswith(f"{_SECONDARY_CAPTURE}.")
    found = {
        "secondary capture": captured or any(text(top, tag) for tag in _CAPTURED),
        "stated": text(top, _BURNED_IN).upper() not in {"NO", ""},
        "image type": bool(types & suspect_image_types),
        "overlay in pixels": any(any(top[tag]) for tag in overlays if tag & 0xFFFF == _OVERLAY_BIT_POSITION),
    }
    return frozenset(name for name, holds in found.items() if holds)


def text(top: Top, tag: int) -> str:
    """A value of the top level as text; empty where there is none."""
    return top.get(tag, b"").decode("ascii", "replace").strip(" \0")
