"""Where lettering stands in a frame: a small net of this project's own, `lettering.onnx`.

Belongs here: frames in, one probability for each square of four pixels out. The net was trained on drawn words and
made-up images alone, by `benchmarks.lettering`. What becomes of the places is `deid.pixels.burned_in`. The session is
made when the first frame is looked at.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.pixels.gate import Stack, limits

Scaled = NDArray[np.float32]
"""(n, rows, columns) grey as a part of each frame's range."""
Likely = NDArray[np.float32]
"""(n, rows / 4, columns / 4) the probability, 0 to 1, that a square of a frame belongs to lettering."""

STRIDE = 4
"""Rows and columns of pixels that one answer is about."""
_MODEL = Path(__file__).with_name("lettering.onnx")
_CHUNK = 1 << 17
"""Pixels looked at together; with more the processor's cache is left."""
_DARKEST, _BRIGHTEST = -0.2, 1.6
_BLOCK = 16
"""Sides are a multiple of this for the net; more pixels of the edge are put beside smaller frames."""


class Place(NamedTuple):
    """Where lettering may stand: a frame, its pixels (bottom and right outside), and how much of it is seen there.

    Attributes:
        frame: of the stack.
        top, left, bottom, right: the rectangle around the squares.
        mass: the sum of the probabilities of the squares.
    """

    frame: int
    top: int
    left: int
    bottom: int
    right: int
    mass: float


def scaled(stack: Stack) -> Scaled:
    """Frames on a scale on which 0 is the dark and 1 the bright limit of each."""
    bounds = limits(stack).astype(np.float32)
    low, extent = bounds[:, 0, None, None], (bounds[:, 1] - bounds[:, 0])[:, None, None]
    frames = stack.astype(np.float32)  # and then in place: a fifth less time than subtracting into another type
    frames -= low
    frames *= 1 / extent
    return frames.clip(_DARKEST, _BRIGHTEST, out=frames)


def seen(stack: Stack) -> Likely:
    """How likely lettering is in each square of each frame."""
    rows, columns = (-(-side // STRIDE) for side in stack.shape[1:])
    size = max(1, _CHUNK // stack[0].size)
    chunks = [_answers(scaled(stack[at : at + size])) for at in range(0, len(stack), size)]
    return np.concatenate(chunks)[:, :rows, :columns]


def _answers(frames: Scaled) -> Likely:
    missing = [(0, -side % _BLOCK) for side in frames.shape[1:]]
    padded = np.pad(frames, [(0, 0), *missing], mode="edge") if any(after for _, after in missing) else frames
    return np.asarray(_session().run(None, {"frames": padded})[0])


@cache
def _session() -> Any:
    """The net of this process, with one thread as every worker has one core."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(_MODEL, options, providers=["CPUExecutionProvider"])


def places(likely: Likely, least: float) -> list[Place]:
    """Squares that hang together and are likelier than `least`, in each frame, those with the most mass first."""
    from scipy import ndimage

    frames = np.flatnonzero(likely.max(axis=(1, 2)) > least)
    if not frames.size:
        return []
    chosen = likely[frames]
    labels, count = ndimage.label(chosen > least, structure=_TOUCHING)
    masses = ndimage.sum_labels(chosen, labels, range(1, count + 1))
    found = [
        Place(
            int(frames[where.start]), down.start * STRIDE, across.start * STRIDE,
            down.stop * STRIDE, across.stop * STRIDE, float(mass),
        )
        for (where, down, across), mass in zip(ndimage.find_objects(labels), masses, strict=True)
    ]  # fmt: skip
    return sorted(found, key=lambda place: -place.mass)


_TOUCHING = np.stack([np.zeros((3, 3), int), np.ones((3, 3), int), np.zeros((3, 3), int)])
"""Squares touch at sides and corners, and never across frames."""
