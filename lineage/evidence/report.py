"""The audit report: one self-contained page with the way of the data, counts, terms, decisions, models and digests.

Belongs here: putting the evidence into the page. What is counted is `lineage.evidence.gathered` and its neighbours, how
it looks are the templates. The page needs no network and no script, and holds nothing that may identify a person.
"""

import datetime as dt
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lake.zones import Lake
from lineage.evidence import deidentified, gathered, made, picture
from lineage.evidence.attention import points
from lineage.evidence.links import Cited, number
from lineage.evidence.pages import environment
from lineage.evidence.past import Past
from lineage.evidence.recorded import Record
from lineage.evidence.reviews import reviews
from lineage.evidence.rows import rows
from lineage.ledger.events import EventType
from lineage.ledger.verify import Verdict, verify
from lineage.principal import now, principal
from schemas.contract import Zone
from schemas.tables import (
    DECISIONS,
    DIAGNOSES,
    INSTANCES,
    LABELS,
    QUARANTINE,
    RECEIVED,
    REPORTS,
    SERIES,
    VOLUMES,
)

FOLDER, PAGE = "reports", "audit.html"
"""Where the page lies in the audit zone."""

_NEWEST = 20
_SEALS_SHOWN = 5
_DELIVERIES_SHOWN = 20


def write(lake: Lake) -> str:
    """Write the report into the audit zone and return the page's path or URI."""
    location = lake.location(Zone.AUDIT, FOLDER)
    location.write_bytes(PAGE, report(lake).encode())
    return location.address(PAGE)


def report(lake: Lake, until: dt.datetime | None = None) -> str:
    """The report as HTML; verifies the ledger first and says what came of it.

    Args:
        lake: the lake.
        until: the moment that it speaks of, with a time zone; None: now. Two reports of one past moment are the same
            bytes, as long as the tables of that moment are there.
    """
    verdict = verify(lake)
    past = Past.of(lake, until)
    record = Record.of(past)
    page = _gathered(past, record)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            page,
            verdict=verdict,
            ledger=_ledger(past, record, verdict),
            picture=picture.drawn(_counts(past, page)),
            created=past.moment or now(),
            principal=principal(lake),
            past=past,
            code_version=code_version(),
            summary=_summary(page, record, verdict),
            points=points(page, verdict),
            rows=rows(past, record, page),
            shown=_DELIVERIES_SHOWN,
            cited=Cited(record),
            anchors=_anchors(page),
        )
    )


def code_version() -> str:
    """Version of Larmor."""
    try:
        return version("larmor")
    except PackageNotFoundError:
        return "unknown"


def _gathered(past: Past, record: Record) -> dict[str, Any]:
    day = (past.until or dt.datetime.now(dt.UTC)).date()
    return {
        "deliveries": gathered.deliveries(past),
        "terms": gathered.terms(past, day),
        "refusals": record.of_type(EventType.REFUSED),
        "emergencies": record.of_type(EventType.BREAK_GLASS),
        "roles": record.of_type(EventType.ROLES_CHANGED),
        "decisions": deidentified.decisions(past),
        "actions": deidentified.ACTIONS,
        "policies": deidentified.policies(past),
        "certificates": deidentified.certificates(past),
        "identifiers": deidentified.identifiers(past),
        "checks": deidentified.checks(past, record),
        "quarantine": gathered.quarantine(past),
        "releases": made.releases(past, record),
        "models": made.models(past, record),
        "evaluations": made.evaluations(past, record),
        "sealed": made.sealed(past, record),
        "tiers": gathered.tiers(past, record),
        "withdrawals": record.of_type(EventType.WITHDRAWN),
        "reviews": reviews(past, record),
        "accesses": gathered.accesses(past, record),
        "event_types": record.types,
        "newest": list(reversed(record.at(range(max(0, record.size - _NEWEST), record.size)))),
    }


def _ledger(past: Past, record: Record, verdict: Verdict) -> dict[str, Any]:
    """Size, root and seals of the ledger at the report's moment."""
    by_then = [seal for seal in record.seals if past.had(seal.statement.time)]
    proof = next((seal for seal in record.seals if seal.size >= record.size), None)
    at_once = past.until is None
    return {
        "entries": verdict.entries if at_once else record.size,
        "root": verdict.root if at_once else record.root,
        "seals": len(by_then),
        "sealed": verdict.sealed if at_once else max((seal.size for seal in by_then), default=0),
        "proof": proof,
        "newest": list(reversed(by_then[-_SEALS_SHOWN:])),
    }


def _counts(past: Past, page: dict[str, Any]) -> dict[str, int]:
    tables = {
        "files": RECEIVED,
        "quarantined": QUARANTINE,
        "instances": INSTANCES,
        "series": SERIES,
        "volumes": VOLUMES,
        "reports": REPORTS,
        "labels": LABELS,
        "diagnoses": DIAGNOSES,
        "decisions": DECISIONS,
    }
    own = {name: len(page[name]) for name in ("deliveries", "releases", "models", "evaluations")}
    seen = sum(row["seen"].get("volumes", 0) for row in page["models"])
    return {name: gathered.total(past, table) for name, table in tables.items()} | own | {"exposures": seen}


def _summary(page: dict[str, Any], record: Record, verdict: Verdict) -> str:
    state = "holds" if verdict.ok else "does not hold"
    return (
        f"{_many(len(page['deliveries']), 'delivery', 'deliveries')}, {_many(len(page['releases']), 'release')} and "
        f"{_many(len(page['models']), 'model')}; the ledger of {_many(record.size, 'entry', 'entries')} {state}."
    )


def _many(count: int, one: str, many: str | None = None) -> str:
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def _anchors(page: dict[str, Any]) -> frozenset[str]:
    """Anchors that the page has, so that no link leads nowhere."""
    named = {f"release-{row['name']}" for row in page["releases"]} | {f"model-{row['name']}" for row in page["models"]}
    return frozenset(named | {f"licence-{row['licence']}" for row in page["terms"] if row["current"]})
