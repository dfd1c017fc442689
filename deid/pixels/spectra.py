"""Spectroscopy Data on its way through: carried as it is, cut to the spectra that the header speaks of.

Belongs here: lengths (PS3.3 C.8.14.4). Pixel Data is `deid.pixels.pixels`.
"""

import struct
from collections.abc import Mapping

from deid.refusals import Refused
from schemas.reasons import Reason

_ROWS, _COLUMNS, _FRAMES, _REPRESENTATION = 0x00280010, 0x00280011, 0x00280008, 0x00289108
_POINT_ROWS, _POINT_COLUMNS = 0x00289001, 0x00289002
_SPECTRA = 0x56000020
_FLOAT, _ONE = 4, b"\1\0\0\0"


def native(top: Mapping[int, bytes], spectra: bytes) -> tuple[list[bytes], bool]:
    """Spectroscopy Data as pieces of an element, and whether bytes behind the last point were cut off.

    Args:
        top: values of the header's top level by tag.
        spectra: the value, little endian.

    Raises:
        Refused: `header_invalid` if the header does not say how many points there are, `pixels_invalid` if there are
            fewer.
    """
    try:
        rows, columns = (struct.unpack("<H", top[tag])[0] for tag in (_ROWS, _COLUMNS))
        points, lines = (struct.unpack("<I", value)[0] for value in (top[_POINT_COLUMNS], top.get(_POINT_ROWS) or _ONE))
        frames = int(top.get(_FRAMES, b"").strip(b" \0") or 1)
    except (KeyError, ValueError, struct.error):
        raise Refused(Reason.HEADER_INVALID) from None
    numbers = 2 if top.get(_REPRESENTATION, b"").strip(b" \0") == b"COMPLEX" else 1
    expected = rows * columns * frames * lines * points * numbers * _FLOAT
    if not 0 < expected <= len(spectra) or expected > 0xFFFFFFFE:
        raise Refused(Reason.PIXELS_INVALID)
    head = struct.pack("<HH2sHI", _SPECTRA >> 16, _SPECTRA & 0xFFFF, b"OF", 0, expected)
    return [head, spectra[:expected], b""], any(spectra[expected:])
