"""Upkeep of tables with its record: better files, and files removed that nothing needs, each told on the ledger.

Belongs here: the composition. What is done is `lake.tables.compaction`'s and `lake.tables.upkeep`'s.
"""

from lake.engines.engine import engine
from lake.tables.compaction import optimize
from lake.tables.table import LakeTable
from lake.tables.upkeep import RETENTION_HOURS, vacuum_lake_table
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append


def optimized(lake: Lake, table: LakeTable) -> tuple[int, int]:
    """Put small files of a table together and restore its layout of voxels; part files before and after.

    Raises:
        Sealed: if the table may not be rewritten.
        TableMissing: if it has no commit yet.
    """
    before, version = len(table.names()), table.version()
    now = optimize(table, engine(lake.settings))
    after = len(table.names())
    if now != version:
        _told(lake, table, "optimize", after, now)
    return before, after


def vacuumed(lake: Lake, table: LakeTable, hours: float = RETENTION_HOURS, *, dry_run: bool = False) -> list[str]:
    """Remove part files that no release and no newest version needs; their paths. See `lake.tables.upkeep.vacuum`.

    The event is there before a file is gone: a crash in between leaves a record of files that are still there, and
    never a file gone without one.

    Raises:
        Sealed: if the table may not lose a file.
        ValueError: if `hours` are too few.
    """
    found = vacuum_lake_table(lake, table, hours, dry_run=True)
    if found and not dry_run:
        _told(lake, table, "vacuum", len(found), table.version())
        return vacuum_lake_table(lake, table, hours)
    return found


def _told(lake: Lake, table: LakeTable, action: str, files: int, version: int) -> None:
    facts = {"table": table.contract.path, "action": action, "files": files, "version": version}
    append(lake, EventType.MAINTAINED, facts)
