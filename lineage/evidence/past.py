"""The lake as it was at a past moment: each table at the version of that time, and what of them is gone.

Belongs here: from a moment to versions. What is said of the tables is `lineage.evidence.gathered` and its neighbours;
the ledger has no versions but a beginning, which is `lineage.evidence.recorded`. Delta keeps old versions for some
weeks only, and withdrawals erase them: a table whose version of that moment cannot be read any more is gone, is named
so, and is never replaced by its rows of today.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from deltalake.exceptions import DeltaError

from lake.errors import TableMissing
from lake.stores.storage import Location
from lake.tables.protocol import opened
from lake.tables.table import LakeTable
from lake.zones import Lake
from schemas.contract import Table, Zone
from schemas.tables import TABLES


@dataclass(frozen=True)
class Dated:
    """A table at one moment.

    Attributes:
        table: the table.
        version: version of that moment; None: the newest; -1: there was none yet.
        gone: whether there was a version that cannot be read any more.
    """

    table: LakeTable
    version: int | None = None
    gone: bool = False

    def exists(self) -> bool:
        """Whether it has rows to read."""
        return not self.gone and self.version != -1 and self.table.exists()

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows as an Arrow table; none where there is nothing to read.

        Args:
            columns: which; None: all but the payload.
        """
        if not self.exists():
            names = list(columns or self.table.contract.arrow_schema.names)
            return pa.schema([self.table.contract.arrow_schema.field(name) for name in names]).empty_table()
        return self.table.read(columns, version=self.version)

    def rows(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Rows as dictionaries; none where there is nothing to read."""
        return self.read(columns).to_pylist()

    @property
    def number(self) -> int:
        """The version that is read; -1: none."""
        return self.table.version() if self.version is None else self.version


@dataclass(frozen=True)
class Past:
    """A lake at one moment.

    Attributes:
        lake: the lake.
        until: the moment; None: now.
    """

    lake: Lake
    until: dt.datetime | None = None
    _dated: Mapping[str, Dated] = field(default_factory=dict)

    @classmethod
    def of(cls, lake: Lake, until: dt.datetime | None = None) -> "Past":
        """The lake at a moment, with a time zone; None: now."""
        if until is None:
            return cls(lake)
        return cls(lake, until, {table.path: _at(lake.table(table), until) for table in TABLES})

    def table(self, contract: Table) -> Dated:
        """A table as it was."""
        return self._dated.get(contract.path) or Dated(self.lake.table(contract))

    def location(self, zone: Zone, *parts: str) -> Location:
        """A folder of a zone, which has no versions; ask `had` of what lies in it."""
        return self.lake.location(zone, *parts)

    def had(self, time: str) -> bool:
        """Whether what was made at a time, RFC 3339, was there already."""
        return self.until is None or dt.datetime.fromisoformat(time) <= self.until

    @property
    def moment(self) -> str | None:
        """The moment, UTC, RFC 3339 with microseconds, to compare with the times of records; None: now."""
        return instant(self.until) if self.until else None

    @property
    def gone(self) -> list[str]:
        """Tables whose rows of that moment cannot be read any more."""
        return sorted(path for path, dated in self._dated.items() if dated.gone)


def instant(moment: dt.datetime) -> str:
    """A moment as the record writes times."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _at(table: LakeTable, until: dt.datetime) -> Dated:
    if not table.exists():
        return Dated(table, -1)
    ends = int(until.timestamp() * 1000)
    history = opened(table.location, table.contract.path).history()
    versions = {int(commit["version"]): int(commit["timestamp"]) for commit in history}
    known = [version for version, moment in versions.items() if moment <= ends]
    if not known:
        # the log of long ago is cleaned away: a table that begins at a later version may have had an earlier one
        return Dated(table, -1) if min(versions, default=0) == 0 else Dated(table, gone=True)
    version = max(known)
    return Dated(table, version, gone=version != max(versions) and not _there(table, version))


def _there(table: LakeTable, version: int) -> bool:
    """Whether every file of a version is still there."""
    try:
        wanted = table.names(version=version)
    except (DeltaError, TableMissing, OSError):
        return False
    return set(wanted) <= set(table.location.walk())
