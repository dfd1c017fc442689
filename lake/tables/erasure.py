"""Taking rows out of a table for good: out of the newest version, out of every older one, and out of the log.

Belongs here: the mechanics for one table, each step so that doing it again changes nothing. Deleting rows commits a new
version and leaves their bytes on disk for the older ones (`lake.tables.rewrite`); here the older versions that somebody
needs get files without the rows in the place of those with them, and the other versions lose the files. Which rows, and
why, is another room's business.
"""

import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lake.tables.checkpoint import File
from lake.tables.files import LOG, DataFile, commits, data_files
from lake.tables.parts import FILES, Part
from lake.tables.rewrite import remove, rows_of, unsealed
from lake.tables.table import LakeTable
from lake.voxels import index
from lake.voxels.sources import UnreadableFile
from schemas.document import canonical_json

IN_WRITING = dt.timedelta(hours=1)
"""Age below which a part file that no commit names may be a running station's, which would then commit a file that is
gone. Writing one takes seconds, a station minutes."""

_BOUNDS = ("minValues", "maxValues")

Forget = Callable[[str], bool]
"""Whether a value must not be told."""

Matched = Callable[[pa.Table], pa.Array | pa.ChunkedArray]
"""From rows to a boolean for each: whether it goes."""


class LogIncomplete(ValueError):
    """The beginning of a table's log is gone, so that its older versions cannot be told anew."""


@dataclass(frozen=True)
class Erased:
    """What was done to a table.

    Attributes:
        rows: rows deleted from the newest version.
        files: part files deleted from disk.
        bytes: their size.
        in_writing: part files with such rows that are too young to be deleted, see `IN_WRITING`.
        commits: commits of the log that were told anew.
    """

    rows: int
    files: int
    bytes: int
    in_writing: int
    commits: int


def erase(
    table: LakeTable, columns: Sequence[str], matched: Matched, keep: Collection[int] = (), forget: Forget | None = None
) -> Erased:
    """Erase rows.

    Args:
        table: the table.
        columns: what `matched` needs of a row.
        matched: which rows go.
        keep: older versions that stay readable, without the rows; all others that held one of them do not.
        forget: which values must not stand in the statistics of the log either.

    Raises:
        lake.tables.rewrite.Sealed: if the table may not be rewritten.
        lake.tables.table.Conflict: if others kept committing first.
        LogIncomplete: if a version is to stay readable and the log does not go back to its beginning.
    """
    unsealed(table, "an erasure")
    if not table.exists():
        return Erased(0, 0, 0, 0, 0)
    rows = _live_rows(table, columns, matched)
    if rows:
        remove(table, columns, matched)
    spent = [file for file in data_files(table) if file.on_disk and not file.newest]
    spent = [file for file in spent if _holds(table, file, columns, matched)]
    young = [file for file in spent if file.orphan and dt.datetime.now(dt.UTC) - file.written < IN_WRITING]
    gone = [file for file in spent if file not in young]
    needed = [file for file in gone if any(map(file.in_version, keep))]
    told = _told_anew(table, {file.path: _rest(table, file, columns, matched) for file in needed}, forget)
    for file in gone:
        table.location.delete(file.path)
    if table.contract.payload and gone:
        index.renew(table.source, table.contract)
    return Erased(rows, len(gone), sum(file.bytes for file in gone), len(young), told)


def _live_rows(table: LakeTable, columns: Sequence[str], matched: Matched) -> int:
    number = 0
    for path, file in table.live().items():
        found = matched(rows_of(table, File(path, file.partition, file.bytes), columns))
        number += pc.sum(found).as_py() or 0
    return number


def _holds(table: LakeTable, file: DataFile, columns: Sequence[str], matched: Matched) -> bool:
    try:
        return bool(pc.any(matched(rows_of(table, File(file.path, file.partition, file.bytes), columns))).as_py())
    except (pa.ArrowInvalid, UnreadableFile):
        return True  # cut off in writing: nobody can tell what it holds, and no version needs it


def _rest(table: LakeTable, file: DataFile, columns: Sequence[str], matched: Matched) -> Part | None:
    """A part file's other rows in a file of their own; None where there are none."""
    there = File(file.path, file.partition, file.bytes)
    rows = rows_of(table, there)
    rest = rows.filter(pc.invert(matched(rows.select(list(columns)))))
    return table.write(rest, dict(file.partition)) if rest.num_rows else None


def _told_anew(table: LakeTable, instead: Mapping[str, Part | None], forget: Forget | None) -> int:
    """Rewrite commits that name files which others take the place of, or that say what is to be forgotten."""
    log = table.location.join(LOG)
    numbers = []
    for number, text in list(commits(table)):
        lines = [anew for line in text.splitlines() if (anew := _line(json.loads(line), instead, forget))]
        changed = "".join(json.dumps(line) + "\n" for line in lines)
        if lines != [json.loads(line) for line in text.splitlines()]:
            log.write_bytes(f"{number:020}.json", changed.encode())
            numbers.append(number)
    if numbers or forget:
        _renew_checkpoints(table, instead, forget)
    return len(numbers)


def _line(action: dict[str, Any], instead: Mapping[str, Part | None], forget: Forget | None) -> dict[str, Any] | None:
    """A commit's action as if the rows had never been; None where it is of a file that held nothing else."""
    if "commitInfo" in action:
        return {"commitInfo": _digests(action["commitInfo"], instead)}
    for kind in ("add", "remove"):
        if kind not in action:
            continue
        said = dict(action[kind])
        path = unquote(said["path"])
        if path in instead:
            part = instead[path]
            if part is None:
                return None
            said |= {"path": quote(part.path, safe="/="), "size": part.bytes}
            if "stats" in said:
                said["stats"] = part.statistics
        if forget and said.get("stats"):
            said["stats"] = _unnamed(said["stats"], forget)
        return {kind: said}
    return action


def _digests(info: dict[str, Any], instead: Mapping[str, Part | None]) -> dict[str, Any]:
    """Commit metadata with the digests of the files that are there now."""
    if FILES not in info:
        return info
    found: dict[str, str] = {}
    for path, digest in json.loads(info[FILES]).items():
        part = instead.get(path)
        if path not in instead:
            found[path] = digest
        elif part:
            found[part.path] = part.sha256
    return info | {FILES: canonical_json(found)}


def _unnamed(statistics: str, forget: Forget) -> str:
    """Statistics without the bounds that are to be forgotten; they are optional in the Delta protocol."""
    said = json.loads(statistics)
    if not any(forget(bound) for bound in _bounds(said)):
        return statistics
    for name in _BOUNDS:
        values = said.get(name) or {}
        said[name] = {key: value for key, value in values.items() if not (isinstance(value, str) and forget(value))}
    return json.dumps(said)


def _bounds(statistics: Mapping[str, Any]) -> list[str]:
    values = [value for name in _BOUNDS for value in (statistics.get(name) or {}).values()]
    return [value for value in values if isinstance(value, str)]


def _renew_checkpoints(table: LakeTable, instead: Mapping[str, Part | None], forget: Forget | None) -> None:
    """Checkpoints repeat what commits say: those that say what is gone are deleted, and the newest is made anew."""
    log = table.location.join(LOG)
    stale = [name for name in log.list() if name.endswith(".parquet") and _says(table, name, instead, forget)]
    if not stale:
        return
    if not log.exists(f"{0:020}.json"):
        raise LogIncomplete(
            f"table {table.contract.path}: found a log whose beginning another engine expired, needed all of it to "
            "take rows out of older versions; delete the releases that are pinned to them, then do this again"
        )
    # the pointer goes first: whoever opens the table in between reads the commits
    log.delete("_last_checkpoint")
    for name in stale:
        log.delete(name)
    DeltaTable(table.location.uri, storage_options=table.location.options).create_checkpoint()


def _says(table: LakeTable, checkpoint: str, instead: Mapping[str, Part | None], forget: Forget | None) -> bool:
    """Whether a checkpoint holds a file that is replaced, or a bound that is to be forgotten."""
    with table.source.parquet(f"{LOG}/{checkpoint}") as parquet:
        added = [row for row in parquet.read(columns=["add"])["add"].to_pylist() if row]
    if any(unquote(row["path"]) in instead for row in added):
        return True
    bounds = (bound for row in added if row.get("stats") for bound in _bounds(json.loads(row["stats"])))
    return forget is not None and any(map(forget, bounds))
