"""What the audit report says of data and terms, gathered from the tables as plain values.

Belongs here: counting and collecting. De-identification and how it was checked is `lineage.evidence.deidentified`,
releases and models are `lineage.evidence.made`; how it looks is `lineage.evidence.report` and its templates. Nothing of
the restricted zone but counts comes here: no paths, no digests of received files, no identifiers.
"""

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lineage.evidence.past import Dated, Past
from lineage.evidence.recorded import Record
from lineage.ledger.events import EventType
from schemas.agreement import AnyDocument, parsed
from schemas.contract import Table
from schemas.reasons import Reason
from schemas.tables import (
    ACCESS,
    DIAGNOSES,
    INSTANCES,
    LABELS,
    LICENCES,
    QUARANTINE,
    RECEIVED,
    REPORTS,
    SERIES,
    TIER_MOVES,
    VOLUMES,
)
from schemas.term import Term

Rows = list[dict[str, Any]]


def counted(table: Dated, columns: Sequence[str], total: str | None = None) -> Rows:
    """Rows of each combination of columns as `n`, with the sum of another column where one is named.

    Groups come in the order of their first rows: Arrow's threads would give another order at times, and a bundle of one
    past moment is the same bytes each time.
    """
    if not table.exists():
        return []
    names = list(dict.fromkeys([*columns, *([total] if total else [])]))
    found = table.read(names)
    if found.num_rows == 0:
        return []
    ones = pa.array([1] * found.num_rows, pa.int64())
    grouped = found.append_column("n", ones).group_by(list(columns), use_threads=False)
    if total is None:
        return grouped.aggregate([("n", "sum")]).rename_columns({"n_sum": "n"}).to_pylist()
    summed = grouped.aggregate([("n", "sum"), (total, "sum")])
    return summed.rename_columns({"n_sum": "n", f"{total}_sum": total}).to_pylist()


def deliveries(past: Past) -> Rows:
    """Each delivery: files received, kept, duplicate and quarantined, and what was made of it."""
    rows: dict[str, dict[str, Any]] = defaultdict(lambda: {"received": 0, "licences": set()})
    for row in counted(past.table(RECEIVED), ["delivery", "outcome", "licence"]):
        entry = rows[row["delivery"]]
        entry[row["outcome"]] = entry.get(row["outcome"], 0) + row["n"]
        entry["received"] += row["n"]
        entry["licences"].add(row["licence"])
    for table in (INSTANCES, SERIES, VOLUMES, REPORTS, LABELS, DIAGNOSES):
        for row in counted(past.table(table), ["delivery"]):
            rows[row["delivery"]][table.name] = row["n"]
    for row in counted(past.table(QUARANTINE), ["delivery"]):
        rows[row["delivery"]]["held"] = row["n"]
    for row in distinct(past.table(INSTANCES), "delivery", "subject"):
        rows[row["delivery"]]["subjects"] = row["subject_count_distinct"]
    return [{"delivery": name, **entry, "licences": sorted(entry["licences"])} for name, entry in sorted(rows.items())]


def quarantine(past: Past) -> Rows:
    """What was held back, by station and reason, with the remedy; never a path."""
    by: dict[tuple[str, str], dict[str, Any]] = {}
    for row in counted(past.table(QUARANTINE), ["stage", "reason", "delivery"]):
        known = row["reason"] in set(Reason)
        entry = by.setdefault(
            (row["stage"], row["reason"]),
            {
                "stage": row["stage"],
                "reason": row["reason"],
                "remedy": Reason(row["reason"]).remedy if known else "",
                "deliveries": Counter(),
                "n": 0,
            },
        )
        entry["n"] += row["n"]
        entry["deliveries"][row["delivery"]] += row["n"]
    return sorted(by.values(), key=lambda row: (-row["n"], row["stage"], row["reason"]))


def terms(past: Past, day: dt.date) -> Rows:
    """Every document of terms that was ever known, latest knowledge of each marked, with its state on a day."""
    rows = sorted(past.table(LICENCES).rows(), key=lambda row: (str(row["licence"]), str(row["known_from"])))
    latest = {row["licence"]: row for row in rows}
    found = []
    for row in rows:
        document = parsed(json.loads(row["document"]), row["licence"])
        current = latest[row["licence"]] is row
        about = {"document": document, "kind": str(document.kind).replace("-", " "), "current": current}
        allows = document if isinstance(document, Term) else None
        found.append({**row, **about, "allows": allows, "state": _state(document, current, day)})
    return found


def accesses(past: Past, record: Record) -> Rows:
    """Accesses by who, what, how and what for, each group with its newest entry of the ledger."""
    rows = counted(past.table(ACCESS), ["principal", "action", "subject_of_access", "purpose"], total="rows")
    newest = {
        (e.principal, e.facts["action"], e.facts["target"], e.facts["purpose"]): e
        for e in record.of_type(EventType.ACCESSED)
    }
    for row in rows:
        row["entry"] = newest.get((row["principal"], row["action"], row["subject_of_access"], row["purpose"]))
    return sorted(rows, key=lambda row: (str(row["principal"]), str(row["subject_of_access"])))


def tiers(past: Past, record: Record) -> Rows:
    """Files that were moved between storage tiers, by table, tiers and reason, each with its newest entry."""
    columns = ["table", "source", "target", "policy", "why"]
    rows = counted(past.table(TIER_MOVES), columns, total="bytes")
    for row in rows:
        row["entry"] = record.newest(EventType.TIER_MOVED, table=row["table"])
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in columns))


def total(past: Past, table: Table) -> int:
    """Rows of a table."""
    handle = past.table(table)
    return handle.read([table.key[0]]).num_rows if handle.exists() else 0


def distinct(table: Dated, by: str, of: str) -> Rows:
    """How many different values of a column stand beside each value of another, as `<of>_count_distinct`."""
    if not table.exists():
        return []
    return table.read([by, of]).group_by([by], use_threads=False).aggregate([(of, "count_distinct")]).to_pylist()


def _state(document: AnyDocument, current: bool, day: dt.date) -> str:
    if not current:
        return "superseded"
    if document.in_force(day):
        return "in force"
    if document.revoked is not None and day >= document.revoked:
        return "revoked"
    return "expired" if document.over(day) else "not yet in force"
