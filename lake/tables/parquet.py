"""A Parquet file that is in memory, as rows.

Belongs here: the one safe way to read it. Files of tables are read through Delta.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq


def rows_of(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a file, read by this thread alone.

    Arrow's threads may hold Python's bytes while the interpreter ends, which then aborts: 4 of 75 runs of a short
    command did, on a busy machine. On files of some hundred rows they also cost more than they save.

    Args:
        data: the file.
        columns: to read; None: all.

    Raises:
        pyarrow.ArrowException, OSError: if it is no Parquet file of these columns.
    """
    return pq.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(columns, use_threads=False)
