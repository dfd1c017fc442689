"""Pictures to read text in, made of a stack of frames: projections for text in every frame, mosaics for suspects.

Belongs here: what to show the reader and at which contrast. Reading is `deid.ocr`, suspects come from `deid.gate`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.gate import Stack, Suspect

Picture = NDArray[np.uint8]
"""(rows, columns), grey."""

CROP = (40, 112)
"""Rows and columns around a suspect: a line of large letters, half a dozen of them."""
_GAP = 8
_GAP_GREY = 64
_ACROSS = 3
_OUTLIERS = 0.003


def shown(image: NDArray[np.generic], low: float, high: float) -> Picture:
    """An image as 8-bit grey between two limits."""
    scaled = (image.astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1))
    return scaled.clip(0, 255).astype(np.uint8)


def darkest(stack: Stack, low: float, high: float) -> Picture:
    """The minimum over the frames: tissue moves and vanishes, text that stands still stays."""
    image = stack.min(axis=0)
    return shown(image, low, max(_quantile(image, 1 - _OUTLIERS / 3), low + (high - low) / 4))


def brightest(stack: Stack, low: float, high: float) -> Picture:
    """The maximum over the frames: bright text in any frame."""
    image = stack.max(axis=0)
    top = float(image.max())
    return shown(image, low, top if top < low + 2 * (high - low) else low + 1.2 * (high - low))


def still(stack: Stack) -> Picture:
    """How little a pixel changes from frame to frame: text of any grey is bright, even tissue and air are noisy."""
    changes = stack.max(axis=0).astype(np.float32) - stack.min(axis=0)
    tone = np.log1p(changes * np.float32(4 / (np.median(changes) + 1)))
    return np.asarray(255 - shown(tone * 1000, 0, max(_quantile(tone, 0.99) * 1000, 1)))


class Corner(NamedTuple):
    """Where a crop begins, in the mosaic and in its frame, and its size."""

    sheet_row: int
    sheet_column: int
    frame_row: int
    frame_column: int
    rows: int
    columns: int


def mosaic(stack: Stack, suspects: Sequence[Suspect]) -> tuple[Picture, list[Corner]]:
    """Crops around suspects, each at its own contrast, side by side.

    Args:
        stack: the frames.
        suspects: at least one.

    Returns:
        The picture, and where in it each suspect is.
    """
    down, across = (min(side, limit) for side, limit in zip(CROP, stack.shape[1:], strict=True))
    lines, columns = -(-len(suspects) // _ACROSS), min(len(suspects), _ACROSS)
    sheet = np.full((lines * (down + _GAP), columns * (across + _GAP)), _GAP_GREY, dtype=np.uint8)
    corners = []
    for place, suspect in enumerate(suspects):
        # in the middle of the crop: eight rows and 24 columns that were counted together
        top = min(max(suspect.row + 4 - down // 2, 0), stack.shape[1] - down)
        left = min(max(suspect.column + 12 - across // 2, 0), stack.shape[2] - across)
        crop = stack[suspect.frame, top : top + down, left : left + across]
        row, column = place // _ACROSS * (down + _GAP), place % _ACROSS * (across + _GAP)
        sheet[row : row + down, column : column + across] = shown(
            crop, _quantile(crop, 0.02), _quantile(crop, 1 - _OUTLIERS)
        )
        corners.append(Corner(row, column, top, left, down, across))
    return sheet, corners


def place_in_mosaic(corners: Sequence[Corner], row: float, column: float) -> int | None:
    """Which of the suspects a pixel of the mosaic shows, if any."""
    for place, corner in enumerate(corners):
        within = 0 <= row - corner.sheet_row < corner.rows and 0 <= column - corner.sheet_column < corner.columns
        if within:
            return place
    return None


def _quantile(image: NDArray[np.generic], part: float) -> float:
    flat = image.ravel()
    place = min(int(part * flat.size), flat.size - 1)
    return float(np.partition(flat, place)[place])
