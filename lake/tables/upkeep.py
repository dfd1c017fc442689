"""Upkeep of tables: what was done to one, and removing files that no version in use needs.

Belongs here: history and clean-up (VACUUM), the same on every engine. Better files are `lake.tables.compaction`.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from lake.releases import Release, names
from lake.tables.protocol import opened
from lake.tables.rewrite import unsealed
from lake.tables.table import LakeTable
from lake.zones import Lake

RETENTION_HOURS = 168
"""Hours that a file stays after the last version that needs it: readers of that version have long ended."""

LEAST_HOURS = 24
"""Fewer would remove what a running station has written and not yet committed."""


@dataclass(frozen=True)
class Commit:
    """One version of a table.

    Attributes:
        version: its number.
        time: when it was committed.
        operation: what was done.
        engine: who did it.
    """

    version: int
    time: dt.datetime
    operation: str
    engine: str


def history(table: LakeTable, limit: int | None = None) -> list[Commit]:
    """Versions of a table, newest first, as far as its log goes back.

    Raises:
        TableMissing: if the table has no commit yet.
    """
    delta = opened(table.location, table.contract.path)
    newest = delta.version()
    return [
        Commit(
            row.get("version", newest - number),
            dt.datetime.fromtimestamp(row["timestamp"] / 1000, dt.UTC),
            row.get("larmor.operation") or row.get("operation", ""),
            row.get("engineInfo", ""),
        )
        for number, row in enumerate(delta.history(limit))
    ]


def pinned(lake: Lake) -> dict[str, set[int]]:
    """Versions of tables that a release needs, by table."""
    found: dict[str, set[int]] = {}
    for name in names(lake):
        for table, version in Release.open(lake, name).manifest.tables.items():
            found.setdefault(table, set()).add(version)
    return found


def vacuum(
    table: LakeTable,
    keep: Collection[int] = (),
    hours: float = RETENTION_HOURS,
    *,
    dry_run: bool = False,
    nobody_writes: bool = False,
) -> list[str]:
    """Remove part files that neither the newest version nor a kept one needs, and those that no commit names.

    Older versions that are not kept can no longer be read afterwards.

    Args:
        table: the table.
        keep: versions that stay readable, such as `pinned` gives; the newest always does.
        hours: how long a file stays after it was removed from the table, or was written by a writer that died.
        dry_run: only tell.
        nobody_writes: said by the one who made sure of it, for fewer than `LEAST_HOURS`.

    Returns:
        Files that were removed, or would be, relative to the table, sorted.

    Raises:
        Sealed: if the table may not lose a file.
        ValueError: if `hours` are too few.
    """
    unsealed(table, "a clean-up")
    if hours < LEAST_HOURS and not nobody_writes:
        raise ValueError(
            f"found a retention of {hours:g} hours, needed at least {LEAST_HOURS}; fewer would remove what a running "
            "station has written and not yet committed"
        )
    delta = opened(table.location, table.contract.path)
    removed = delta.vacuum(
        int(hours),
        dry_run=dry_run,
        enforce_retention_duration=False,
        full=True,
        keep_versions=sorted(keep) or None,
    )
    return sorted(removed)


def vacuum_lake_table(
    lake: Lake, table: LakeTable, hours: float = RETENTION_HOURS, *, dry_run: bool = False
) -> list[str]:
    """Clean a table up, except for what a release needs; see `vacuum`."""
    return vacuum(table, pinned(lake).get(table.contract.path, set()), hours, dry_run=dry_run)
