"""The voxel payload: a Blosc2 NDim frame in a binary column.

Belongs here: encoding and decoding a payload. Where payloads lie is `lake.voxels.places`, which there are
`lake.voxels.volumes`. The codec, filter and shapes are measured (benchmarks/, docs/decisions/0003-voxels-in-delta.md).
Blosc2 brings an HTTP client and more along, so it is imported with the first payload: who reads other columns waits
for none of it.
"""

import contextlib
import itertools
import math
import mmap
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

CHUNK = 64**3
"""Voxels of a chunk at most: one compressed piece, which is looked up once. A chunk is stored whole, padded where it
reaches beyond the array, so its shape is one that pads least: with 64 voxels an edge, a head of 224 x 224 x 160 would
pack half as much again in zeros."""
_LEAST = CHUNK // 8
"""Voxels of a chunk at least, where the array has as many: smaller ones cost more to look up than they save."""
_WINDOW = 96
"""Edge in voxels of the crop that pre-training takes, for which few chunks are to be looked up."""
BLOCK = (16, 16, 40)
"""Voxels of a block along x, y, z, what a crop decodes at least; small ones waste less at a crop's rim, long ones are
copied faster."""
_SHORTEST = 0.6
"""Share of `BLOCK` that a block has along z at least, where it pads less for it."""
ELEMENT = 16
"""Bytes whose bits are transposed together. Blosc2 transposes elements of 4 bytes and more with AVX2 and smaller ones
with SSE2 only, and wide ones fastest: eight voxels of 16 bits as one element are read half as fast again as each of
them alone, for 0.02 of the size."""

_AT_ONCE = 8
"""Planes copied together where their order changes: as many streams as the first cache keeps apart."""

_MAGIC = b"b2frame\0"
"""Bytes 2 to 10 of every Blosc2 contiguous frame (c-blosc2, README_CFRAME_FORMAT)."""

Window = tuple[slice, ...]
"""What to decode: a slice for each axis."""


class PayloadError(ValueError):
    """A payload is not a Blosc2 frame or not where the table says; restore the file or materialize again."""


def encode(array: NDArray[np.generic]) -> bytes:
    """A frame of an array of 1 to 4 axes; a fourth axis is chunked step by step.

    Every Blosc2 reads it: the size of an element stands in each chunk. Steps that lie one after the other in memory
    are fastest.
    """
    import blosc2

    chunk, block = _shapes(array.shape, array.itemsize)
    size = math.prod(block) * array.itemsize
    compression = {
        "codec": blosc2.Codec.LZ4,
        "clevel": 1,
        "filters": [blosc2.Filter.BITSHUFFLE],
        "filters_meta": [0],
        "blocksize": size,
        "splitmode": blosc2.SplitMode.NEVER_SPLIT,
        "nthreads": 1,
    }
    element = array.itemsize if size % ELEMENT else ELEMENT
    empty = blosc2.empty(array.shape, array.dtype, chunks=chunk, blocks=block, cparams=compression, contiguous=True)
    packed = (blosc2.compress2(part, typesize=element, **compression) for part in _chunks(array, chunk, block))
    return _framed(empty.to_cframe(), list(packed))


def _framed(empty: bytes, chunks: list[bytes]) -> bytes:
    """A frame of chunks, from the frame of an array of the same shape that has none.

    Header, chunks, the packed list of where they start, and trailer; the header states the sizes. Blosc2's own way from
    an array to a frame moves each chunk several times, which takes as long as packing them.

    Source: c-blosc2, README_CFRAME_FORMAT.
    """
    import blosc2

    head, last = int.from_bytes(empty[11:15], "big"), int.from_bytes(empty[-22:-18], "big")
    header, trailer = bytearray(empty[:head]), empty[-last:]
    kept = [b"" if chunk[31] & 0x70 == 0x10 else chunk for chunk in chunks]
    sizes = np.array([len(chunk) for chunk in kept], np.int64)
    # a chunk of zeros is not stored: the highest byte of its place says so
    places = np.where(sizes > 0, np.cumsum(sizes) - sizes, np.int64(-0x7F << 56))
    listed = blosc2.compress2(places, typesize=8, nthreads=1)
    header[16:24] = (head + int(sizes.sum()) + len(listed) + last).to_bytes(8, "big")
    header[39:47] = int(sizes.sum()).to_bytes(8, "big")
    return b"".join([header, *kept, listed, trailer])


def is_frame(data: Buffer) -> bool:
    """Whether bytes begin as a frame does."""
    return bytes(memoryview(data)[2:10]) == _MAGIC


class Frame:
    """An opened payload, for one reader at a time: Blosc2 unpacks into buffers that belong to it.

    It points into the bytes it is made of, and keeps them; opening and the first look at its chunks are a fifteenth of
    a crop, so who reads several windows keeps it.

    Attributes:
        held: bytes of memory that are kept with it: none where they are a mapped file.
    """

    def __init__(self, data: Buffer) -> None:
        """Open a frame; its chunks are not read.

        Raises:
            PayloadError: if it is no frame, or its header is damaged.
        """
        import blosc2

        self._data = memoryview(data)
        if not is_frame(self._data):
            raise PayloadError("found bytes that are no Blosc2 frame, needed one")
        self.held = 0 if isinstance(self._data.obj, mmap.mmap) else self._data.nbytes
        with _damage_told():
            self._stored = blosc2.ndarray_from_cframe(self._data)
            shape, chunks = self._stored.shape, self._stored.chunks
            if math.prod(math.ceil(n / c) for n, c in zip(shape, chunks, strict=True)) != self._stored.schunk.nchunks:
                raise PayloadError("found a Blosc2 frame of other chunks than its shape has, needed an intact one")

    def read(self, window: Window | None = None) -> NDArray[np.generic]:
        """The array, or a window of it; only the blocks that the window touches are decoded.

        Args:
            window: a slice without step for each axis; what reaches beyond the array is cut off.

        Returns:
            The voxels, axes as stored. Steps of a fourth axis lie one after the other in memory.

        Raises:
            PayloadError: if a chunk is damaged.
        """
        with _damage_told():
            return _window(self._stored, window)


def decode(data: Buffer, window: Window | None = None) -> NDArray[np.generic]:
    """The array of a frame that is read once, or a window of it, as `Frame.read`.

    Raises:
        PayloadError: if it is no frame, or its content is damaged.
    """
    return Frame(data).read(window)


_DAMAGE = (RuntimeError, SyntaxError, TypeError, ValueError)
"""What Blosc2 raises of damaged content: of chunks, and of the type that the frame states."""


@contextlib.contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except PayloadError:
        raise
    except _DAMAGE:
        raise PayloadError("found a damaged Blosc2 frame, needed an intact one") from None


def _window(stored: Any, window: Window | None) -> NDArray[np.generic]:
    shape = stored.shape
    spans = [s.indices(n)[:2] for s, n in zip(window or (slice(None),) * len(shape), shape, strict=True)]
    start, stop = [a for a, _ in spans], [max(a, b) for a, b in spans]
    size = [b - a for a, b in zip(start, stop, strict=True)]
    if len(shape) <= len(BLOCK):
        return _filled(stored, start, stop, np.empty(size, stored.dtype))
    array: NDArray[np.generic] = np.empty((size[-1], *size[:-1]), stored.dtype)
    fill = _filled if 2 * math.prod(size[:-1]) < math.prod(shape[:-1]) or stored.chunks[-1] > 1 else _filled_by_chunk
    for number, step in enumerate(range(start[-1], stop[-1])):
        fill(stored, [*start[:-1], step], [*stop[:-1], step + 1], array[number, ..., None])
    return np.moveaxis(array, 0, -1)


def _filled(stored: Any, start: list[int], stop: list[int], array: NDArray[np.generic]) -> NDArray[np.generic]:
    """The array filled with a window, by the blocks that it touches."""
    # the general indexing of an NDArray costs a tenth of a crop
    return stored.get_slice_numpy(array, (start, stop)) if array.size else array


def _filled_by_chunk(stored: Any, start: list[int], stop: list[int], array: NDArray[np.generic]) -> None:
    """Fill an array with a window of one step, by whole chunks.

    Blosc2 copies runs along the last axis, which is one voxel long in a step; this is three times as fast.
    """
    chunk, block = stored.chunks[:-1], stored.blocks[:-1]
    blocks = [math.ceil(c / b) for c, b in zip(chunk, block, strict=True)]
    ordered: NDArray[np.generic] = np.empty((*blocks, *block), stored.dtype)
    grid = [math.ceil(n / c) for n, c in zip(stored.shape, stored.chunks, strict=True)]
    touched = (range(a // c, math.ceil(b / c)) for a, b, c in zip(start[:-1], stop[:-1], chunk, strict=True))
    for place in itertools.product(*touched):
        stored.schunk.decompress_chunk(int(np.ravel_multi_index((*place, start[-1]), grid)), ordered)
        part = ordered.transpose(0, 3, 1, 4, 2, 5).reshape([n * b for n, b in zip(blocks, block, strict=True)])
        first = [k * c for k, c in zip(place, chunk, strict=True)]
        low = [max(a, f) for a, f in zip(start[:-1], first, strict=True)]
        high = [min(b, f + c) for b, f, c in zip(stop[:-1], first, chunk, strict=True)]
        to = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start[:-1], strict=True))
        array[..., 0][to] = part[tuple(slice(a - f, b - f) for a, b, f in zip(low, high, first, strict=True))]


@lru_cache(maxsize=256)
def _shapes(shape: tuple[int, ...], itemsize: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Chunk and block of an array: near `CHUNK` and `BLOCK`, dividing each axis evenly, so that little is padded."""
    space = shape[: len(BLOCK)]
    edges = [min(n, edge) for n, edge in zip(space, BLOCK[-len(space) :], strict=True)]
    while 2 * math.prod(edges) <= math.prod(BLOCK) and max(n - edge for n, edge in zip(space, edges, strict=True)) > 0:
        # a thin axis leaves its share to the others
        least = min((edge, axis) for axis, edge in enumerate(edges) if edge < space[axis])[1]
        edges[least] = min(space[least], 2 * edges[least])
    block = [math.ceil(n / math.ceil(n / edge)) for n, edge in zip(space, edges, strict=True)]
    block[-1] = _length(space[-1], edges[-1], max(1, ELEMENT // itemsize))
    steps = (1,) * (len(shape) - len(space))
    return (*_chunk(space, block), *steps), (*block, *steps)


def _length(axis: int, most: int, whole: int) -> int:
    """Length of blocks along the last axis, of whole elements: near the most, and the axis padded least."""
    fewest = math.ceil(axis / most)
    found = {
        number: min(axis, math.ceil(axis / number / whole) * whole)
        for number in range(fewest, max(fewest, math.ceil(axis / (_SHORTEST * most))) + 1)
    }
    return found[min(found, key=lambda number: (number * found[number], number))]


def _chunk(space: tuple[int, ...], block: list[int]) -> tuple[int, ...]:
    """The chunk that pads an array least, and of those the one of which a crop touches fewest."""
    counts = [math.ceil(n / b) for n, b in zip(space, block, strict=True)]
    least = min(_LEAST, math.prod(n * b for n, b in zip(counts, block, strict=True)))

    def cost(chunk: tuple[int, ...]) -> tuple[object, ...]:
        number = [math.ceil(n / c) for n, c in zip(space, chunk, strict=True)]
        padded = math.prod(n * c for n, c in zip(number, chunk, strict=True))
        touched = math.prod(min(n, 1 + _WINDOW / c) for n, c in zip(number, chunk, strict=True))
        return padded, touched, *(-c for c in reversed(chunk))

    edges = ({math.ceil(n / k) * b for k in range(1, n + 1)} for n, b in zip(counts, block, strict=True))
    return min((c for c in itertools.product(*edges) if least <= math.prod(c) <= CHUNK), key=cost)


def _chunks(
    array: NDArray[np.generic], chunk: tuple[int, ...], block: tuple[int, ...]
) -> Iterator[NDArray[np.generic]]:
    """Each chunk in the order of the frame, block after block, zeros where it reaches beyond the array."""
    depth = min(array.ndim, len(BLOCK))
    block = block[:depth]  # a chunk is of one step
    blocks = [c // b for c, b in zip(chunk[:depth], block, strict=True)]
    # rows of a block are moved as one element each, not voxel by voxel
    row, rows = np.dtype((np.void, block[-1] * array.itemsize)), (*block[:-1], 1)
    axes = [axis for pair in zip(range(depth), range(depth, 2 * depth), strict=True) for axis in pair]
    whole: NDArray[np.generic] = np.empty((*blocks, *block), array.dtype)
    partial = np.empty_like(whole)
    for place in np.ndindex(*(math.ceil(n / c) for n, c in zip(array.shape, chunk, strict=True))):
        part = array[tuple(slice(k * c, (k + 1) * c) for k, c in zip(place, chunk, strict=True))]
        ordered = whole if part.shape == chunk else partial
        if ordered is partial:
            ordered.fill(0)
        space: tuple[int, ...] = part.shape[:depth]
        part, lacking = part.reshape(space), [-n % b for n, b in zip(space, block, strict=True)]
        if any(lacking):
            part = np.pad(part, [(0, n) for n in lacking])
        filled = [math.ceil(n / b) for n, b in zip(space, block, strict=True)]
        apart = [n for pair in zip(filled, rows, strict=True) for n in pair]
        to = ordered.view(row)[tuple(map(slice, filled))].transpose(axes)
        to[...] = _last_fastest(part).view(row).reshape(apart)
        yield ordered


def _last_fastest(part: NDArray[np.generic]) -> NDArray[np.generic]:
    """A chunk in the order of its axes; copied a few planes at a time, which is twice as fast as all at once."""
    if part.strides[-1] == part.itemsize:
        return part
    ordered: NDArray[np.generic] = np.empty(part.shape, part.dtype)
    to, what = np.moveaxis(ordered, -1, 0), np.moveaxis(part, -1, 0)
    for start in range(0, len(to), _AT_ONCE):
        to[start : start + _AT_ONCE] = what[start : start + _AT_ONCE]
    return ordered
