"""Frames as grey: of any stored type, on one scale, with a dark background.

Belongs here: what pixels mean before anything is looked for in them. Looking is `deid.pixels.lettering`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Stack = NDArray[np.int16]
"""(n, rows, columns), grey."""

_LARGEST = np.iinfo(np.int16).max


def unused_bits(frames: NDArray[Any], bits_stored: int, high_bit: int) -> NDArray[Any]:
    """Pixels without what older scanners hid beside them: overlays in the bits that no pixel uses (PS3.5 8.1.1).

    Args:
        frames: integers of any shape as they are stored.
        bits_stored: bits of a pixel that are its value.
        high_bit: the uppermost of these.

    Returns:
        The frames themselves where every bit is used; otherwise a copy whose unused bits are zero or, for signed
        pixels, repeat the sign.
    """
    allocated = frames.dtype.itemsize * 8
    lowest = high_bit + 1 - bits_stored
    if bits_stored >= allocated or not 0 <= lowest <= high_bit < allocated:
        return frames
    unsigned = frames.view(np.dtype(f"u{frames.dtype.itemsize}").newbyteorder(frames.dtype.byteorder))
    kept = unsigned & unsigned.dtype.type(((1 << bits_stored) - 1) << lowest)
    if frames.dtype.kind == "u":
        return np.asarray(kept.astype(frames.dtype, copy=False))
    above = allocated - 1 - high_bit
    signed = (kept << unsigned.dtype.type(above)).view(frames.dtype) >> above  # an arithmetic shift spreads the sign
    return np.asarray(signed & frames.dtype.type(-1 << lowest))


def grey(frames: NDArray[Any]) -> Stack:
    """Frames of any integer type, grey or colour, as 16-bit grey with a dark background.

    Args:
        frames: (n, rows, columns) or (n, rows, columns, samples).
    """
    if frames.ndim == 4:
        frames = frames.mean(axis=3, dtype=np.float32).astype(np.int32)
    lowest, highest = int(frames.min()), int(frames.max())
    if frames.dtype.kind not in "iu" or lowest < -_LARGEST or highest > _LARGEST:
        scale = _LARGEST / max(highest - lowest, 1)
        stack = ((frames.astype(np.float64) - lowest) * min(scale, 1.0)).astype(np.int16)
    else:
        stack = frames.astype(np.int16, copy=False)
    edge = np.concatenate([stack[:, 0], stack[:, -1], stack[:, :, 0], stack[:, :, -1]], axis=1)
    darkest, brightest = int(stack.min()), int(stack.max())
    if np.median(edge) > (darkest + brightest) / 2:
        return np.asarray((brightest + darkest - stack.astype(np.int32)).clip(-_LARGEST, _LARGEST).astype(np.int16))
    return stack


def limits(stack: Stack) -> NDArray[np.int32]:
    """(n, 2) the darkest and brightest grey of each frame, outliers left out."""
    step = max(1, min(stack.shape[1:]) // 64)
    sample = stack[:, ::step, ::step].reshape(len(stack), -1)
    size = sample.shape[1]
    ranks = (size // 100, size * 995 // 1000, max(size - 3, 0))
    ordered = np.partition(sample, sorted(set(ranks)), axis=1)
    low, bright, brightest = (ordered[:, rank].astype(np.int32) for rank in ranks)
    # a page with little on it is all background: its range is that of the little
    high = np.maximum(bright, low + (brightest - low) // 4)
    return np.stack([low, np.maximum(high, low + 1)], axis=1)
