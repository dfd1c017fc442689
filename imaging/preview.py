"""A picture of a volume: three planes side by side, as PNG, for catalogues and reports.

Belongs here: rendering to PNG bytes with numpy and zlib alone. Pictures are shown in the radiological convention: the
patient's right is on the left of axial and coronal planes; sagittal planes look to the left. Pictures are resampled
for display; stored voxels never are.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.volume import Volume
from schemas.reasons import Reason

PANEL = 160
"""Height of the picture, and most of a plane's width or height, in pixels."""

WINDOW = (1.0, 99.5)
"""Percentiles of the shown planes that become black and white."""

COLOURS = np.array(
    [(230, 60, 60), (70, 200, 90), (70, 130, 240), (240, 200, 60), (200, 90, 220), (70, 210, 210), (240, 140, 50)]
)
"""Colours of label values 1 to 7, then again from the first."""

OPACITY = 0.5

Planes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
Grey = NDArray[np.float64]


def preview(volume: Volume) -> bytes:
    """The middle axial, coronal and sagittal plane of the first step, as a grey PNG of 480 x 160 pixels."""
    centre = tuple(n // 2 for n in volume.shape[:3])
    panels = [_windowed(_scaled(plane, size)) for plane, size in _planes(_first_step(volume), volume, centre)]
    return png(np.hstack([_padded(panel) for panel in panels]))


def overlay(volume: Volume, label: NDArray[np.generic]) -> bytes:
    """The three planes with most labelled voxels, labels in colour, as an RGB PNG of 480 x 160 pixels.

    Args:
        volume: the image.
        label: (x, y, z) integers on the same grid; 0 is not shown.

    Raises:
        ImagingError: LABEL_MISFIT where the label has another shape.
    """
    if label.shape != volume.shape[:3]:
        raise ImagingError(
            Reason.LABEL_MISFIT, f"found a label of shape {label.shape} on an image of {volume.shape[:3]}, needed one"
        )
    marked = label != 0
    centre = tuple(
        int(marked.sum(axis=tuple({0, 1, 2} - {axis})).argmax()) if marked.any() else label.shape[axis] // 2
        for axis in range(3)
    )
    greys = _planes(_first_step(volume), volume, centre)
    marks = _planes(label, volume, centre)
    panels = []
    for (grey, size), (mark, _) in zip(greys, marks, strict=True):
        picture = np.repeat(_windowed(_scaled(grey, size))[:, :, None], 3, axis=2).astype(np.float64)
        values = _nearest(mark, size).astype(np.int64)
        colours = COLOURS[(values - 1) % len(COLOURS)]
        blended = np.where((values > 0)[:, :, None], picture * (1 - OPACITY) + colours * OPACITY, picture)
        panels.append(_padded(np.rint(blended).astype(np.uint8)))
    return png(np.hstack(panels))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode an image.

    Args:
        pixels: (height, width) grey or (height, width, 3) RGB.

    Source: W3C PNG specification, third edition, sections 5 and 11.
    """
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    rows = pixels.reshape(height, -1)
    filtered = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _first_step(volume: Volume) -> NDArray[np.generic]:
    return volume.array[..., 0] if volume.array.ndim == 4 else volume.array


def _planes(
    array: NDArray[np.generic], volume: Volume, centre: tuple[int, ...]
) -> list[tuple[NDArray[np.generic], tuple[int, int]]]:
    """Axial, coronal and sagittal plane, top row first, each with its (height, width) in pixels.

    All three share one scale, so that a millimetre is equally long in each.
    """
    i, j, k = centre
    dx, dy, dz = (n * s for n, s in zip(volume.shape[:3], volume.spacing, strict=True))
    scale = PANEL / max(dx, dy, dz)
    axial, coronal, sagittal = array[::-1, ::-1, k].T, array[::-1, j, ::-1].T, array[i, ::-1, ::-1].T
    extents = ((axial, dy, dx), (coronal, dz, dx), (sagittal, dz, dy))
    return [(plane, (max(1, round(h * scale)), max(1, round(w * scale)))) for plane, h, w in extents]


def _nearest(plane: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, plane.shape, strict=True))
    return plane[np.ix_(rows, columns)]


def _scaled(plane: NDArray[np.generic], size: tuple[int, int]) -> Grey:
    """Linear interpolation along rows, then columns."""
    picture = np.nan_to_num(plane.astype(np.float64))
    for axis, wanted in enumerate(size):
        given = picture.shape[axis]
        place = np.clip((np.arange(wanted) + 0.5) * given / wanted - 0.5, 0, given - 1)
        low = place.astype(int)
        share = (place - low).reshape((-1, 1) if axis == 0 else (1, -1))
        high = np.minimum(low + 1, given - 1)
        picture = np.take(picture, low, axis) * (1 - share) + np.take(picture, high, axis) * share
    return picture


def _windowed(picture: Grey) -> NDArray[np.uint8]:
    low, high = np.percentile(picture, WINDOW)
    if high <= low:
        low, high = float(picture.min()), float(picture.max())
    width = high - low if high > low else 1.0
    return np.asarray(np.rint(np.clip((picture - low) / width, 0, 1) * 255), dtype=np.uint8)


def _padded(panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = PANEL - panel.shape[0], PANEL - panel.shape[1]
    edges = ((height // 2, height - height // 2), (width // 2, width - width // 2))
    return np.pad(panel, edges + ((0, 0),) * (panel.ndim - 2))
