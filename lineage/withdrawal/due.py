"""What has to go because of its terms: retention that is over, licences that ended, consents taken back.

Belongs here: finding these and planning them, for a person to confirm. Nothing is deleted by a clock.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from lake.stores.storage import Location
from lake.zones import Lake
from lineage.principal import now
from lineage.terms.terms import Known
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.plan import Plan, plan
from lineage.withdrawal.withdrawals import confirmation
from schemas.agreement import AnyTerm, Consent
from schemas.contract import Zone
from schemas.tables import RECEIVED
from schemas.term import AtEnd
from schemas.term import Kind as Document

FOLDER = "withdrawals-due"


@dataclass(frozen=True)
class Due:
    """Something that may no longer be kept.

    Attributes:
        scope: what.
        term: the document that says so.
        why: retention, end or consent.
        since: first day on which it may no longer be kept; None: since it was taken back.
        at_end: what becomes of it: return or destroy.
    """

    scope: Scope
    term: str
    why: str
    since: dt.date | None
    at_end: AtEnd


def due(lake: Lake, today: dt.date) -> list[Due]:
    """Everything that may no longer be kept on a day, by the terms as they are known now; each scope once."""
    deliveries = _deliveries(lake)
    found: dict[Scope, Due] = {}
    for name, document in sorted(Known.of(lake).documents.items()):
        if isinstance(document, Consent):
            for subject in document.withdrawn:
                scope = Scope(Kind.SUBJECT, subject)
                found.setdefault(scope, Due(scope, name, "consent", None, AtEnd.DESTROY))
        if isinstance(document, AnyTerm):
            for each in _over(document, today, deliveries):
                found.setdefault(each.scope, each)
    return list(found.values())


def plan_due(lake: Lake, today: dt.date) -> list[tuple[Due, Plan]]:
    """Plan what is due and keep each plan in the audit zone, with the digits that confirm it.

    Returns:
        What is due and still held.
    """
    place = lake.location(Zone.AUDIT, FOLDER)
    planned = []
    for each in due(lake, today):
        made = plan(lake, each.scope)
        if made.empty:
            continue
        _keep(place, each, made)
        planned.append((each, made))
    current = {_name(each.scope) for each, _ in planned}
    for name in place.list():
        if name not in current:
            place.delete(name)
    return planned


def _over(term: AnyTerm, today: dt.date, deliveries: list[str]) -> Iterator[Due]:
    """What a document says may no longer be kept."""
    ends = [("end", term.last_day)] if term.at_end is not AtEnd.KEEP else []
    days = [(day, why) for why, day in [("retention", term.retain_until), *ends] if day is not None and day < today]
    if not days:
        return
    day, why = min(days)
    at_end = AtEnd.DESTROY if term.at_end is AtEnd.KEEP else term.at_end
    for scope in _scopes(term, deliveries):
        yield Due(scope, term.id, why, day + dt.timedelta(days=1), at_end)


def _scopes(term: AnyTerm, deliveries: list[str]) -> list[Scope]:
    if term.subjects:
        return [Scope(Kind.SUBJECT, subject) for subject in term.subjects]
    if term.kind == Document.LICENCE:
        return [Scope(Kind.LICENCE, term.id)]
    return [Scope(Kind.DELIVERY, name) for name in deliveries if term.covers(name)]


def _deliveries(lake: Lake) -> list[str]:
    return sorted({partition["delivery"] for partition in lake.table(RECEIVED).partitions()})


def _keep(place: Location, each: Due, made: Plan) -> None:
    said = {"due": asdict(each), "confirm": confirmation(made), "planned": now(), "plan": asdict(made)}
    place.write_bytes(_name(each.scope), json.dumps(said, indent=1, default=str).encode())


def _name(scope: Scope) -> str:
    return hashlib.sha256(f"{scope.kind}\0{scope.value}".encode()).hexdigest()[:12] + ".json"
