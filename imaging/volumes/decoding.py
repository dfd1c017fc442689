"""Pixels by pydicom's decoders, within bounds.

Belongs here: asking what compressed frames state of their size before a decoder makes room for it. Which instances
have usable pixels is `imaging.volumes.pixels`; de-identification decodes through this, too.
"""

import struct
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, JPEGLSNearLossless

from imaging.headers.codestreams import Matrix, require_decodable

DECODER_ERRORS = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom and its plugins raise over broken pixel data."""

PLUGINS = dict.fromkeys((JPEGLSLossless, JPEGLSNearLossless), "pyjpegls") | dict.fromkeys(
    (JPEGBaseline8Bit, JPEG2000Lossless, JPEG2000), "pillow"
)
"""Who decodes a syntax, where that is not left to pydicom: GDCM ends the whole process over some damaged frames."""


def decoded(data: bytes, *, raw: bool) -> NDArray[Any]:
    """All frames of an instance.

    Args:
        data: the whole file.
        raw: whether colours stay as they are coded; else they become RGB.

    Returns:
        (rows, columns) or (frames, rows, columns), then 3 where it has colours.

    Raises:
        ImagingError: UNSUPPORTED where frames are larger than any image's, PIXELS_INVALID where they state another size
            than the header.
        NotImplementedError: where no installed plugin decodes them.
        Exception: others of `DECODER_ERRORS` where they do not decode.
    """
    from pydicom.pixels.utils import pixel_array  # decoders load plugins; most lakes never need them

    dataset = dcmread(BytesIO(data))
    matrix, syntax = matrix_of(dataset), dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        require_decodable(dataset.PixelData, syntax, matrix, offsets_of(dataset))
    else:
        matrix.require_moderate()
    return np.asarray(pixel_array(dataset, raw=raw, decoding_plugin=PLUGINS.get(syntax, "")))


def matrix_of(dataset: Dataset) -> Matrix:
    """The size that a dataset states, as pydicom's decoders read it."""
    return Matrix(
        frames=int(dataset.get("NumberOfFrames") or 1),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        bits=int(dataset.BitsAllocated),
    )


def offsets_of(dataset: Dataset) -> tuple[bytes, bytes] | None:
    """The Extended Offset Table and its lengths; None where there is none."""
    if "ExtendedOffsetTable" not in dataset:
        return None
    return dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths
