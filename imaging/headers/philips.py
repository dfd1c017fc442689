"""The numbers of Philips' images that say which volume they are of; instance numbers are often scrambled.

Belongs here: where they are written. Which images make a step of a volume is `imaging.volumes.numbering`.

Source: dcm2niix, notes on Philips; neurolabusc/dcm_qa_philips_dwi and dcm_qa_philips_asl.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from imaging.headers.diffusion import PHILIPS_IMAGING, PrivateElements
from imaging.headers.values import Values

PHILIPS_NUMBERS = ("PHILIPS MR IMAGING DD 005", 0x2005)
PHILIPS_ORDER = ("PHILIPS MR IMAGING DD 006", 0x2005)

SOFTWARE = 0x00181020
PHILIPS_PRIVATE: Mapping[int, frozenset[int]] = {
    0x2001: frozenset({0x08}),
    0x2005: frozenset({0x12, 0x13, 0x29, 0x96}),
}
"""Low bytes of the private elements that are read, by group."""

_RELEASE = re.compile(rb"\d{1,4}")


class PhilipsNumbers(NamedTuple):
    """What an image or frame of Philips says; 0 where it says nothing."""

    release: int = 0
    """First number of the software's version (0018,1020)."""
    order: int = 0
    """Place of its diffusion weighting in the order of acquisition (2005,xx96)."""
    label: str = ""
    """LABEL or CONTROL, of a scan with arterial spin labelling (2005,xx29)."""
    phase: int = 0
    """Number of the phase (2001,xx08)."""
    b_value: int = 0
    """Number of the b-value (2005,xx12)."""
    direction: int = 0
    """Number of the gradient direction (2005,xx13)."""


def philips_numbers(values: Values, private: PrivateElements, manufacturer: str) -> PhilipsNumbers | None:
    """The numbers of an image or frame; None of other vendors' images.

    Raises:
        ImagingError: HEADER_INVALID where one of them is no whole number.
    """
    if not manufacturer.upper().startswith("PHILIPS"):
        return None
    release = _RELEASE.match(values.raw(SOFTWARE))
    return PhilipsNumbers(
        release=int(release[0]) if release else 0,
        order=private.integer(PHILIPS_ORDER, 0x96) or 0,
        label=values.text(private.tag(PHILIPS_NUMBERS, 0x29)).upper(),
        phase=private.integer(PHILIPS_IMAGING, 0x08) or 0,
        b_value=private.integer(PHILIPS_NUMBERS, 0x12) or 0,
        direction=private.integer(PHILIPS_NUMBERS, 0x13) or 0,
    )
