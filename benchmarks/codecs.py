"""Shapes, codecs and filters of the voxel payload: the chosen one beside those that were rejected."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import blosc2
import numpy as np
from numpy.typing import NDArray

from benchmarks.heads import MEGABYTES, WHOLE, head, windows
from benchmarks.timing import one_core, rates
from lake.voxels import payload

READS = 40


@dataclass(frozen=True)
class Layout:
    """A way to pack an array.

    Attributes:
        block: voxels of a block.
        chunk: edge of a chunk; None: the one that pads least, as `lake.voxels.payload` chooses it.
    """

    block: tuple[int, int, int]
    element: int = 2
    chunk: int | None = None
    codec: Any = blosc2.Codec.LZ4
    level: int = 1
    filter: Any = blosc2.Filter.BITSHUFFLE
    more: Mapping[str, Any] = field(default_factory=lambda: {"splitmode": blosc2.SplitMode.NEVER_SPLIT})

    def encode(self, array: NDArray[np.int16]) -> bytes:
        """A frame, written as `lake.voxels.payload` writes it."""
        parameters = {
            "codec": self.codec, "clevel": self.level, "filters": [self.filter], "filters_meta": [0],
            "blocksize": int(np.prod(self.block)) * 2, "nthreads": 1, **self.more,
        }  # fmt: skip
        chunk = (self.chunk,) * 3 if self.chunk else payload._chunk(array.shape, list(self.block))
        empty = blosc2.empty(array.shape, array.dtype, chunks=chunk, blocks=self.block, contiguous=True).to_cframe()
        parts = payload._chunks(array, chunk, self.block)
        return payload._framed(empty, [blosc2.compress2(part, typesize=self.element, **parameters) for part in parts])


SMALL, FLAT, CUBE = (16, 16, 16), (16, 16, 32), (32, 32, 32)

REJECTED = {
    "32³ blocks, elements of 2 bytes": Layout(CUBE),
    "32³ blocks, elements of 16 bytes": Layout(CUBE, 16),
    "16³ blocks, elements of 16 bytes": Layout(SMALL, 16),
    "16x16x32 blocks, elements of 2 bytes": Layout(FLAT),
    "16x16x32 blocks, elements of 4 bytes": Layout(FLAT, 4),
    "16x16x32 blocks, elements of 8 bytes": Layout(FLAT, 8),
    "32³ chunks, 16x16x32 blocks, elements of 16 bytes": Layout(FLAT, 16, 32),
    "64³ chunks, 16x16x32 blocks, elements of 16 bytes": Layout(FLAT, 16, 64),
    "16x16x32 blocks, elements of 32 bytes": Layout(FLAT, 32),
    "8x16x32 blocks, elements of 16 bytes": Layout((8, 16, 32), 16),
    "8x16x64 blocks, elements of 16 bytes": Layout((8, 16, 64), 16),
    "8x8x32 blocks, elements of 32 bytes": Layout((8, 8, 32), 32),
    "128³ chunks, 16x16x32 blocks, elements of 16 bytes": Layout(FLAT, 16, 128),
    "LZ4 at level 5": Layout(FLAT, 16, level=5),
    "a stream an element byte": Layout(FLAT, 16, more={"splitmode": blosc2.SplitMode.ALWAYS_SPLIT}),
    "bytes shuffled, not bits": Layout(FLAT, filter=blosc2.Filter.SHUFFLE),
    "bytes shuffled, Zstandard": Layout(FLAT, codec=blosc2.Codec.ZSTD, filter=blosc2.Filter.SHUFFLE),
    "bits shuffled, Zstandard": Layout(FLAT, 16, codec=blosc2.Codec.ZSTD),
    "bits shuffled, BloscLZ": Layout(FLAT, 16, codec=blosc2.Codec.BLOSCLZ),
}


def run() -> str:
    """Measure, and give the table."""
    array, chosen = head(0), f"chosen: {'x'.join(map(str, payload.BLOCK))} blocks, elements of {payload.ELEMENT} bytes"
    encoders: dict[str, Callable[[NDArray[np.int16]], bytes]] = {chosen: payload.encode}
    encoders |= {name: layout.encode for name, layout in REJECTED.items()}
    frames = {name: encode(array) for name, encode in encoders.items()}
    ways: dict[tuple[str, str], Callable[[], float]] = {}
    for name, frame in frames.items():
        ways[name, "crops"] = partial(_crops, frame)
        ways[name, "whole"] = partial(_whole, frame)
        ways[name, "write"] = partial(_write, encoders[name], array)
    with one_core():
        measured = rates({f"{name}/{what}": way for (name, what), way in ways.items()})
    rows = [
        "### Layouts of the payload, in memory, one core, best of five rounds",
        "| layout | 96³ crops/s | whole, MB/s | write, MB/s | size of raw |",
        "|---|---|---|---|---|",
    ]
    for name, frame in frames.items():
        crops, whole, write = (max(measured[f"{name}/{what}"]) for what in ("crops", "whole", "write"))
        rows.append(f"| {name} | {crops:.0f} | {whole:.0f} | {write:.0f} | {len(frame) / array.nbytes:.3f} |")
    return "\n".join(rows)


def _crops(frame: bytes) -> float:
    for window in windows(READS):
        payload.decode(frame, window)
    return READS


def _whole(frame: bytes) -> float:
    payload.decode(frame, WHOLE)
    return MEGABYTES


def _write(encode: Callable[[NDArray[np.int16]], bytes], array: NDArray[np.int16]) -> float:
    encode(array)
    return MEGABYTES
