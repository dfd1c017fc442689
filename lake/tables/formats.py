"""The format of a table: which contract it was made under, and whether this Larmor may write to it.

Belongs here: reading that from a table's metadata, and the gate before every commit of rows. Readers need no gate: what
rows lack that were written before a column was, the contract completes (`schemas.contract.Table.completed`). Bringing a
table forward is `lake.tables.migrations`. Why so: docs/decisions/0015-migrations.md.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deltalake import DeltaTable

from lake.errors import TableNewer, TableOutdated
from schemas.contract import Table

PROPERTY = "larmor.format"
"""Delta property of a table that holds the number of its contract's format; a table without it has format 1."""


_NAMED = 5
"""Columns that an error names."""


@dataclass(frozen=True)
class Made:
    """What a table was made as.

    Attributes:
        columns: names of its columns.
        format: format of the contract.
    """

    columns: frozenset[str] = frozenset()
    format: int = 1

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "Made":
        """What the `metaData` of a Delta log says."""
        configuration = dict(metadata.get("configuration") or {})
        names = (column["name"] for column in json.loads(metadata["schemaString"])["fields"])
        return cls(frozenset(names), int(configuration.get(PROPERTY, 1)))

    @classmethod
    def opened(cls, delta: DeltaTable) -> "Made":
        """What an opened version says."""
        told = delta.metadata().configuration
        return cls(frozenset(field.name for field in delta.schema().fields), int(told.get(PROPERTY, 1)))


def lacking(contract: Table, made: Made) -> list[str]:
    """Columns of the contract that a table has not."""
    return [name for name in contract.arrow_schema.names if name not in made.columns]


def is_older(contract: Table, made: Made) -> bool:
    """Whether a table must be brought forward before anything is written to it."""
    return made.format < contract.format or bool(lacking(contract, made))


def require_known(contract: Table, made: Made) -> None:
    """Refuse to change a table that a newer Larmor made.

    Raises:
        TableNewer: if it is one.
    """
    if made.format > contract.format:
        raise TableNewer(
            f"table {contract.path}: found format {made.format}, this version writes up to {contract.format}; upgrade "
            "Larmor on this machine"
        )


def require_current(contract: Table, made: Made) -> None:
    """Refuse to write to a table of another format.

    Raises:
        TableNewer: if a newer Larmor made it, or brought it forward.
        TableOutdated: if an older one made it.
    """
    require_known(contract, made)
    if is_older(contract, made):
        raise TableOutdated(
            f"table {contract.path}: found it made by an older version ({_lack(contract, made)}), needed the columns "
            "of this one; run larmor upgrade"
        )


def require_readable(contract: Table, made: Made, names: Sequence[str]) -> None:
    """Refuse to read columns that neither a table has nor its contract can complete.

    Raises:
        TableOutdated: with their names.
    """
    if missing := contract.incomplete(names, made.columns):
        raise outdated(contract, missing)


def outdated(contract: Table, missing: Sequence[str]) -> TableOutdated:
    """The error of rows without columns that the contract cannot complete."""
    return TableOutdated(
        f"table {contract.path}: found no columns {list(missing)} in its files, needed them in every row; no version "
        "of Larmor wrote such files: restore the table from a backup, or materialize its deliveries again"
    )


def _lack(contract: Table, made: Made) -> str:
    missing = lacking(contract, made)
    if not missing:
        return f"format {made.format} of {contract.format}"
    return f"it lacks {', '.join(missing[:_NAMED])}{f' and {len(missing) - _NAMED} more' * (len(missing) > _NAMED)}"
