"""A lake brought forward to the contracts of this version, with its record: each table that was, told on the ledger.

Belongs here: the composition over all tables. What is done to a table is `lake.tables.migrations`'.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from lake.tables import migrations
from lake.tables.upkeep import history
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.events import EventType
from schemas.tables import TABLES

_ACTION = "upgrade"


@dataclass(frozen=True)
class Due:
    """A table that must be brought forward.

    Attributes:
        table: its path.
        format: the one that it was made under.
        to: the contract's.
        columns: names of the columns that it lacks.
    """

    table: str
    format: int
    to: int
    columns: list[str]


def due(lake: Lake) -> list[Due]:
    """What must be brought forward before this version writes to the lake; nothing is changed.

    Raises:
        TableNewer: if a table was made by a newer version.
    """
    tables = [lake.table(contract) for contract in TABLES]
    found = [(table, migrations.due(table)) for table in tables if table.exists()]
    return [
        Due(table.contract.path, table.made().format, table.contract.format, columns)
        for table, columns in found
        if columns is not None
    ]


def upgraded(lake: Lake) -> dict[str, int]:
    """Bring every table forward, and tell the ledger; the version that each has then, by path.

    Killed at any moment, it is to be done again: what is forward already stays, and a commit that was not told yet is.

    Raises:
        TableNewer: if a table was made by a newer version; nothing was changed.
        TableOutdated: if no migration leads to the contract of a table.
    """
    wanted = {each.table for each in due(lake)}
    for contract in TABLES:
        if contract.path in wanted:
            migrations.upgrade(lake.table(contract))
    untold = list(_untold(lake))
    if untold:
        facts = {"action": _ACTION, "files": 0}
        events = [{**facts, "table": table, "version": version} for table, version in untold]
        ledger.append_many(lake, [(EventType.MAINTAINED, each) for each in events])
    return dict(untold)


def _untold(lake: Lake) -> Iterator[tuple[str, int]]:
    """Commits that brought a table forward and that no event tells of, by table and version."""
    entries = [entry for entry in ledger.entries(lake) if entry["type"] == EventType.MAINTAINED]
    facts = [json.loads(entry["event"])["facts"] for entry in entries]
    told = {(each["table"], each["version"]) for each in facts if each["action"] == _ACTION}
    for table in (lake.table(contract) for contract in TABLES if not contract.sealed):
        commits = history(table) if table.exists() else []
        made = sorted(commit.version for commit in commits if commit.operation == migrations.OPERATION)
        yield from ((table.contract.path, version) for version in made if (table.contract.path, version) not in told)
