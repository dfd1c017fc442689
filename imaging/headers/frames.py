"""The slices of one instance: one of a classic image, several of an enhanced one or of a Siemens mosaic.

Belongs here: which instances have usable slices, a header for each slice with its own position, and cutting its pixels
out. Which slices make a volume is `imaging.volumes.series`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.headers.header import Header
from imaging.headers.mosaic import tiling
from imaging.volumes.geometry import directions
from schemas.reasons import Reason

FLOATING = {0x7FE00008: 32, 0x7FE00009: 64}
"""Float Pixel Data and Double Float Pixel Data: bits of a pixel (PS3.3 C.7.6.24 and C.7.6.25)."""

PARALLEL_COSINE = 0.999
"""The stated slice normal and that of the image plane agree, but for their sign, within 2.6 degrees."""


def frames_of(header: Header) -> tuple[Header, ...]:
    """The header of each slice, in the order in which `cut` gives their pixels.

    Raises:
        ImagingError: UNSUPPORTED where a mosaic does not say how its slices are ordered or apart,
            GEOMETRY_INCONSISTENT where it has no usable orientation, PIXELS_INVALID where its tiles do not fit.
    """
    return header.planes or (_mosaic(header) if header.mosaic else (header,))


def require_image(header: Header) -> None:
    """Refuse what is no MR image that this room can read.

    Raises:
        ImagingError: NOT_AN_IMAGE, NOT_MR, UNSUPPORTED (colour, frames without geometry), or PIXELS_INVALID (an empty
            matrix, impossible bits).
    """
    if not header.pixel_tag:
        raise ImagingError(Reason.NOT_AN_IMAGE, "found no pixel data, needed an image")
    if header.modality != "MR":
        raise ImagingError(Reason.NOT_MR, "found another modality, needed MR")
    if header.samples != 1 or header.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ImagingError(Reason.UNSUPPORTED, "found colour or palette pixels, needed grey ones")
    if header.mosaic < 0:
        raise ImagingError(Reason.UNSUPPORTED, "found a mosaic without its number of slices, needed it to cut it up")
    if header.frames != 1 and not header.planes:
        raise ImagingError(Reason.UNSUPPORTED, "found several frames without functional groups, needed the groups")
    if not (header.rows and header.columns):
        raise ImagingError(Reason.PIXELS_INVALID, "found an image without rows or columns, needed both")
    _require_bits(header)


def _require_bits(header: Header) -> None:
    if header.pixel_tag in FLOATING:
        if header.bits_allocated != FLOATING[header.pixel_tag]:
            raise ImagingError(Reason.PIXELS_INVALID, "found bits that are not those of floating point pixels")
        return
    fits = 0 < header.bits_stored <= header.high_bit + 1 <= header.bits_allocated
    if header.bits_allocated not in (1, 8, 16, 32) or not fits:
        raise ImagingError(
            Reason.PIXELS_INVALID, "found impossible bits, needed stored <= allocated, of 1, 8, 16 or 32"
        )


def cut(pixels: NDArray[Any], header: Header) -> NDArray[Any]:
    """The tiles of a mosaic.

    Args:
        pixels: (rows, columns) of the whole instance.
        header: its header.

    Returns:
        (slices, rows of a tile, columns of a tile); or the pixels as they are, where they are no mosaic.
    """
    if not header.mosaic:
        return pixels
    down, across = tiling(header.mosaic, header.vendor)
    rows, columns = pixels.shape[0] // down, pixels.shape[1] // across
    tiles = pixels.reshape(down, rows, across, columns).swapaxes(1, 2)
    return tiles.reshape(down * across, rows, columns)[: header.mosaic]


def _mosaic(header: Header) -> tuple[Header, ...]:
    """The tiles' headers.

    The position of a mosaic is that of the corner it would have as one slice of its full size around the same
    centre, so that the first tile's corner lies half the difference further in. Tiles follow each other along the
    slice normal that the CSA header states.

    Source: nibabel, "Siemens mosaic format"; dcm2niix, Siemens notes.
    """
    down, across = tiling(header.mosaic, header.vendor)
    if header.rows % down or header.columns % across:
        raise ImagingError(Reason.PIXELS_INVALID, "found a mosaic whose matrix is no multiple of its tiles")
    if not header.slice_spacing or header.slice_spacing <= 0 or not header.position or not header.pixel_spacing:
        raise ImagingError(Reason.UNSUPPORTED, "found a mosaic without position or spacing between slices, needed both")
    row, column, _ = directions(header.orientation)
    rows, columns = header.rows // down, header.columns // across
    first = np.array(header.position)
    first = first + row * header.pixel_spacing[1] * (header.columns - columns) / 2
    first = first + column * header.pixel_spacing[0] * (header.rows - rows) / 2
    step = _direction(header) * header.slice_spacing
    return tuple(
        replace(
            header,
            position=tuple(float(x) for x in first + k * step),
            rows=rows,
            columns=columns,
            mosaic=0,
        )
        for k in range(header.mosaic)
    )


def _direction(header: Header) -> NDArray[np.float64]:
    """Unit direction from one tile to the next, LPS.

    Where the CSA header is gone, as after de-identification, the order is taken only where the two habits agree:
    along the plane's own normal, and towards the patient's left, back or head. Sagittal mosaics are ambiguous then.
    """
    normal = directions(header.orientation)[2]
    if header.slice_normal:
        cosine = float(normal @ np.array(header.slice_normal))
        if abs(cosine) < PARALLEL_COSINE:
            raise ImagingError(
                Reason.GEOMETRY_INCONSISTENT, "found a slice normal that is not the image plane's, needed one of them"
            )
        return normal if cosine > 0 else -normal
    if normal[np.abs(normal).argmax()] < 0:
        raise ImagingError(
            Reason.UNSUPPORTED, "found a mosaic that does not say in which order its slices lie, needed a CSA header"
        )
    return normal
