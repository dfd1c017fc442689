"""How many slices a Siemens mosaic holds, and in which direction they follow each other.

Belongs here: the elements that say so. Taking the tiles apart is `imaging.frames`.
"""

import math
from collections.abc import Mapping

from imaging.csa import read_csa
from imaging.diffusion import PrivateElements
from imaging.values import Values, invalid

_SIEMENS = ("SIEMENS MR HEADER", 0x0019)
_SIEMENS_CSA = ("SIEMENS CSA HEADER", 0x0029)
_OWN_FACTS = ("LARMOR FACTS", 0x0029)
"""What de-identification puts in the place of a CSA header (`deid.vendor`)."""

_CSA_FIELDS = frozenset({"NumberOfImagesInMosaic", "SliceNormalVector"})

MOSAIC_PRIVATE: Mapping[int, frozenset[int]] = {0x0019: frozenset({0x0A}), 0x0029: frozenset({0x01, 0x10})}
"""Low bytes of the private elements that are read, by group."""


def mosaic_layout(
    values: Values, private: PrivateElements, image_type: tuple[str, ...]
) -> tuple[int, tuple[float, ...]]:
    """Number of tiles and slice normal; (0, ()) where the instance is no mosaic, (-1, ()) where tiles are unknown.

    Raises:
        ImagingError: HEADER_INVALID where a number cannot be decoded.
    """
    if "MOSAIC" not in image_type:
        return 0, ()
    csa = read_csa(values.raw_bytes(private.tag(_SIEMENS_CSA, 0x10)), _CSA_FIELDS)
    count = values.short(private.tag(_SIEMENS, 0x0A))
    try:
        if count is None and "NumberOfImagesInMosaic" in csa:
            count = int(csa["NumberOfImagesInMosaic"][0])
        normal = tuple(float(item) for item in csa.get("SliceNormalVector", ())[:3])
    except ValueError:
        raise invalid(private.tag(_SIEMENS_CSA, 0x10), "no number") from None
    normal = normal or values.doubles(private.tag(_OWN_FACTS, 0x01), 3)
    return count or -1, normal if len(normal) == 3 and all(map(math.isfinite, normal)) else ()
