"""Which places of which frames look like text, cheaply: the look at every frame before anything is read.

Belongs here: counting strokes and ranking places. Text is a row of thin strokes: along a line of pixels brightness goes
up and down as often as it goes down and up, many times within a few letters. Tissue borders go one way only, and fine
tissue looks alike in the frames beside it, so a place is judged against the same place in the other frames. Text that
stands in every frame escapes that comparison; it is what projections show best (`deid.pictures`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stack = NDArray[np.int16]
"""(n, rows, columns), grey."""

CELL = (4, 8)
"""Rows and columns of a cell in which strokes are counted."""
WINDOW = (2, 3)
"""Cells that are judged together: eight rows and 24 columns, three or four small letters."""

_STEPS = ((80 / 255, 0.5), (30 / 255, 1.0))
"""The two thresholds, steps in brightness that white text and grey text make as parts of a frame's range, and what a
stroke counts that passes each."""
_USUAL = 0.75
"""Part of the frames whose strokes at a place are its usual ones."""
_REFERENCES = 32
_LARGEST = np.iinfo(np.int16).max
_CHUNK = 1 << 22
"""Pixels worked on at a time; more would leave the processor's cache."""
_BYTES = np.uint64(0x0101010101010101)
_APART = (5, 8)
"""Cells between two suspects of one frame; nearer ones are in one crop (`deid.pictures`)."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A place that looks like text: its frame, its upper left pixel, and how many strokes it has beyond the usual."""

    frame: int
    row: int
    column: int
    strokes: float


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
    sample = np.sort(stack[:, ::step, ::step].reshape(len(stack), -1), axis=1).astype(np.int32)
    size = sample.shape[1]
    low, bright, brightest = sample[:, size // 100], sample[:, size * 995 // 1000], sample[:, max(size - 3, 0)]
    # a page with little on it is all background: its range is that of the little
    high = np.maximum(bright, low + (brightest - low) // 4)
    return np.stack([low, np.maximum(high, low + 1)], axis=1)


def strokes(stack: Stack) -> NDArray[np.float32]:
    """(n, rows, columns of windows) strokes in each window of each frame; window (i, j) begins at pixel (4 i, 8 j)."""
    size = max(1, _CHUNK // max(stack[0].size, 1))
    return np.concatenate([_strokes(stack[at : at + size]) for at in range(0, len(stack), size)])


def _strokes(stack: Stack) -> NDArray[np.float32]:
    rows, columns = (
        max(-(-side // cell), least) for side, cell, least in zip(stack.shape[1:], CELL, WINDOW, strict=True)
    )
    step = np.zeros((len(stack), rows * CELL[0], columns * CELL[1]), dtype=np.int16)
    wide = stack.astype(np.int32) if int(stack.max()) - int(stack.min()) > _LARGEST else stack
    np.subtract(wide[:, :, 1:], wide[:, :, :-1], out=step[:, : stack.shape[1], : stack.shape[2] - 1], casting="unsafe")
    bounds = limits(stack)
    total = np.zeros((), dtype=np.float32)
    for part, weight in _STEPS:
        least = np.maximum((bounds[:, 1] - bounds[:, 0]) * part, 1).astype(np.int16)[:, None, None]
        up, down = _windows(_counts(step > least)), _windows(_counts(step < -least))
        total = total + np.minimum(up, down).astype(np.float32) * np.float32(weight)
    return np.asarray(total)


def _counts(marked: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Marks in each cell. Eight of them are one 64-bit number, so rows are added and bytes summed at once."""
    n, rows, columns = marked.shape
    words = marked.view(np.uint64).reshape(n, rows // CELL[0], CELL[0], columns // CELL[1])
    return np.asarray(((words.sum(axis=2) * _BYTES) >> np.uint64(56)).astype(np.int16))


def _windows(counts: NDArray[np.int16]) -> NDArray[np.int16]:
    down, across = WINDOW
    rows, columns = counts.shape[1] - down + 1, counts.shape[2] - across + 1
    parts = [counts[:, i : i + rows, j : j + columns] for i in range(down) for j in range(across)]
    return np.asarray(sum(parts[1:], parts[0].copy()))


def suspects(counted: NDArray[np.float32], most: int, least: float) -> list[Suspect]:
    """The places with the most strokes beyond what is usual there, most suspicious first.

    Args:
        counted: see `strokes`.
        most: how many to give.
        least: strokes beyond the usual that make a suspect.
    """
    excess = _beyond_usual(counted)
    peaks = excess.reshape(len(excess), -1).max(axis=1)
    found: list[Suspect] = []
    for _ in range(most):
        frame = int(peaks.argmax())
        if peaks[frame] < least:
            break
        row, column = (int(i) for i in np.unravel_index(int(excess[frame].argmax()), excess.shape[1:]))
        found.append(Suspect(frame, row * CELL[0], column * CELL[1], float(peaks[frame])))
        down, across = _APART
        excess[frame, max(row - down, 0) : row + down + 1, max(column - across, 0) : column + across + 1] = -1
        peaks[frame] = excess[frame].max()
    return found


def _beyond_usual(counted: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(counted) < 3:
        return np.asarray(counted - np.median(counted))
    step = max(1, len(counted) // _REFERENCES)
    sample = np.sort(counted[::step], axis=0)
    return np.asarray(counted - sample[int((len(sample) - 1) * _USUAL)])
