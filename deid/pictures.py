"""Pictures to read text in, made of a stack of frames: projections for text in every frame, mosaics for suspects.

Belongs here: what to show the reader and at which contrast. Reading is `deid.ocr`, suspects come from `deid.gate`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.gate import CELL, Stack, Suspect, limits

Picture = NDArray[np.uint8]
"""(rows, columns), grey."""

CROP = (40, 112)
"""Rows and columns around a suspect: a line of large letters, half a dozen of them."""
_GAP = 4
_GAP_GREY = 64
_ACROSS = 3
_OUTLIERS = 0.003
_THIN = 3
"""Of so many rows and columns one tells how alike two crops are."""
_BEYOND = (0.12, 0.4)
"""Parts of a frame's range: a difference that is at most shown as white, so noise stays dark, and one that is at least,
so letters over dark and bright tissue look alike."""


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


def mosaic(stack: Stack, suspects: Sequence[Suspect], counted: NDArray[np.float32]) -> tuple[Picture, list[Corner]]:
    """What frames show at suspects that other frames do not, side by side: of tissue little is left, of text all.

    Args:
        stack: the frames.
        suspects: at least one.
        counted: strokes of the frames, see `deid.gate.strokes`.

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
        crops = stack[:, top : top + down, left : left + across]
        here = counted[:, suspect.row // CELL[0], suspect.column // CELL[1]]
        others = np.flatnonzero(here <= here[suspect.frame] - suspect.strokes / 2)
        low, high = limits(stack[suspect.frame : suspect.frame + 1])[0]
        row, column = place // _ACROSS * (down + _GAP), place % _ACROSS * (across + _GAP)
        sheet[row : row + down, column : column + across] = _own(crops, suspect.frame, others, float(high - low))
        corners.append(Corner(row, column, top, left, down, across))
    return sheet, corners


def _own(crops: Stack, frame: int, others: NDArray[np.intp], extent: float) -> Picture:
    """How far a crop leaves what the two others show that are most like it; without others the crop itself."""
    crop = crops[frame].astype(np.int32)
    others = others[others != frame]
    if not others.size:
        return shown(crop, _quantile(crop, 0.02), _quantile(crop, 1 - _OUTLIERS))
    apart = np.abs(crops[others, ::_THIN, ::_THIN].astype(np.int32) - crop[::_THIN, ::_THIN]).sum(axis=(1, 2))
    alike = crops[others[np.argsort(apart, kind="stable")[:2]]].astype(np.int32)
    beyond = np.abs(crop - crop.clip(alike.min(axis=0), alike.max(axis=0)))
    least, most = (part * extent for part in _BEYOND)
    return shown(beyond, 0, min(max(_quantile(beyond, 0.99), least), most))


def place_in_mosaic(corners: Sequence[Corner], box: tuple[int, int, int, int]) -> int | None:
    """Which of the suspects a box (top, left, bottom, right) of the mosaic shows most of, if any."""
    top, left, bottom, right = box
    shares = [
        max(min(bottom, c.sheet_row + c.rows) - max(top, c.sheet_row), 0)
        * max(min(right, c.sheet_column + c.columns) - max(left, c.sheet_column), 0)
        for c in corners
    ]
    place = int(np.argmax(shares))
    return place if shares[place] else None


def _quantile(image: NDArray[np.generic], part: float) -> float:
    flat = image.ravel()
    place = min(int(part * flat.size), flat.size - 1)
    return float(np.partition(flat, place)[place])
