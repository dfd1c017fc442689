"""Where the payloads of a table lie: the row of each volume in its file, and the bytes of its voxels.

Belongs here: finding them from Parquet footers, one file at a time. Which files a table version has, and keeping what
was found, is `lake.voxels.index`. What the bytes mean is `lake.voxels.payload`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lake.tables.formats import outdated
from lake.voxels.sources import Source, UnreadableFile
from schemas.contract import Table

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("file", pa.string()),
        pa.field("partition", pa.string()),
        pa.field("row_group", pa.int32()),
        pa.field("row", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("length", pa.int64()),
        pa.field("shape", pa.list_(pa.int32())),
    ]
)
"""A `Place` a row, with the volume's id."""


@dataclass(frozen=True)
class Place:
    """Where a volume lies.

    Attributes:
        file: the Parquet file, relative to the table.
        partition: value of each partition column, which the file does not hold.
        row_group: its row group, which holds this one row where the layout is kept.
        row: row inside the row group.
        offset: first byte of the payload in the file; None where another engine rewrote the file in another layout.
        length: bytes of the payload.
        shape: voxels along each axis.
    """

    file: str
    partition: Mapping[str, str]
    row_group: int
    row: int
    offset: int | None
    length: int
    shape: tuple[int, ...]


def places(source: Source, contract: Table, file: str, partition: str) -> pa.Table:
    """Places of a file's rows, from its footer and three small columns.

    Args:
        source: where the table lies.
        contract: its contract; has a payload.
        file: the file, relative to the table.
        partition: values of its partition columns, a JSON object.

    Raises:
        FileNotFoundError: if the file is gone.
        UnreadableFile: if it cannot be read.
        TableOutdated: if it has not the columns that every payload needs.
    """
    parquet = source.parquet(file)
    names = [contract.key[-1], f"{contract.payload}_bytes", "shape"]
    rows = read(parquet, names)
    if missing := [name for name in names if name not in rows.column_names]:
        raise outdated(contract, missing)
    ids, lengths, shapes = (rows[name] for name in names)
    where = list(_where(parquet.metadata, str(contract.payload), lengths.to_pylist()))
    columns = [list(column) for column in zip(*where, strict=True)] or [[], [], []]
    arrays = [ids, [file] * len(ids), [partition] * len(ids), *columns, lengths, shapes]
    made = [
        a.cast(f.type) if isinstance(a, pa.ChunkedArray) else pa.array(a, f.type)
        for a, f in zip(arrays, SCHEMA, strict=True)
    ]
    return pa.table(made, schema=SCHEMA)


def place(row: Mapping[str, Any]) -> Place:
    """The place that a row of `SCHEMA` states."""
    facts = {name: row[name] for name in ("file", "row_group", "row", "offset", "length")}
    return Place(**facts, partition=json.loads(row["partition"]), shape=tuple(row["shape"]))


def read(parquet: pq.ParquetFile, columns: Sequence[str], row_group: int | None = None) -> pa.Table:
    """Columns of a file, or of one of its row groups; those that it has not are left out.

    Raises:
        UnreadableFile: if its content is damaged.
    """
    try:
        # in a process that was forked, or among many workers, threads of Arrow's own are no help
        if row_group is None:
            return parquet.read(list(columns), use_threads=False)
        return parquet.read_row_group(row_group, list(columns), use_threads=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError):
        raise UnreadableFile("found a Parquet file with damaged content") from None


def _where(footer: pq.FileMetaData, column: str, lengths: Sequence[int]) -> Iterator[tuple[int, int, int | None]]:
    """Row group, row and offset of each payload: a value alone in its uncompressed page is the tail of its chunk."""
    leaves = [footer.schema.column(i).path for i in range(len(footer.schema))]
    if column not in leaves:
        return
    leaf, number = leaves.index(column), 0
    for group in range(footer.num_row_groups):
        about = footer.row_group(group)
        chunk = about.column(leaf)
        alone = about.num_rows == 1 and chunk.compression == "UNCOMPRESSED" and not chunk.has_dictionary_page
        end = chunk.data_page_offset + chunk.total_compressed_size
        for row in range(about.num_rows):
            yield group, row, end - lengths[number] if alone else None
            number += 1
