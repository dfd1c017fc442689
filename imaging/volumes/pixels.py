"""The stored pixels of an instance, as the integers that were stored.

Belongs here: from pixel data to an array. Rescaling to values and sorting into volumes is `imaging.volumes.normalize`.
Uncompressed pixels are read straight from the buffer; compressed ones go through pydicom's decoders.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.headers.elements import read_elements
from imaging.headers.frames import FLOATING, cut, require_image
from imaging.headers.header import Header
from imaging.headers.layout import DEFLATED_LITTLE, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNDEFINED
from imaging.headers.reading import header_of, wanted
from imaging.volumes.decoding import DECODER_ERRORS, decoded
from schemas.reasons import Reason

_UNCOMPRESSED = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED_LITTLE, EXPLICIT_BIG})

Pixels = NDArray[np.generic]


def stored_pixels(data: bytes, header: Header | None = None) -> Pixels:
    """Decode the pixels of a grey instance.

    Bits above High Bit (old overlays) are cut off and signs extended, as the header states. MONOCHROME1 is kept as it
    is stored, dark for high values, so that nothing depends on how it was meant to be displayed.

    Args:
        data: the whole file.
        header: its header, where it was read before; saves reading it again.

    Returns:
        (rows, columns) integers in native byte order, 8, 16 or 32 bits as allocated, single bits as 0 and 1, or
        floating point numbers of 32 or 64 bits; (slices, rows, columns) of a mosaic or an enhanced instance. A copy, or
        read-only memory of `data`.

    Raises:
        ImagingError: UNSUPPORTED for colour, frames without functional groups, a compression that no installed
            decoder reads, or compressed frames larger than any image's; PIXELS_INVALID where the pixel data do not fill
            the matrix of the header; TRUNCATED where the file ends inside them; and what
            `imaging.headers.reading.read_header` raises.

    Source: DICOM PS3.3 C.7.6.3.1, PS3.5 section 8.
    """
    buffer = data
    if header is None or header.transfer_syntax == DEFLATED_LITTLE:
        elements = read_elements(data, wanted)
        header, buffer = header_of(elements), elements.buffer
    require_image(header)
    if header.transfer_syntax in _UNCOMPRESSED:
        return cut(_significant(_uncompressed(buffer, header), header), header)
    return cut(_significant(_compressed(data, header), header), header)


def _uncompressed(buffer: bytes, header: Header) -> Pixels:
    shape = _shape(header)
    needed = -(-math.prod(shape) * header.bits_allocated // 8)
    if header.pixel_length == UNDEFINED:
        raise _invalid("found encapsulated pixel data under an uncompressed transfer syntax")
    if header.pixel_offset + header.pixel_length > len(buffer):
        raise ImagingError(Reason.TRUNCATED, "found the end of the file inside the pixel data, needed all of them")
    if header.pixel_length not in (needed, needed + needed % 2):
        raise _invalid(f"found {header.pixel_length} bytes of pixel data where the header needs {needed}")
    if header.bits_allocated == 1:  # the first pixel is the lowest bit (PS3.5 section 8.1.1)
        packed = np.frombuffer(buffer, np.uint8, needed, header.pixel_offset)
        return np.unpackbits(packed, count=math.prod(shape), bitorder="little").reshape(shape)
    order = ">" if header.transfer_syntax == EXPLICIT_BIG else "<"
    kind = "f" if header.pixel_tag in FLOATING else "i" if header.signed else "u"
    pixels = np.frombuffer(buffer, f"{order}{kind}{header.bits_allocated // 8}", math.prod(shape), header.pixel_offset)
    return pixels.reshape(shape).astype(pixels.dtype.newbyteorder("="), copy=False)


def _shape(header: Header) -> tuple[int, ...]:
    matrix = (header.rows, header.columns)
    return (header.frames, *matrix) if header.planes and header.frames > 1 else matrix


def _compressed(data: bytes, header: Header) -> Pixels:
    if _no_decoder(header.transfer_syntax):
        raise ImagingError(
            Reason.UNSUPPORTED, "found a compression that no installed pydicom plugin decodes, needed one that is"
        )
    try:
        pixels = decoded(data, raw=True)
    except ImagingError:
        raise
    except DECODER_ERRORS as error:
        raise _invalid(f"found compressed pixel data that do not decode ({type(error).__name__})") from None
    if pixels.shape != _shape(header) or pixels.dtype.kind not in "iu":
        raise _invalid("found compressed pixel data of another matrix than the header states")
    return pixels


def _no_decoder(syntax: str) -> bool:
    from pydicom.pixels.decoders.base import get_decoder  # loads plugins; most lakes never need them

    try:
        return not get_decoder(syntax).is_available
    except NotImplementedError:
        return True


def _significant(pixels: NDArray[Any], header: Header) -> Pixels:
    """The pixels without bits that are not theirs, signs extended from the highest stored bit."""
    if header.bits_allocated == 1 or header.pixel_tag in FLOATING:
        return pixels
    width = pixels.dtype.itemsize * 8
    low = header.high_bit + 1 - header.bits_stored
    if header.bits_stored == width:
        return pixels
    if low == 0 and not header.signed and int(pixels.max()) < 1 << header.bits_stored:
        return pixels
    return np.asarray((pixels << (width - 1 - header.high_bit)) >> (width - header.bits_stored))


def _invalid(found: str) -> ImagingError:
    return ImagingError(Reason.PIXELS_INVALID, f"{found}, needed pixel data that match the header")
