"""The index of a table's payloads: where each volume of a version lies, in one small file beside the data.

Belongs here: making, keeping and opening it. It is never the truth, which is the Delta log and the data files: an index
that is missing, damaged or of another version is made again from the log, from what older ones say of files that are
still in the table, and from the footers of all others. It names no volume that the newest version has not, because each
commit that removes a file makes it anew and deletes the older one. Commits that only add do so once in a while, so that
the cost of a commit does not grow with the table; who opens it in between reads the few footers that it lacks. A
release has an index of its own, of its members only, in its own folder.
"""

import contextlib
import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lake.errors import TableMissing
from lake.tables import log
from lake.tables.checkpoint import Unusual
from lake.tiering import archived
from lake.voxels.places import SCHEMA, Place, place, places
from lake.voxels.sources import LocalFiles, Source, UnreadableFile
from schemas.contract import Table

FOLDER = "_index"
"""Beside the partitions; Delta's readers and its clean-up leave names that begin with _ alone."""

_LOG = "_delta_log"
_FORMAT = b"larmor-index-1\n\0"
_HEADER = 64
"""Format and SHA-256 of what follows, padded so that Arrow's buffers stay aligned."""
_LAG = 50
"""Of this many files about one may be missing from the index after commits that only add: the work of making it is then
shared by a fiftieth of the files, and opening reads at most twice that share of the footers."""
_COMMIT_HEAD = 1 << 16
"""Bytes of a commit that tell it from another of the same number: it holds times and names of its own."""
_LOOKED_UP = 4096
"""Places remembered, so that several crops of one volume look it up once."""
_CODED = ("file", "partition")
"""Columns that repeat, which are stored as dictionaries."""


@dataclass(frozen=True)
class Index:
    """Where each volume of a table version lies.

    Attributes:
        version: the version.
        rows: a place a row, sorted by id.
    """

    version: int
    rows: pa.Table

    @cached_property
    def ids(self) -> list[str]:
        """Every volume's id, sorted."""
        return self.rows["id"].to_pylist()

    @cached_property
    def _columns(self) -> dict[str, pa.Array]:
        return {name: self.rows[name].combine_chunks() for name in SCHEMA.names if name != "id"}

    def __reduce__(self) -> tuple[Any, ...]:
        # what is cached is cheap to have again
        return Index, (self.version, self.rows)

    @cached_property
    def find(self) -> Callable[[str], Place | None]:
        """Where a volume lies, by its id; None where there is none."""
        return lru_cache(_LOOKED_UP)(self._find)

    def _find(self, volume: str) -> Place | None:
        number = bisect_right(self.ids, volume) - 1
        if number < 0 or self.ids[number] != volume:
            return None
        return place({name: column[number].as_py() for name, column in self._columns.items()})

    def only(self, volumes: Sequence[str] | pa.ChunkedArray) -> "Index":
        """The index of some of the volumes."""
        wanted = volumes if isinstance(volumes, pa.ChunkedArray) else pa.array(volumes, pa.string())
        return Index(self.version, self.rows.filter(pc.is_in(self.rows["id"], wanted)))


def opened(source: Source, contract: Table, version: int | None = None) -> Index:
    """The index of a version of a table; the newest version's is made and kept where it was not there.

    Args:
        source: where the table lies.
        contract: its contract; has a payload.
        version: None: the newest.

    Raises:
        TableMissing: if there is no table, or no such version of it.
        TableOutdated: if its files lack columns that every payload needs.
        FileNotFoundError: if a file of the version is gone.
        UnreadableFile: if one cannot be read.
    """
    newest = _newest(source)
    wanted = newest if version is None else version
    if not 0 <= wanted <= newest:
        raise _missing(contract, newest, version)
    found = _load(source, _name(wanted))
    if found is not None and _fits(found, _stamp(source, contract, wanted)):
        return Index(wanted, found)
    made = _made(source, contract, wanted, newest)
    if wanted == newest:
        _keep(source, contract, made)
    return made


def renew(source: Source, contract: Table, files: int | None = None, added: int = 1) -> None:
    """Make the index after a commit; what fails now is tried again, and told, when the table is opened.

    Args:
        source: where the table lies.
        contract: its contract; has a payload.
        files: part files of the table after a commit that only added some; None: it also removed some.
        added: how many it added; the commits before it, of which the index says nothing, are taken for as large.
    """
    with contextlib.suppress(OSError, ValueError):
        if files is None or _commits_since(source) * added > files // _LAG:
            opened(source, contract)


def frozen(
    source: Source, contract: Table, version: int, members: Sequence[str] | pa.ChunkedArray, kept: tuple[Source, str]
) -> Index:
    """The index of a release's members.

    Args:
        source: where the table lies.
        contract: its contract.
        version: the version that was frozen.
        members: ids of its volumes or labels.
        kept: where the release keeps it, folder and name.

    Raises:
        As `opened`.
    """
    found = _load(*kept)
    if found is not None and _fits(found, _stamp(source, contract, version)):
        return Index(version, found)
    return opened(source, contract, version).only(members)


def freeze(
    source: Source, contract: Table, version: int, members: Sequence[str] | pa.ChunkedArray, kept: tuple[Source, str]
) -> None:
    """Keep the index of a release's members in its folder, whatever becomes of the table's own."""
    keep(opened(source, contract, version).only(members), kept, _stamp(source, contract, version))


def keep(found: Index, place: tuple[Source, str], stamp: dict[str, str] | None = None) -> None:
    """Keep an index somewhere, folder and name."""
    place[0].write(place[1], _packed(found.rows, stamp or {"version": str(found.version)}))


def kept(place: tuple[Source, str]) -> Index | None:
    """The index that `keep` put there; None where there is none, or it is not as it was written."""
    rows = _load(*place)
    return None if rows is None else Index(int(rows.schema.metadata[b"version"]), rows)


def _made(source: Source, contract: Table, version: int, newest: int) -> Index:
    """The index of a version, from the log, from the index that there is, and from footers."""
    live = _live(source, contract, version, newest)
    tables = []
    known = _newest_kept(source)
    if known is not None and (known.schema.metadata or {}).get(b"contract") == contract.path.encode():
        files = known["file"].combine_chunks()
        still = np.array([file in live for file in files.dictionary.to_pylist()], bool)
        tables.append(_plain(known.filter(pa.array(still[files.indices.to_numpy()], pa.bool_()))))
    covered = set(tables[0]["file"].unique().to_pylist()) if tables else set()
    archived.check(source, contract.path, lambda: live)
    try:
        tables.extend(places(source, contract, file, live[file]) for file in sorted(live.keys() - covered))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"table {contract.path}, version {version}: found a part file gone, needed it; it was withdrawn or "
            "cleaned up, or lost: open a newer version, or restore a lost file from a backup"
        ) from None
    except UnreadableFile:
        raise UnreadableFile(
            f"table {contract.path}, version {version}: found a damaged part file, needed it whole; restore it from a "
            "backup or materialize its delivery again"
        ) from None
    rows = pa.concat_tables([SCHEMA.empty_table(), *tables]).sort_by([("id", "ascending"), ("file", "ascending")])
    return Index(version, _coded(rows))


def _coded(rows: pa.Table) -> pa.Table:
    for name in _CODED:
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].dictionary_encode())
    return rows.combine_chunks()


def _plain(rows: pa.Table) -> pa.Table:
    return rows.cast(SCHEMA).replace_schema_metadata(None)


def _live(source: Source, contract: Table, version: int, newest: int) -> dict[str, str]:
    """Files of a version, each with the values of its partition as JSON."""
    if version == newest and isinstance(source, LocalFiles):
        with contextlib.suppress(Unusual):
            now = log.state(source.location)
            if now.version == version:
                names = contract.partition_by
                return {f.path: json.dumps({n: f.partition[n] for n in names}) for f in now.files.values()}
    try:
        delta = DeltaTable(source.uri, version=version, storage_options=source.options)
    except DeltaError:
        raise _missing(contract, newest, version) from None
    # asking pyarrow for a table of it would import pandas, which takes longer than all else here
    actions = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all()
    values = [actions[f"partition.{name}"].to_pylist() for name in contract.partition_by]
    partitions = [dict(zip(contract.partition_by, row, strict=True)) for row in zip(*values, strict=True)]
    found = partitions or [{}] * len(actions)
    # the log writes paths as URIs do
    paths = map(unquote, actions["path"].to_pylist())
    return dict(zip(paths, (json.dumps(values) for values in found), strict=True))


def _newest(source: Source) -> int:
    if isinstance(source, LocalFiles):
        with contextlib.suppress(Unusual):
            return log.newest(source.location)
    numbers = [name.partition(".")[0] for name in source.names(_LOG) if name.endswith((".json", ".parquet"))]
    return max((int(number) for number in numbers if number.isdigit()), default=-1)


def _missing(contract: Table, newest: int, version: int | None) -> TableMissing:
    if newest < 0:
        return TableMissing(
            f"found no table {contract.path} in this lake, needed one; materialize the asset {contract.path} first "
            "(larmor run DELIVERY)"
        )
    return TableMissing(
        f"found no version {version} of table {contract.path}, needed one of 0 to {newest} that was not cleaned up"
    )


def _stamp(source: Source, contract: Table, version: int) -> dict[str, str]:
    """What an index of a version must say of itself; a table made again at the same place has other commits."""
    try:
        head, size = source.read(f"{_LOG}/{version:020}.json", _COMMIT_HEAD)
    except FileNotFoundError:
        return {}  # only a checkpoint is left of it
    commit = hashlib.sha256(head).hexdigest()
    return {"contract": contract.path, "version": str(version), "commit": f"{commit}/{size}"}


def _fits(rows: pa.Table, stamp: dict[str, str]) -> bool:
    return bool(stamp) and rows.schema.metadata == {k.encode(): v.encode() for k, v in stamp.items()}


def _commits_since(source: Source) -> int:
    """Commits since the index was made."""
    return _newest(source) - max(_versions(source), default=-1)


def _name(version: int) -> str:
    return f"{FOLDER}/{version:020}.arrow"


def _versions(source: Source) -> list[int]:
    numbers = [name.partition(".")[0] for name in source.names(FOLDER)]
    return sorted(int(number) for number in numbers if number.isdigit())


def _newest_kept(source: Source) -> pa.Table | None:
    kept = (_load(source, _name(version)) for version in reversed(_versions(source)))
    return next((rows for rows in kept if rows is not None), None)


def _keep(source: Source, contract: Table, made: Index) -> None:
    """Keep an index where the place can be written to, and none but the newest."""
    stamp = _stamp(source, contract, made.version)
    if not stamp:
        return
    with contextlib.suppress(OSError):
        source.write(_name(made.version), _packed(made.rows, stamp))
        newest = _newest(source)
        # of several writers at once the last sees all; an index beyond the newest version is of a log that was set back
        there = [version for version in _versions(source) if version <= newest]
        for version in _versions(source):
            if version != max(there, default=-1):
                source.delete(_name(version))


def _packed(rows: pa.Table, stamp: dict[str, str]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.with_metadata(stamp)) as stream:
        stream.write_table(rows)
    body = sink.getvalue().to_pybytes()
    return (_FORMAT + hashlib.sha256(body).digest()).ljust(_HEADER, b"\0") + body


def _load(source: Source, path: str) -> pa.Table | None:
    """A kept index; None where there is none, or it is not as it was written."""
    try:
        data, _ = source.read(path)
    except OSError:
        return None
    body = memoryview(data)[_HEADER:]
    if data[:_HEADER] != (_FORMAT + hashlib.sha256(body).digest()).ljust(_HEADER, b"\0"):
        return None
    return pa.ipc.open_stream(pa.py_buffer(body)).read_all()
