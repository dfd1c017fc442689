"""A picture of a volume: three planes and a histogram side by side, as PNG, for catalogues and reports.

Belongs here: rendering to PNG bytes with numpy and zlib alone. Pictures are shown in the radiological convention: the
patient's right is on the left of axial and coronal planes; sagittal planes look to the left. Letters at
the edges say so. Pictures are resampled for display; stored voxels never are.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.pictures.lettering import HEIGHT, drawn
from imaging.volumes.statistics import Statistics, statistics
from imaging.volumes.volume import Volume
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

_SIDES = (("R", "L", "A", "P"), ("R", "L", "S", "I"), ("A", "P", "S", "I"))
"""What lies left, right, above and below of each plane."""

_DIM, _BRIGHT = 110, 210
"""Grey of letters and of a histogram's background, and of its tissue."""

_MARGIN = 14
"""Pixels around a histogram: its axis and the figures below it."""

Grey = NDArray[np.float64]


def preview(volume: Volume, known: Statistics | None = None) -> bytes:
    """The middle axial, coronal and sagittal plane of the first step, and a histogram, as a grey PNG of 640 x 160.

    Where the middle slice is missing, the nearest that is there is shown.

    Args:
        volume: the volume.
        known: its statistics, where they were computed before.
    """
    planes = _planes(_first_step(volume), volume, _centre(volume))
    panels = [
        _lettered(_padded(_windowed(_scaled(plane, size))), sides)
        for (plane, size), sides in zip(planes, _SIDES, strict=True)
    ]
    return png(np.hstack([*panels, histogram(known or statistics(volume))]))


def _centre(volume: Volume) -> tuple[int, ...]:
    centre = [n // 2 for n in volume.shape[:3]]
    axis, missing = volume.missing_axis, set(volume.missing_slices)
    there = [place for place in range(volume.shape[axis]) if place not in missing]
    centre[axis] = min(there, key=lambda place: abs(place - centre[axis]), default=centre[axis])
    return tuple(centre)


def histogram(numbers: Statistics) -> NDArray[np.uint8]:
    """Square roots of how often intensities occur, from the lowest value (0 %) to the largest (100 %).

    Bars of the background are dark, those of tissue bright; a dotted line marks the cut between them, where there is
    one. The square root shows a small peak beside a large one.

    Returns:
        (160, 160) grey values.
    """
    panel = np.zeros((PANEL, PANEL), np.uint8)
    low, high = float(numbers.levels[0]), float(numbers.levels[-1])
    width = PANEL - 2 * _MARGIN
    foot = PANEL - HEIGHT - 6
    bins = np.zeros(len(numbers.levels), np.int64)
    if high > low:
        bins = np.clip((numbers.levels - low) / (high - low) * width, 0, width - 1).astype(np.int64)
    counts = np.sqrt(np.bincount(bins, numbers.counts, width))
    # the tallest bar is often blank air: the next one sets the scale, and the tallest fills the height
    scale = np.sort(counts)[-2] or counts.max()
    heights = np.rint(np.minimum(counts / scale, 1.0) * (foot - _MARGIN)).astype(int)
    cut = int((numbers.threshold - low) / (high - low) * width) if low <= numbers.threshold < high else -1
    for place, tall in enumerate(heights):
        panel[foot - tall : foot, _MARGIN + place] = _DIM if place <= cut else _BRIGHT
    panel[foot, _MARGIN : PANEL - _MARGIN] = _DIM
    if cut >= 0:
        panel[_MARGIN:foot:4, _MARGIN + cut] = 255
    for share in (0, 50, 100):
        text = drawn(f"{share}%") if share == 100 else drawn(str(share))
        place = _MARGIN + width * share // 100 - text.shape[1] // 2
        place = min(place, PANEL - text.shape[1])
        panel[foot + 4 : foot + 4 + HEIGHT, place : place + text.shape[1]][text] = _DIM
    return panel


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


def _lettered(panel: NDArray[np.uint8], sides: tuple[str, ...]) -> NDArray[np.uint8]:
    """The panel with the names of its sides in the middle of each edge."""
    left, right, above, below = (np.pad(drawn(side), 1) for side in sides)
    height, width = left.shape
    middle, across = (PANEL - height) // 2, (PANEL - width) // 2
    for text, row, column in (
        (left, middle, 0),
        (right, middle, PANEL - width),
        (above, 0, across),
        (below, PANEL - height, across),
    ):
        panel[row : row + height, column : column + width] = np.where(text, _DIM, 0)
    return panel


def _padded(panel: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = PANEL - panel.shape[0], PANEL - panel.shape[1]
    edges = ((height // 2, height - height // 2), (width // 2, width - width // 2))
    return np.pad(panel, edges + ((0, 0),) * (panel.ndim - 2))
