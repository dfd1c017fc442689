"""Accesses: who read or exported what, and for which purpose.

Belongs here: recording one, after the roles were asked for the zone. Whether terms allow what is done is
`lineage.terms`.
"""

from enum import StrEnum
from typing import Any

from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.principal import now, principal
from lineage.terms.asking import admit
from lineage.terms.emergency import named
from schemas.contract import Zone
from schemas.roles import reading
from schemas.tables import ACCESS


class Access(StrEnum):
    """Kinds of access."""

    READ = "read"
    EXPORT = "export"
    PREDICT = "predict"
    REPORT = "report"


def accessed(lake: Lake, action: Access | str, what: str, rows: int, purpose: str, **facts: Any) -> int:
    """Record an access, on the ledger and in `audit/access`; returns the event's sequence number.

    Args:
        lake: the lake.
        action: kind of access.
        what: a table (`<zone>/<table>`), a release or a checkpoint.
        rows: how many rows or volumes.
        purpose: what for.
        facts: more that the event says, for example `release` and `split`.

    Raises:
        ValueError: if the action is none of `Access`.
        lineage.terms.refusal.Refusal: if the installation has roles, and none gives the principal the zone.
        lineage.ledger.events.EventError: if target or purpose are more than a name.
    """
    kind = Access(action)
    grants = admit(lake, str(kind), reading(_zone(kind, what)), what)
    said = {"action": str(kind), "target": what, "rows": rows, "purpose": purpose, **named(grants)}
    # the event comes first: a crash in between leaves an access without its row, never one without an event
    sequence = append(lake, EventType.ACCESSED, said | facts)
    row = {
        "time": now(),
        "principal": principal(lake),
        "action": str(kind),
        "subject_of_access": what,
        "rows": rows,
        "purpose": purpose,
    }
    table = lake.table(ACCESS)
    table.append([table.write([row], {})])
    return sequence


def _zone(kind: Access, what: str) -> Zone:
    """The zone that what is accessed lies in; releases are in the curated one."""
    first, slash, _ = what.partition("/")
    if slash and first in set(Zone):
        return Zone(first)
    return Zone.MODELS if kind is Access.PREDICT else Zone.CURATED
