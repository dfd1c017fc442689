"""The key columns of part files: which different rows each holds, and how often, without their payload.

Belongs here: reading them fast. A part file never changes, so what it says can be noted: for tables of voxels, whose
files have a row group and some kilobytes of footer for every volume, reading the footers of a whole lake takes longer
than everything else. A note is never the truth: a file that none names, or that has another size, is read itself.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from lake.stores.storage import Location
from lake.tables.files import DataFile, data_files
from lake.voxels.sources import Source, UnreadableFile
from lake.zones import Lake
from lineage.withdrawal.belonging import columns
from schemas.contract import Table, Zone
from schemas.tables import TABLES

COUNT = "count"
"""Column with how often a row stands in its file."""

FOLDER = "holdings"
"""Folder of the audit zone that holds the notes: pseudonyms and names, no PHI."""

_FILE, _BYTES = "file", "bytes"
_AT_ONCE = 4
"""Files read at the same time; Arrow decodes them outside the interpreter's lock."""


@dataclass(frozen=True)
class Reader:
    """Reads the key columns of a table's part files.

    Attributes:
        table: the table.
        source: its files.
        columns: which are wanted, those of the partition among them.
        noted: file to its rows, as they were noted, and the file's size then.
    """

    table: Table
    source: Source
    columns: Sequence[str]
    noted: dict[str, tuple[int, pa.Table]]

    @classmethod
    def of(cls, lake: Lake, table: Table, wanted: Sequence[str]) -> "Reader":
        """A reader of a table of a lake."""
        return cls(table, lake.table(table).source, wanted, _noted(lake, table) if table.payload else {})

    def each(self, files: Sequence[DataFile]) -> Iterator[tuple[DataFile, pa.Table | None]]:
        """Each file with its rows, `columns` and `COUNT`; None where it was cut off in writing."""
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            yield from zip(files, readers.map(lambda file: self.rows(file, self.columns), files), strict=True)

    def rows(self, file: DataFile, wanted: Sequence[str]) -> pa.Table | None:
        """Different rows of a file and how often each is there; None where it was cut off in writing."""
        size, noted = self.noted.get(file.path, (-1, None))
        stored = [name for name in wanted if name not in file.partition]
        if noted is not None and size == file.bytes:
            rows = noted.select([*stored, COUNT])
        else:
            try:
                with self.source.parquet(file.path) as parquet:
                    # a file has at least one column that is not its partition
                    rows = parquet.read(columns=stored or self.table.file_schema.names[:1], use_threads=False)
            except (pa.ArrowInvalid, UnreadableFile):
                return None
            rows = _distinct(rows.select(stored)) if stored else _alike(rows.num_rows)
        for name in wanted:
            if name in file.partition:
                rows = rows.append_column(name, pa.repeat(pa.scalar(file.partition[name]), rows.num_rows))
        return rows


def take_notes(lake: Lake) -> int:
    """Note what part files of voxels hold, so that the next plan need not read them; returns how many were read."""
    read = 0
    for table in (table for table in TABLES if table.payload):
        files = [file for file in data_files(lake.table(table)) if file.on_disk]
        wanted = [name for name in columns(table) if name not in table.partition_by]
        reader = Reader.of(lake, table, wanted)
        new = [file for file in files if reader.noted.get(file.path, (-1, None))[0] != file.bytes]
        if new or len(files) != len(reader.noted):
            found = [(file, rows) for file, rows in reader.each(files) if rows is not None]
            _keep(lake, table, found)
        read += len(new)
    return read


def _noted(lake: Lake, table: Table) -> dict[str, tuple[int, pa.Table]]:
    location, name = _place(lake, table)
    if not location.exists(name):
        return {}
    rows = pq.read_table(pa.BufferReader(location.read_bytes(name)))
    if not set(columns(table)) - set(table.partition_by) <= set(rows.column_names):
        return {}  # noted by another version
    files, starts = rows[_FILE].to_pylist(), []
    starts = [at for at in range(len(files)) if at == 0 or files[at] != files[at - 1]]
    sizes = rows[_BYTES].to_pylist()
    kept = rows.drop_columns([_FILE, _BYTES])
    ends = [*starts[1:], len(files)]
    return {files[at]: (sizes[at], kept.slice(at, end - at)) for at, end in zip(starts, ends, strict=True)}


def _keep(lake: Lake, table: Table, found: Sequence[tuple[DataFile, pa.Table]]) -> None:
    """Write the notes of a table, whole, in the order of its files."""
    tables = [
        rows.append_column(_FILE, pa.repeat(pa.scalar(file.path), rows.num_rows)).append_column(
            _BYTES, pa.repeat(pa.scalar(file.bytes), rows.num_rows)
        )
        for file, rows in found
        if rows.num_rows
    ]
    location, name = _place(lake, table)
    if tables:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.concat_tables(tables), sink, compression="zstd")
        location.write_bytes(name, sink.getvalue().to_pybytes())


def _place(lake: Lake, table: Table) -> tuple[Location, str]:
    return lake.location(Zone.AUDIT, FOLDER), f"{table.zone}-{table.name}.parquet"


def _distinct(rows: pa.Table) -> pa.Table:
    """Different rows and how often each is there; rows with lists as they are, Arrow does not group by lists."""
    if any(pa.types.is_list(kind) for kind in rows.schema.types) or not rows.num_rows:
        return rows.append_column(COUNT, pa.repeat(pa.scalar(1, pa.int64()), rows.num_rows))
    return rows.group_by(rows.column_names).aggregate([([], "count_all")]).rename_columns({"count_all": COUNT})


def _alike(count: int) -> pa.Table:
    """Rows that their partition says everything of."""
    return pa.table({COUNT: pa.array([count] if count else [], pa.int64())})
