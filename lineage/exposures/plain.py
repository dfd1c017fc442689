"""Values for Arrow made from their bytes, where a question is asked at the command line.

Belongs here: what would otherwise be `pa.scalar` and `pa.array`. Both look whether a value is one of pandas, and import
it for that, which takes longer than to answer.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def text(value: str) -> pa.StringScalar:
    """A text."""
    data = value.encode()
    ends = np.array([0, len(data)], np.int32)
    return pa.StringArray.from_buffers(1, pa.py_buffer(ends), pa.py_buffer(data))[0]


def integers(values: NDArray[np.int64]) -> pa.Int64Array:
    """(n,) integers, none of them missing; the memory is shared."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
