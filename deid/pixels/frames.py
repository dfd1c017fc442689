"""The frames of a cleaned file: read as arrays, and put back where something in them was blanked.

Belongs here: decoding and encoding whole pixel data. What is looked for in them is `deid.pixels.burned_in` and
`deid.faces.faces`, in which order `deid.pixels.series`. A file whose frames did not change is never encoded again.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid.headers.cleaned import Bulk, Cleaned
from deid.headers.encoding import EXPLICIT_LITTLE, pixel_header
from deid.headers.objects import FLOATING, PIXEL_DATA
from deid.refusals import Refused
from imaging.errors import ImagingError
from imaging.volumes.decoding import DECODER_ERRORS, decoded
from schemas.reasons import Reason

Frames = NDArray[Any]
"""(n, rows, columns) or (n, rows, columns, 3) stored integers."""

_SAMPLES, _PHOTOMETRIC, _PLANAR = 0x00280002, 0x00280004, 0x00280006
_ROWS, _COLUMNS, _BITS, _SIGNED, _FRAMES = 0x00280010, 0x00280011, 0x00280100, 0x00280103, 0x00280008
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_BYTE = 8


def read(cleaned: Cleaned) -> Frames:
    """The frames of a cleaned file, decoded; colour as RGB.

    Raises:
        Refused: `unsupported` if no installed decoder reads them or they are larger than any image's,
            `pixels_invalid` if they are not what the header says.
    """
    photometric = cleaned.text(_PHOTOMETRIC)
    try:
        if cleaned.transfer_syntax == EXPLICIT_LITTLE and photometric in _GREY:
            return _native(cleaned)
        return _decoded(cleaned, photometric in _GREY)
    except ImagingError as error:
        raise Refused(error.reason) from None
    except NotImplementedError:
        raise Refused(Reason.UNSUPPORTED) from None
    except DECODER_ERRORS:
        raise Refused(Reason.PIXELS_INVALID) from None


def _native(cleaned: Cleaned) -> Frames:
    rows, columns, bits, signed = (cleaned.short(tag) for tag in (_ROWS, _COLUMNS, _BITS, _SIGNED))
    frames = int(cleaned.text(_FRAMES) or 1)
    if not 0 < frames * rows * columns * bits <= len(cleaned.pixels) * _BYTE:
        raise Refused(Reason.PIXELS_INVALID)
    if bits == 1:
        packed = np.frombuffer(cleaned.pixels, np.uint8)
        return np.unpackbits(packed, count=frames * rows * columns, bitorder="little").reshape(frames, rows, columns)
    floating = cleaned.bulk is not None and cleaned.bulk.tag in FLOATING
    kind = np.dtype(f"<{'f' if floating else 'i' if signed else 'u'}{bits // _BYTE}")
    whole = np.frombuffer(cleaned.pixels, kind, frames * rows * columns)
    return whole.reshape(frames, rows, columns)


def _decoded(cleaned: Cleaned, grey: bool) -> Frames:
    pixels = decoded(cleaned.data, raw=grey)
    frames = int(cleaned.text(_FRAMES) or 1)
    return pixels if frames > 1 else pixels[None]


def put_back(cleaned: Cleaned, frames: Frames) -> Cleaned:
    """The file with other frames of the same shape and type, uncompressed.

    Args:
        cleaned: the file.
        frames: as `read` gave them, changed.
    """
    content = np.ascontiguousarray(frames.astype(frames.dtype.newbyteorder("<"), copy=False)).tobytes()
    if cleaned.short(_BITS) == 1:
        content = np.packbits(frames, bitorder="little").tobytes()
    padded = content + bytes(len(content) % 2)
    tag = cleaned.bulk.tag if cleaned.bulk else PIXEL_DATA
    vr = FLOATING.get(tag, "OW" if frames.dtype.itemsize > 1 else "OB")
    changes: dict[int, tuple[str, bytes]] = {}
    if frames.ndim == 4:
        changes = {_PHOTOMETRIC: ("CS", b"RGB"), _PLANAR: ("US", struct.pack("<H", 0))}
    bulk = Bulk(tag, (pixel_header(vr, len(padded), encapsulated=False, tag=tag), padded))
    return cleaned.changed(changes, bulk=bulk, transfer_syntax=EXPLICIT_LITTLE)
