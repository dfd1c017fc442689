"""Pictures made of a stack of frames: a projection that shows what stands in every frame, and crops to read.

Belongs here: what to look at and at which contrast. Where lettering is in them is seen by `deid.pixels.lettering`, what
it says is read by `deid.pixels.ocr`.
"""

import numpy as np
from numpy.typing import NDArray

from deid.pixels.gate import Stack

Picture = NDArray[np.uint8]
"""(rows, columns), grey."""

_OUTLIERS = 0.003


def projection(stack: Stack) -> Stack:
    """(1, rows, columns) the median of the frames: tissue and noise blur, what most frames show stays sharp."""
    middle = (len(stack) - 1) // 2
    return np.asarray(np.partition(stack, middle, axis=0)[[middle]])


def stretched(crop: NDArray[np.generic]) -> Picture:
    """A part of a frame at the contrast that it has itself."""
    return _shown(crop, _quantile(crop, 0.02), _quantile(crop, 1 - _OUTLIERS))


def _shown(image: NDArray[np.generic], low: float, high: float) -> Picture:
    """An image as 8-bit grey between two limits."""
    scaled = (image.astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1e-6))
    return scaled.clip(0, 255).astype(np.uint8)


def _quantile(image: NDArray[np.generic], part: float) -> float:
    flat = image.ravel()
    place = min(int(part * flat.size), flat.size - 1)
    return float(np.partition(flat, place)[place])
