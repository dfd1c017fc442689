"""The voxel payload: a Blosc2 NDim frame in a binary column, found from the Parquet footer and mapped into memory.

Belongs here: encoding, decoding and finding a payload. Which volumes there are is `lake.volumes`. The codec, filter and
shapes are measured (benchmarks/, docs/decisions/0003-voxels-in-delta.md).
"""

import mmap
from dataclasses import dataclass
from pathlib import Path

import blosc2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from typing_extensions import Buffer

CHUNK, BLOCK = 64, 32
"""Edge of a chunk (one compression context) and of a block (what a crop decodes) along each spatial axis."""

_MAGIC = b"b2frame\0"
"""Bytes 2 to 10 of every Blosc2 contiguous frame (c-blosc2, README_CFRAME_FORMAT)."""

Window = tuple[slice, ...]
"""What to decode: a slice for each axis."""


class PayloadError(ValueError):
    """A payload is not a Blosc2 frame or not where the table says; restore the file or materialize again."""


def encode(array: NDArray[np.generic]) -> bytes:
    """A frame of an array of 1 to 4 axes; a fourth axis is chunked step by step."""
    spatial = array.ndim if array.ndim < 4 else 3
    chunks = tuple(min(n, CHUNK) if axis < spatial else 1 for axis, n in enumerate(array.shape))
    blocks = tuple(min(n, BLOCK) if axis < spatial else 1 for axis, n in enumerate(array.shape))
    parameters = blosc2.CParams(
        codec=blosc2.Codec.LZ4, clevel=5, filters=[blosc2.Filter.BITSHUFFLE], filters_meta=[0], nthreads=1
    )
    frame = blosc2.asarray(np.ascontiguousarray(array), chunks=chunks, blocks=blocks, cparams=parameters)
    return bytes(frame.to_cframe())


def decode(frame: Buffer, window: Window | None = None) -> NDArray[np.generic]:
    """The array of a frame, or a window of it; only the blocks that the window touches are decoded.

    Raises:
        PayloadError: if it is no frame, or its content is damaged.
    """
    view = memoryview(frame)
    if bytes(view[2:10]) != _MAGIC:
        raise PayloadError("found bytes that are no Blosc2 frame, needed one")
    try:
        array: NDArray[np.generic] = np.asarray(blosc2.ndarray_from_cframe(view)[window or ...])
    except RuntimeError:
        raise PayloadError("found a damaged Blosc2 frame, needed an intact one") from None
    return array


@dataclass(frozen=True)
class Place:
    """Where a payload lies.

    Attributes:
        file: the Parquet file.
        row_group: its row group, which holds this one row where the layout is kept.
        row: row inside the row group.
        length: bytes of the payload.
        offset: first byte in the file; None where another engine rewrote the file in another layout.
    """

    file: Path
    row_group: int
    row: int
    length: int
    offset: int | None


def places(file: Path, column: str) -> list[Place]:
    """Where the payloads of a file lie, row by row, from its footer and the `<column>_bytes` column alone."""
    with pq.ParquetFile(file) as parquet:
        lengths = parquet.read(columns=[f"{column}_bytes"])[0].to_pylist()
        names = [parquet.metadata.row_group(0).column(i).path_in_schema for i in range(parquet.metadata.num_columns)]
        index = names.index(column)
        found: list[Place] = []
        for group in range(parquet.metadata.num_row_groups):
            meta = parquet.metadata.row_group(group)
            chunk = meta.column(index)
            mapped = meta.num_rows == 1 and chunk.compression == "UNCOMPRESSED" and not chunk.has_dictionary_page
            for row in range(meta.num_rows):
                length = lengths[len(found)]
                offset = chunk.data_page_offset + chunk.total_compressed_size - length if mapped else None
                found.append(Place(file, group, row, length, offset))
    return found


def read(place: Place, column: str, mapped: mmap.mmap | None = None) -> Buffer:
    """The frame at a place: a view into the mapped file, or a plain read where the layout is another."""
    if place.offset is not None and mapped is not None:
        view = memoryview(mapped)[place.offset : place.offset + place.length]
        if bytes(view[2:10]) == _MAGIC:
            return view
    with pq.ParquetFile(place.file) as parquet:
        values = parquet.read_row_group(place.row_group, columns=[column])[0]
        frame: bytes = values[place.row].as_py()
        return frame
