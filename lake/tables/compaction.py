"""The same rows in better files: small files together, and voxels back in the layout that readers map.

Belongs here: what is worth rewriting, and rewriting it as units of work on whichever engine. Rows do not change, so
neither does what the change feed tells. What was replaced stays until a clean-up (`lake.tables.upkeep`).
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

import pyarrow as pa

from lake.engines.contract import Engine
from lake.tables.checkpoint import File
from lake.tables.parts import Part
from lake.tables.protocol import opened
from lake.tables.rewrite import Swap, described, read_described, rows_of, stored, swapped, unsealed
from lake.tables.table import LakeTable

TARGET = 128 * 2**20
"""Bytes that a part file aims at: few enough to rewrite in memory, enough that a lake has few files."""

_UNIT = pa.schema([pa.field("files", pa.string())])


def optimize(table: LakeTable, engine: Engine) -> int:
    """Put small files together, and restore the voxel layout of files that another engine wrote.

    Files of voxels are rewritten one by one, as moving voxels costs more than it gains.

    Args:
        table: the table.
        engine: where files are rewritten.

    Returns:
        The table's version after it; the same where nothing was worth it.

    Raises:
        Sealed: if the table may not be rewritten.
        TableMissing: if the table has no commit yet.
    """
    unsealed(table, "compaction")
    delta = opened(table.location, table.contract.path)
    groups = list(_groups(table, stored(table, delta)))
    units = [
        pa.RecordBatch.from_pylist([{"files": json.dumps([described(f) for f in group])}], _UNIT) for group in groups
    ]
    swaps = [_swap(batch) for batch in engine.map(partial(rewritten, table=table), units)]
    return swapped(table, swaps, "OPTIMIZE") if swaps else int(delta.version())


def rewritten(unit: pa.RecordBatch, table: LakeTable) -> pa.RecordBatch:
    """One part file of the rows of several, in their order."""
    files = _files(unit)
    # written one after the other where they are one, so that memory holds a file of voxels once
    rows = pa.concat_tables([rows_of(table, file) for file in files])
    part = table.write(rows, files[0].partition)
    return pa.RecordBatch.from_pylist([{"files": unit["files"][0].as_py(), "part": json.dumps(asdict(part))}])


def intact(table: LakeTable, file: File) -> bool:
    """Whether voxels lie as readers map them: one row group a row, uncompressed."""
    payload, about = table.contract.payload, table.source.parquet(file.path).metadata
    if about.num_row_groups != about.num_rows:
        return False
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema == payload and column.compression != "UNCOMPRESSED":
                return False
    return True


def _groups(table: LakeTable, files: list[File]) -> Iterator[list[File]]:
    """Files that become one."""
    if table.contract.payload:
        yield from ([file] for file in files if not intact(table, file))
        return
    by_partition: dict[str, list[File]] = {}
    for file in files:
        if file.bytes < TARGET // 2:
            by_partition.setdefault(str(sorted(file.partition.items())), []).append(file)
    for small in by_partition.values():
        group: list[File] = []
        for file in small:
            if group and sum(f.bytes for f in group) + file.bytes > TARGET:
                yield from ([group] if len(group) > 1 else [])
                group = []
            group.append(file)
        yield from ([group] if len(group) > 1 else [])


def _files(batch: pa.RecordBatch) -> list[File]:
    return [read_described(text) for text in json.loads(batch["files"][0].as_py())]


def _swap(batch: pa.RecordBatch) -> Swap:
    return Swap(_files(batch), [Part(**json.loads(batch["part"][0].as_py()))])
