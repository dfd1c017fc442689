"""Pixel Data on its way through: carried byte for byte, and checked for anything that is not pixels.

Belongs here: lengths and item structure. Nothing here decodes or changes a pixel.
"""

import struct

from deid.encoding import SEQUENCE_END, pixel_header
from deid.refusals import Refused
from schemas.reasons import Reason

_ROWS, _COLUMNS, _SAMPLES, _FRAMES, _BITS = 0x00280010, 0x00280011, 0x00280002, 0x00280008, 0x00280100
_ITEM = struct.pack("<HH", 0xFFFE, 0xE000)
_ITEM_HEADER = 8
_WORD = 8


def native(top: dict[int, bytes], pixels: bytes) -> tuple[list[bytes], bool]:
    """Uncompressed Pixel Data as pieces of an element, and whether bytes behind the last pixel were cut off.

    Args:
        top: values of the header's top level by tag.
        pixels: the value, little endian.

    Raises:
        Refused: `header_invalid` if the header does not say how many pixels there are, `pixels_invalid` if there are
            fewer.
    """
    try:
        rows, columns, bits = (struct.unpack("<H", top[tag])[0] for tag in (_ROWS, _COLUMNS, _BITS))
        samples = struct.unpack("<H", top.get(_SAMPLES) or b"\1\0")[0]
        frames = int(top.get(_FRAMES, b"").strip(b" \0") or 1)
    except (KeyError, ValueError, struct.error):
        raise Refused(Reason.HEADER_INVALID) from None
    expected = rows * columns * samples * frames * bits // 8
    if not 0 < expected <= len(pixels):
        raise Refused(Reason.PIXELS_INVALID)
    padded = expected + expected % 2
    representation = "OW" if bits > _WORD else "OB"
    pieces = [pixel_header(representation, padded, encapsulated=False), pixels[:expected], bytes(padded - expected)]
    return pieces, any(pixels[expected:])


def encapsulated(pixels: bytes) -> list[bytes]:
    """Compressed Pixel Data as pieces of an element.

    Raises:
        Refused: `pixels_invalid` if it is anything but items one after the other.
    """
    at = 0
    while at < len(pixels):
        if pixels[at : at + 4] != _ITEM or at + _ITEM_HEADER > len(pixels):
            raise Refused(Reason.PIXELS_INVALID)
        at += _ITEM_HEADER + struct.unpack_from("<I", pixels, at + 4)[0]
    if at != len(pixels) or not pixels:
        raise Refused(Reason.PIXELS_INVALID)
    return [pixel_header("OB", 0, encapsulated=True), pixels, SEQUENCE_END]
