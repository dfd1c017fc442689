"""The Delta log of a table in a local folder, read and written commit by commit.

Belongs here: the two things that every station does many times, which files a partition has and adding a commit, at a
cost that does not grow with the lake. A library that opens the table reads every file that the lake ever held; this has
a few columns of the newest checkpoint in memory (`lake.tables.checkpoint`) and reads the few commits after it, and a
commit is one file that is created or is not. Creating tables, checkpoints, older versions, other stores and logs with
features of other engines are left to deltalake (`lake.tables.table`), which `Unusual` says.

Source: Delta transaction protocol, "Delta Log Entries", "Actions" (github.com/delta-io/delta, PROTOCOL.md).
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lake.stores.storage import Location
from lake.tables.checkpoint import EMPTY, Change, Changed, File, Unusual, change, checkpoint, damaged
from lake.tables.formats import Made
from lake.tables.parts import Part

FOLDER = "_delta_log"
_LAST_CHECKPOINT = "_last_checkpoint"

_TRIES = 1000
"""Tries of a commit that others overtook; one takes milliseconds, so this outlasts hundreds of writers at once."""

_NONE = {"": ""}
"""A partition that no file is in."""

_SAFE = "/=:@!$&'()*+,;-._~"
"""Characters that a path may hold as they are (RFC 3986, section 3.3)."""

Fit = Callable[[Made], None]
"""Raises where a table, as it was made, may not be written to."""


@dataclass(frozen=True)
class State:
    """The newest version of a table.

    Attributes:
        version: its number; -1: there is none.
        files: part files by path, those of the partition that was asked for, in the order of their commits.
        total: part files of the whole table.
        made: what the table was made as.
        checkpoint: version of the last checkpoint; -1: there is none.
    """

    version: int
    files: Mapping[str, File]
    total: int
    made: Made
    checkpoint: int = -1


@dataclass(frozen=True)
class Committed:
    """A commit that was made.

    Attributes:
        version: its number.
        removed: whether it removed a file.
        files: part files of the table after it; 0 where that was not looked up.
        since_checkpoint: commits since the last checkpoint.
    """

    version: int
    removed: bool
    files: int
    since_checkpoint: int


def there(location: Location) -> bool:
    """Whether a table's folder has a commit."""
    log = location.join(FOLDER)
    return log.exists(_LAST_CHECKPOINT) or log.exists(name(0)) or any(map(_is_commit, log.list()))


def newest(location: Location) -> int:
    """The newest version, found from the last checkpoint on; -1 where there is none.

    Raises:
        Unusual: if the log begins with neither, or lies on a store, where looking often costs more than a listing.
    """
    _require_local(location)
    log = location.join(FOLDER)
    version = _last_checkpoint(log)
    while log.exists(name(version + 1)):
        version += 1
    if version < 0 and any(map(_is_commit, log.list())):
        raise Unusual
    return version


def made(location: Location) -> Made:
    """What the newest version was made as; without columns where there is none.

    Raises:
        Unusual: as `state`.
    """
    _require_local(location)
    log = location.join(FOLDER)
    first = _last_checkpoint(log)
    found = checkpoint(log.path / _checkpoint(first)).made if first >= 0 else Made()
    for _, told in _after(log, first):
        found = told.made or found
    return found


def state(location: Location, partition: Mapping[str, str] | None = None) -> State:
    """The newest version, with its files in a partition, or with all.

    Args:
        location: the table's folder.
        partition: partition columns and values; may name fewer columns than the table has.

    Raises:
        Unusual: if the log has features of other engines, or no beginning, or lies on a store.
    """
    _require_local(location)
    log, wanted = location.join(FOLDER), partition or {}
    first = version = _last_checkpoint(log)
    at = checkpoint(log.path / _checkpoint(first)) if first >= 0 else EMPTY
    before: Mapping[str, File] = at.inside(wanted) if wanted else at
    total, made, gone, after = len(at), at.made, set[str](), dict[str, File]()
    for version, told in _after(log, first):  # noqa: B007  # the last one is the newest
        made = told.made or made
        total += len(told.added) - len(told.removed)
        # the order is that of the last commit that names a file
        for path in (*told.removed, *(file.path for file in told.added)):
            after.pop(path, None)
            if path in before:
                gone.add(path)
        inside = (f for f in told.added if all(f.partition.get(name) == value for name, value in wanted.items()))
        after.update((file.path, file) for file in inside)
    if version < 0 and any(map(_is_commit, log.list())):
        raise Unusual
    return State(version, Changed(before, gone, after), total, made, first)


def append(
    location: Location,
    parts: Sequence[Part],
    metadata: Mapping[str, str],
    fit: Fit,
    expected: int | None = None,
) -> Committed:
    """Add part files, in one commit.

    Args:
        location: the table's folder.
        parts: files that were written.
        metadata: kept in the commit.
        fit: asked before the commit, unless a version is expected, which the caller has looked at.
        expected: the version that the commit must follow; None: whichever is newest.

    Raises:
        FileExistsError: if `expected` was given and another writer committed first.
        Unusual: if only a Delta library may write to this log.
    """
    if expected is not None:
        version = _commit(location, expected + 1, _written(parts, metadata))
        return Committed(version, removed=False, files=0, since_checkpoint=0)
    return _retried(location, parts, metadata, fit, _NONE)


def replace(
    location: Location, partition: Mapping[str, str], parts: Sequence[Part], metadata: Mapping[str, str], fit: Fit
) -> Committed:
    """Make part files the whole content of a partition, in one commit; see `append`."""
    return _retried(location, parts, metadata, fit, partition)


def declare(location: Location, version: int, actions: Sequence[Mapping[str, Any]], operation: str) -> None:
    """Commit what a table is from a version on: metadata and protocol, no files. On S3 as well.

    Args:
        location: the table's folder.
        version: number of the commit.
        actions: actions of the Delta log.
        operation: what was done, for the history.

    Raises:
        FileExistsError: if another writer committed this version first.
    """
    # the id tells two that do the same in the same millisecond apart
    about = {"timestamp": _now(), "operation": operation, "engineInfo": "larmor", "txnId": uuid.uuid4().hex}
    _commit(location, version, _lines([{"commitInfo": about}, *actions]))


def _retried(
    location: Location,
    parts: Sequence[Part],
    metadata: Mapping[str, str],
    fit: Fit,
    partition: Mapping[str, str],
) -> Committed:
    """Commit after whatever is newest; what is removed is looked up again where another writer came first."""
    for _ in range(_TRIES):
        found = state(location, partition)
        fit(found.made)
        removed = list(found.files.values())
        try:
            version = _commit(location, found.version + 1, _written(parts, metadata, removed))
        except FileExistsError:
            continue
        files = found.total - len(removed) + len(parts)
        return Committed(version, bool(removed), files, version - found.checkpoint)
    raise FileExistsError(f"found {_TRIES} commits by others in a row, needed one try without; try again")


def _commit(location: Location, version: int, data: bytes) -> int:
    """Make a commit the version of this number, durably, if nobody has done so yet.

    Raises:
        FileExistsError: if there is one of this number.
    """
    log = location.join(FOLDER)
    try:
        log.create(name(version), data)
    except FileExistsError:
        # an answer may get lost on its way from a store: the commit that is there is then our own
        if log.read_bytes(name(version)) != data:
            raise
    return version


def name(version: int) -> str:
    """File name of a commit."""
    return f"{version:020}.json"


def _written(parts: Sequence[Part], metadata: Mapping[str, str], removed: Sequence[File] = ()) -> bytes:
    """A commit that removes files of the newest version and adds part files."""
    now = _now()
    about = {
        "timestamp": now,
        "operation": "WRITE",
        "operationParameters": {"mode": "Overwrite" if removed else "Append"},
        "engineInfo": "larmor",
        **metadata,
    }
    actions: list[dict[str, Any]] = [{"commitInfo": about}]
    actions += [
        {
            "remove": {
                "path": quote(file.path, safe=_SAFE),
                "dataChange": True,
                "deletionTimestamp": now,
                "extendedFileMetadata": True,
                "partitionValues": dict(file.partition),
                "size": file.bytes,
            }
        }
        for file in removed
    ]
    actions += [
        {
            "add": {
                "path": quote(part.path, safe=_SAFE),
                "partitionValues": dict(part.partition),
                "size": part.bytes,
                "modificationTime": now,
                "dataChange": True,
                "stats": part.statistics,
            }
        }
        for part in parts
    ]
    return _lines(actions)


def _now() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp() * 1000)


def _lines(actions: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions).encode()


def _require_local(location: Location) -> None:
    if not location.local:
        raise Unusual


def _is_commit(file: str) -> bool:
    return file.partition(".")[0].isdigit()


def _last_checkpoint(log: Location) -> int:
    """Version of the last checkpoint of one file; -1 where there is none."""
    try:
        told = json.loads(log.read_bytes(_LAST_CHECKPOINT))
    except FileNotFoundError:
        return -1
    except ValueError:
        raise damaged(log.path / _LAST_CHECKPOINT) from None
    if told.get("parts") or "v2Checkpoint" in told or not log.exists(_checkpoint(told["version"])):
        raise Unusual
    return int(told["version"])


def _checkpoint(version: int) -> str:
    return f"{version:020}.checkpoint.parquet"


def _after(log: Location, version: int) -> Iterator[tuple[int, Change]]:
    """Each commit after a version."""
    while True:
        version += 1
        try:
            yield version, change(log.path / name(version))
        except FileNotFoundError:
            return
