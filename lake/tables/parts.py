"""Part files of tables: their layout in Parquet, and the digest that each is known by from the moment it is written.

Belongs here: from rows to the bytes of one file. Which rows a table takes, and the commit, are `lake.tables.table`'s
business.
"""

import datetime as dt
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from lake.stores.storage import Location
from lake.tables import footer
from schemas.document import canonical_json

_STATISTICS_WIDTH = 64
"""Longest string that goes into a file's statistics; longer ones would only bloat the log."""

_FOLLOWED = 1 << 20
"""Bytes from which a file is hashed while it is written; below, a thread costs more than it saves."""

_CHUNK = 1 << 20
"""Bytes hashed at once: few enough to stay in a core's cache."""

_LOOK_S = 0.002
"""Pause before looking whether a growing file has grown; Arrow writes some megabytes meanwhile."""


FILES = "larmor.files"
"""Key of a commit's metadata that holds the SHA-256 of each file that it adds, as canonical JSON by path."""


@dataclass(frozen=True)
class Part:
    """A part file that is written and waits for its commit.

    Attributes:
        table: the contract's path, `<zone>/<table>`.
        path: the file, relative to the table.
        bytes: its size.
        rows: its rows.
        partition: value of each partition column.
        statistics: Delta statistics as JSON.
        sha256: digest of the file, hexadecimal.
    """

    table: str
    path: str
    bytes: int
    rows: int
    partition: Mapping[str, str]
    statistics: str
    sha256: str

    def action(self) -> AddAction:
        """The Delta action that adds the file."""
        now = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
        return AddAction(self.path, self.bytes, dict(self.partition), now, True, self.statistics)


def write(rows: pa.Table, location: Location, name: str, payload: str | None) -> tuple[int, str]:
    """Write rows as one new Parquet file, durably.

    A payload column lies uncompressed and alone in its page, one row group a row, and the footer says whose rows those
    are (`lake.tables.footer`). A file on S3 is in memory once.

    Returns:
        Bytes of the file, and its SHA-256 in hexadecimal.

    Raises:
        FileExistsError: if there is a file of this name.
        lake.stores.objects.UnsafeStore: if it would lie on a store that loses commits.
    """
    location.make()
    if payload:
        rows = rows.replace_schema_metadata(footer.metadata(rows))
    if location.local:
        return _write_file(rows, location.path / name, payload, private=location.private)
    sink = pa.BufferOutputStream()
    _encode(rows, sink, payload)
    file = sink.getvalue()
    with ThreadPoolExecutor(1) as hasher:
        digest = hasher.submit(_digest_of, file)
        location.stream(name, pa.BufferReader(file))
        return file.size, digest.result()


def recorded(parts: Iterable[Part]) -> dict[str, str]:
    """What a commit says of the files that it adds, for its metadata."""
    digests = {part.path: part.sha256 for part in parts}
    return {FILES: canonical_json(digests)} if digests else {}


def ranged(schema: pa.Schema) -> list[str]:
    """Columns whose range goes into the statistics of a file."""
    return [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_integer(field.type)]


def statistics(table: pa.Table) -> str:
    """Delta statistics: rows, and the range of short scalar columns, which is what data skipping needs."""
    import pyarrow.compute as pc

    low: dict[str, object] = {}
    high: dict[str, object] = {}
    nulls: dict[str, int] = {}
    for name in ranged(table.schema) if table.num_rows else ():
        nulls[name] = table[name].null_count
        bounds = pc.min_max(table[name]).as_py()
        values = (bounds["min"], bounds["max"])
        if None not in values and all(not isinstance(v, str) or len(v) <= _STATISTICS_WIDTH for v in values):
            low[name], high[name] = values
    return json.dumps({"numRecords": table.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls})


def _write_file(rows: pa.Table, path: Path, payload: str | None, *, private: bool) -> tuple[int, str]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    try:
        if rows.nbytes < _FOLLOWED:
            _encode(rows, str(path), payload)
            os.fsync(descriptor)
            digest = _digest(descriptor)
        else:
            digest = _write_followed(rows, path, payload, descriptor)
        return os.fstat(descriptor).st_size, digest
    finally:
        os.close(descriptor)


def _write_followed(rows: pa.Table, path: Path, payload: str | None, descriptor: int) -> str:
    """Write while another thread hashes what is there already: neither Arrow nor hashlib holds the interpreter."""
    written = threading.Event()
    with ThreadPoolExecutor(1) as follower:
        digest = follower.submit(_digest, descriptor, written)
        try:
            _encode(rows, str(path), payload)
        finally:
            written.set()
        os.fsync(descriptor)
        return digest.result()


def _digest(descriptor: int, written: threading.Event | None = None) -> str:
    """SHA-256 of a file that only grows, read on until it is written, and asked to the disk meanwhile."""
    digest, offset, buffer = hashlib.sha256(), 0, bytearray(_CHUNK)
    view = memoryview(buffer)
    while True:
        # asked before reading, so that what came last is read as well
        last = written is None or written.is_set()
        while count := os.preadv(descriptor, [buffer], offset):
            digest.update(view[:count])
            if written is not None:
                _send(descriptor, offset, count)
            offset += count
        if written is None or last:
            return digest.hexdigest()
        written.wait(_LOOK_S)


def _send(descriptor: int, offset: int, count: int) -> None:
    """Have the kernel begin to write bytes to the disk, without waiting: else `fsync` would wait for all of them.

    Linux writes back what is dirty before it drops what is not, and what has just been written is dirty: nothing is
    dropped. Elsewhere it is a hint that costs nothing.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)


def _digest_of(data: pa.Buffer) -> str:
    return hashlib.sha256(memoryview(data)).hexdigest()


def _encode(rows: pa.Table, target: Any, payload: str | None) -> None:
    others = [name for name in rows.column_names if name != payload]
    # Arrow writes by itself: through a file object of Python every byte would be copied once more
    pq.write_table(
        rows,
        target,
        row_group_size=1 if payload else 256,
        compression=dict.fromkeys(others, "zstd") | ({payload: "none"} if payload else {}),
        compression_level=dict.fromkeys(others, 1),
        use_dictionary=False if payload else [n for n in others if pa.types.is_string(rows.schema.field(n).type)],
        write_statistics=False if payload else [n for n in others if not pa.types.is_binary(rows.schema.field(n).type)],
        data_page_version="1.0",
        store_schema=True,
    )
