"""What every station does alike: run work on the engine, commit what it made, tell the ledger, report the outcome.

Belongs here: the frame of a station. What a station does to its units is in the station's own file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from lake.engines.engine import Work, engine
from lake.tables.written import Written
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.history import digest
from lineage.ledger.ledger import append
from schemas.contract import Table
from schemas.reasons import Reason
from schemas.tables import QUARANTINE, RECEIVED

Report = Callable[[str], None]
"""Takes a line that tells a person how far the work is; never PHI."""

_UNIT_BYTES = (16 * 2**20, 128 * 2**20)
"""Least and most input of a unit of work: a process must pay for its start of some seconds, a unit must fit memory, and
a lake of millions of series must not have as many files."""


def unit_bytes(lake: Lake, total: int) -> int:
    """Input that a unit of work aims at, so that every worker gets some of `total` bytes."""
    least, most = _UNIT_BYTES
    return max(least, min(most, total // engine(lake.settings).slots + 1))


def silent(_line: str) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True)
class Outcome:
    """What a materialization did to a delivery.

    Attributes:
        table: path of the table.
        version: its version after the commit.
        kept: rows it holds of the delivery now.
        duplicates: files left out because their bytes are there already.
        quarantined: files this station held back.
        details: more facts for people and plots.
    """

    table: str
    version: int
    kept: int
    duplicates: int = 0
    quarantined: int = 0
    details: Mapping[str, int | float | str] = field(default_factory=dict)


def work_off(lake: Lake, work: Work, units: Sequence[pa.RecordBatch], report: Report) -> Written:
    """Run `work` over all units and collect what it made."""
    collected = Written()
    step = max(1, len(units) // 10)
    for done, batch in enumerate(engine(lake.settings).map(work, units, report), 1):
        collected.add(Written.of(batch))
        if done % step == 0 or done == len(units):
            report(f"{done} of {len(units)} units")
    return collected


def commit(
    lake: Lake, station: str, delivery: str, written: Written, tables: Sequence[Table], quarantine: bool = True
) -> dict[str, int]:
    """Commit a station's tables and its quarantine rows; the last table is the one that says the station is done.

    Returns:
        New version of each table, by its path.
    """
    versions = {}
    if quarantine:
        partition = {"delivery": delivery, "stage": station}
        versions[QUARANTINE.path] = written.commit(lake.table(QUARANTINE), partition)
    for table in tables:
        versions[table.path] = written.commit(lake.table(table), {"delivery": delivery})
    return versions


def recorded(lake: Lake, type_: EventType, station: str, delivery: str, outcome: Outcome, **facts: object) -> Outcome:
    """Put the outcome on the ledger and pass it on."""
    counts = {"kept": outcome.kept, "duplicates": outcome.duplicates, "quarantined": outcome.quarantined}
    own = {"table": outcome.table, "stage": station} if type_ is EventType.MATERIALIZED else {}
    # the commit names the digest of every file that it adds, so that its own digest ties the data to the ledger
    commit = {"version": outcome.version, "commit_sha256": digest(lake, outcome.table, outcome.version)}
    append(lake, type_, {"delivery": delivery, **commit, **own, **counts, **facts})
    return outcome


def held(
    station: str,
    reason: Reason,
    path: str = "",
    sha256: str = "",
    instance: str | None = None,
    line: int | None = None,
) -> dict[str, object]:
    """A quarantine row; a station that knows only the instance leaves path and digest to `located`."""
    return {
        "stage": station,
        "reason": str(reason),
        "remedy": reason.remedy,
        "path": path,
        "sha256": sha256,
        "instance": instance,
        "line": line,
    }


def located(lake: Lake, delivery: str, written: Written) -> None:
    """Fill path and digest of quarantine rows that name only the instance, from what was received."""
    rows = written.rows(QUARANTINE)
    if not rows:
        return
    columns = ["instance", "path", "sha256", "outcome"]
    received = lake.table(RECEIVED).rows(columns, {"delivery": delivery})
    places = {row["instance"]: row for row in received if row["outcome"] == "kept"}
    written.handed.pop(QUARANTINE.path)
    written.hand(
        QUARANTINE,
        [row | {k: places[row["instance"]][k] for k in ("path", "sha256")} if not row["path"] else row for row in rows],
    )
