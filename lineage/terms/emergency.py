"""Emergency access: glass broken by one person, with a reason of a closed list, opened by a second one, for hours.

Belongs here: asking, opening, and whether a grant is open. The ledger alone holds grants, so that none can be made
without leaving a trace; everything done under one names it. Who may be the second person is `schemas.roles`.
"""

import datetime as dt
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from lake.zones import Lake
from lineage.ledger.events import EventType, Facts
from lineage.ledger.ledger import append
from lineage.principal import now, principal
from schemas.contract import Zone
from schemas.roles import Emergency, Roles
from schemas.tables import LEDGER

_ASK, _OPEN, _USE = "ask", "open", "use"


class EmergencyError(ValueError):
    """Glass cannot be broken as asked; the message says what was found and what is needed."""


@dataclass(frozen=True)
class Grant:
    """An emergency access, asked for or open.

    Attributes:
        name: its name, which events of what is done under it carry.
        zone: the zone it gives.
        holder: who asked for it.
        reason: why.
        asked: when it was asked for, UTC, RFC 3339.
        second: who opened it; None: nobody did.
        until: when it ends, UTC, RFC 3339; None: it is not open.
    """

    name: str
    zone: Zone
    holder: str
    reason: Emergency
    asked: str
    second: str | None = None
    until: str | None = None

    def is_open(self, moment: str) -> bool:
        """Whether it gives its zone at a moment, UTC, RFC 3339."""
        return self.until is not None and moment < self.until


def ask(lake: Lake, zone: Zone, reason: Emergency | str) -> Grant:
    """Ask for a zone in an emergency; a second person has to open it.

    Raises:
        ValueError: if the reason is none of the list.
    """
    grant = Grant(f"glass-{secrets.token_hex(4)}", zone, principal(lake), Emergency(reason), now())
    append(lake, EventType.BREAK_GLASS, _told(grant, _ASK))
    return grant


def open_grant(lake: Lake, roles: Roles, name: str, hours: int) -> Grant:
    """Open, as the second person, a grant that somebody asked for.

    Args:
        lake: the lake.
        roles: which say who may.
        name: of the grant.
        hours: how long it is to be open.

    Raises:
        EmergencyError: if nobody asked, it was opened before, or the second person is the first or may not.
    """
    found = {grant.name: grant for grant in grants(lake)}.get(name)
    second = principal(lake)
    if found is None or found.until is not None:
        raise EmergencyError(
            f"found {'no grant of this name' if found is None else 'a grant that was opened before'}, needed one that "
            "somebody asked for; larmor break-glass lists them"
        )
    if second == found.holder or not roles.approves(second):
        whom = "the one who asked" if second == found.holder else "a principal whom no role lets approve"
        raise EmergencyError(f"found {whom}, needed a second person with a role that says approves: true")
    if not 1 <= hours <= roles.break_glass_hours:
        raise EmergencyError(f"found {hours} hours, needed 1 to {roles.break_glass_hours}, as the roles say")
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    ends = until.isoformat(timespec="microseconds").replace("+00:00", "Z")
    opened = Grant(found.name, found.zone, found.holder, found.reason, found.asked, second, ends)
    append(lake, EventType.BREAK_GLASS, _told(opened, _OPEN))
    return opened


def used(lake: Lake, name: str, action: str) -> None:
    """Record that something is done under a grant, which has no event of its own to say so."""
    grant = {grant.name: grant for grant in grants(lake)}[name]
    append(lake, EventType.BREAK_GLASS, {**_told(grant, _USE), "target": action})


def grants(lake: Lake) -> list[Grant]:
    """Every grant that was asked for, in the order of asking."""
    found: dict[str, Grant] = {}
    for event in _events(lake):
        facts = event["facts"]
        name, asked = facts["grant"], found.get(facts["grant"])
        zone, reason = Zone(facts["zone"]), Emergency(facts["reason"])
        if facts["action"] == _ASK:
            found[name] = Grant(name, zone, event["principal"], reason, event["time"])
        elif facts["action"] == _OPEN and asked is not None:
            found[name] = Grant(name, zone, asked.holder, reason, asked.asked, event["principal"], facts["until"])
    return list(found.values())


def open_for(lake: Lake, who: str, zone: Zone) -> str | None:
    """Name of an open grant that gives somebody a zone; None: there is none."""
    moment = now()
    fitting = (g.name for g in grants(lake) if g.holder == who and g.zone is zone and g.is_open(moment))
    return next(fitting, None)


def named(grants: Sequence[str]) -> Facts:
    """The grants that something was done under, as an event says them: one by its name, several as a list."""
    return {"grant": grants[0] if len(grants) == 1 else None, "grants": list(grants) if len(grants) > 1 else None}


def _told(grant: Grant, action: str) -> Mapping[str, Any]:
    return {
        "action": action,
        "grant": grant.name,
        "zone": str(grant.zone),
        "reason": str(grant.reason),
        "holder": grant.holder,
        "until": grant.until,
    }


def _events(lake: Lake) -> Iterator[dict[str, Any]]:
    table = lake.table(LEDGER)
    if not table.exists():
        return
    rows = table.read(["sequence", "type", "event"])
    for row in rows.filter(pc.equal(rows["type"], str(EventType.BREAK_GLASS))).sort_by("sequence").to_pylist():
        yield json.loads(row["event"])
