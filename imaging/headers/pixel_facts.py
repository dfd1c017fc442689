"""What an instance states of its pixels: their scale, their spacing, and which part of the complex image they are.

Belongs here: the standard's elements and the vendors' for these. Decoding pixels is `imaging.volumes.pixels`.
"""

import numpy as np

from imaging.headers.diffusion import PrivateElements
from imaging.headers.elements import Elements, read_items
from imaging.headers.values import Values, invalid

MAPPING, _MAPPED_SLOPE, _MAPPED_INTERCEPT, _RESCALE_SLOPE = 0x00409096, 0x00409225, 0x00409224, 0x00281053
"""Real World Value Mapping, its slope and intercept; Rescale Slope."""

_PHILIPS_SCALE = ("PHILIPS MR IMAGING DD 001", 0x2005)
_GE_PARAMETERS = ("GEMS_PARM_01", 0x0043)
_GE_COMPONENTS = {0: "MAGNITUDE", 1: "PHASE", 2: "REAL", 3: "IMAGINARY"}


Scale = tuple[float, float]
"""Slope and intercept."""


def rescale(values: Values, private: PrivateElements, mapped: Scale) -> tuple[Scale, Scale | None]:
    """Slope and intercept from stored to real values, and those to displayed ones where they are others.

    Philips writes a display scale into Rescale Slope (0028,1053) that differs between series and scans of one
    subject; the floating point value that the scanner measured is (stored * RS + RI) / (RS * SS) with the Scale Slope
    SS (2005,xx0E). Where SS is there, that one is used, as dcm2niix does, and in single precision as it does it, from
    the values of 0 and of 1: with an intercept that moves the slope by up to 1e-4, and without it the same scan would
    differ in every voxel from what others made of it.

    Args:
        values: of the instance or frame.
        private: its private elements.
        mapped: slope and intercept that stand for a rescale that changes nothing, see `real_world`.

    Raises:
        ImagingError: HEADER_INVALID where Rescale Slope is zero.

    Source: DICOM PS3.3 C.11.1; Chenevert et al., Translational Oncology 7:65, 2014 (Philips).
    """
    slope, intercept = values.number(_RESCALE_SLOPE), values.number(0x00281052)
    if slope == 0:
        raise invalid(_RESCALE_SLOPE, "zero", "a slope that keeps values apart")
    slope = mapped[0] if slope in (None, 1) else slope
    intercept = intercept or mapped[1]
    scale = private.small_float(_PHILIPS_SCALE, 0x0E)
    if not scale:
        return (slope, intercept), None
    product = np.float32(slope) * np.float32(scale)
    zero = np.float32(intercept) / product
    real = float((np.float32(slope) + np.float32(intercept)) / product - zero), float(zero)
    return real, (slope, intercept)


def real_world(elements: Elements, manufacturer: str) -> Scale:
    """Slope and intercept of a Real World Value Mapping of Philips'; 1 and 0 where there is none.

    Other vendors' mappings are in units of their own, beside stored values that are used as they are.

    Raises:
        ImagingError: HEADER_INVALID where one of them cannot be decoded, or the slope is zero.
    """
    raw = elements.values
    if not (MAPPING in raw or _MAPPED_SLOPE in raw) or not manufacturer.upper().startswith("PHILIPS"):
        return 1.0, 0.0
    if MAPPING in raw:
        items = read_items(raw[MAPPING], elements.layout, (_MAPPED_SLOPE, _MAPPED_INTERCEPT).__contains__)
        raw = items[0].values if items else {}
    values = Values(raw, elements.layout.little)
    slope, intercept = values.doubles(_MAPPED_SLOPE), values.doubles(_MAPPED_INTERCEPT)
    if slope and not slope[0]:
        raise invalid(_MAPPED_SLOPE, "zero", "a slope that keeps values apart")
    return (slope[0], intercept[0] if intercept else 0.0) if slope else (1.0, 0.0)


def component(values: Values, private: PrivateElements) -> str:
    """Complex Image Component (0008,9208), or GE's raw data type in the same words; upper case."""
    stated = values.text(0x00089208).upper()
    if stated:
        return stated
    coded = values.short(private.tag(_GE_PARAMETERS, 0x2F))
    return "" if coded is None else _GE_COMPONENTS.get(coded, "")


def spacing(values: Values) -> tuple[float, ...]:
    """Pixel Spacing (0028,0030): between rows, between columns, mm.

    Raises:
        ImagingError: HEADER_INVALID where it is not two positive numbers.
    """
    stated = values.numbers(0x00280030)
    if stated and (len(stated) != 2 or min(stated) <= 0):
        raise invalid(0x00280030, "other than two positive numbers", "spacing between rows and between columns")
    return stated
