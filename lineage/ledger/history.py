"""What the Delta logs of tables say of themselves, commit by commit, for the ledger to bind and to compare with.

Belongs here: reading commits of any table as bytes and as facts. A commit names the digest of every part file that it
adds (`lake.tables.parts`), so that whoever holds the digest of a commit holds the data. The ledger's own log, which is
chained and judged byte by byte, is `lineage.ledger.commits`.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lake.stores.storage import Location
from lake.tables import log
from lake.zones import Lake
from schemas.contract import Zone

_CREATED = "CREATE TABLE"


class HistoryDamaged(ValueError):
    """A commit of a table cannot be read; the message names table and version."""


@dataclass(frozen=True)
class TableCommit:
    """A commit of a table.

    Attributes:
        table: path of the table.
        version: its number.
        sha256: digest of its bytes.
        milliseconds: when it was made, since 1970.
        created: whether it made the table.
        vacuumed: whether it only tells of a clean-up.
        rows: rows that it adds.
    """

    table: str
    version: int
    sha256: str
    milliseconds: int
    created: bool
    vacuumed: bool
    rows: int


def digest(lake: Lake, table: str, version: int) -> str | None:
    """SHA-256 of a commit's bytes; None where there is no such commit.

    Args:
        lake: the lake.
        table: path of the table, `<zone>/<table>`.
        version: number of the commit.
    """
    try:
        return hashlib.sha256(_commits(lake, table).read_bytes(log.name(version))).hexdigest()
    except FileNotFoundError:
        return None


def commits(lake: Lake, table: str) -> Iterator[TableCommit]:
    """The commits of a table that are there, in order.

    Raises:
        HistoryDamaged: if one cannot be read.
    """
    folder = _commits(lake, table)
    names = {log.name(int(name[:20])): int(name[:20]) for name in folder.list() if name[:20].isdigit()}
    there = set(folder.list())
    for name, version in sorted(names.items()):
        if name in there:
            yield _parsed(table, version, folder.read_bytes(name))


def _commits(lake: Lake, table: str) -> Location:
    zone, name = table.split("/")
    return lake.location(Zone(zone), name, log.FOLDER)


def _parsed(table: str, version: int, data: bytes) -> TableCommit:
    try:
        actions = [json.loads(line) for line in data.splitlines() if line]
        info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        operation = str(info.get("operation", ""))
        return TableCommit(
            table,
            version,
            hashlib.sha256(data).hexdigest(),
            int(info.get("timestamp", 0)),
            created=operation == _CREATED,
            vacuumed=operation.startswith("VACUUM"),
            rows=sum(_rows(action["add"]) for action in actions if "add" in action),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise HistoryDamaged(
            f"{table} version {version}: found no commit of Delta, needed one; restore the table from a backup"
        ) from None


def _rows(added: dict[str, Any]) -> int:
    return int(json.loads(added["stats"])["numRecords"]) if added.get("stats") else 0
