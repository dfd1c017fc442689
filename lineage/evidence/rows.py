"""The rows that the numbers of the report rest on: of which table and version, and which entry of the ledger says so.

Belongs here: one line for each number of a delivery, release or model, so that a reader can follow it from the page to
the record. Whether both agree is judged by `stages.upkeep.reconcile`; here they stand beside each other.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lineage.evidence.past import Past
from lineage.evidence.recorded import Entry, Record
from lineage.ledger.events import EventType
from schemas.contract import Table
from schemas.tables import (
    CERTIFICATES,
    DECISIONS,
    DIAGNOSES,
    EXPOSED_CHECKPOINTS,
    INSTANCES,
    LABELS,
    QUARANTINE,
    RECEIVED,
    REPORTS,
    SERIES,
    VOLUMES,
)

_MADE = (DECISIONS, CERTIFICATES, SERIES, VOLUMES, REPORTS, LABELS, DIAGNOSES)


@dataclass(frozen=True)
class Row:
    """What a number rests on.

    Attributes:
        anchor: its place on the page.
        what: table, <zone>/<table>.
        of: delivery or model.
        number: rows of it that were counted.
        version: version of the table that was read; -1: none.
        entry: the newest entry of the ledger about it; None: none was found.
        said: what that entry says was kept, or all stations of a delivery say was held back; None: no number.
    """

    anchor: str
    what: str
    of: str
    number: int
    version: int
    entry: Entry | None
    said: int | None


def anchor(table: str, of: str) -> str:
    """Place on the page of the rows of a table that belong to a delivery or a model."""
    return f"row-{table}-{of}"


def rows(past: Past, record: Record, page: Mapping[str, Any]) -> list[Row]:
    """A row for each table and delivery, and for the exposures of each model.

    Args:
        past: the lake at the report's moment.
        record: the ledger up to it.
        page: what the report shows, with `deliveries`, `decisions`, `certificates` and `models`.
    """
    decided: Counter[str] = sum((row["rows"] for row in page["decisions"]), Counter())
    certified: Counter[str] = Counter()
    for row in page["certificates"]:
        certified[row["delivery"]] += row["n"]
    found = []
    for row in page["deliveries"]:
        name = row["delivery"]
        received = record.newest(EventType.RECEIVED, delivery=name)
        cleaned = record.newest(EventType.DEIDENTIFIED, delivery=name)
        made = {t: record.newest(EventType.MATERIALIZED, delivery=name, table=t.path) for t in _MADE}
        stations = [entry for entry in (received, cleaned, *made.values()) if entry]
        held = sum(entry.facts.get("quarantined", 0) for entry in stations) if stations else None
        counts = {**row, "decisions": decided[name], "certificates": certified[name]}
        found.append(_row(past, RECEIVED, name, row["received"], received, "received"))
        found.append(replace(_row(past, QUARANTINE, name, row.get("held", 0), received, "quarantined"), said=held))
        found.append(_row(past, INSTANCES, name, row.get("instances", 0), cleaned, "kept"))
        found += [_row(past, table, name, counts.get(table.name, 0), made[table], "kept") for table in _MADE]
    for row in page["models"]:
        found.append(
            _row(past, EXPOSED_CHECKPOINTS, row["name"], row["seen"].get("volumes", 0), row["exposed"], "volumes")
        )
    return found


def _row(past: Past, table: Table, of: str, number: int, entry: Entry | None, fact: str) -> Row:
    said = entry.facts.get(fact) if entry else None
    return Row(anchor(table.name, of), table.path, of, number, past.table(table).number, entry, said)
