"""The audit report: one self-contained page with the way of the data, counts, licences, decisions and digests.

Belongs here: putting the evidence into the page. What is counted is `lineage.evidence.gathered`, how it looks are the
templates. The page needs no network and no script, and holds nothing that may identify a person.
"""

import datetime as dt
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from markupsafe import Markup

from lake.zones import Lake
from lineage.evidence import gathered, picture
from lineage.evidence.pages import environment
from lineage.ledger.verify import Verdict, verify
from lineage.principal import now, principal
from schemas.contract import Zone
from schemas.tables import (
    DECISIONS,
    DIAGNOSES,
    EXPOSURES,
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

_DIGEST_SHOWN = 12


def write(lake: Lake) -> str:
    """Write the report into the audit zone and return the page's path or URI."""
    location = lake.location(Zone.AUDIT, FOLDER)
    location.write_bytes(PAGE, report(lake).encode())
    return location.address(PAGE)


def report(lake: Lake) -> str:
    """The report as HTML; verifies the ledger first and says what came of it."""
    verdict = verify(lake)
    page = _gathered(lake)
    templates = environment()
    templates.filters |= {
        "number": _number,
        "value": _value,
        "yes": lambda flag: "yes" if flag else "no",
        "day": lambda time: str(time)[:10],
        "minute": lambda time: str(time)[:16].replace("T", " "),
        "digest": _digest,
        "link": partial(_link, anchors=_anchors(page)),
    }
    return templates.get_template("report.html.j2").render(
        page,
        verdict=verdict,
        picture=picture.drawn(_counts(lake, page)),
        created=now(),
        principal=principal(lake),
        code_version=_code_version(),
        summary=_summary(page, verdict),
    )


def _gathered(lake: Lake) -> dict[str, Any]:
    types, newest = gathered.events(lake)
    return {
        "deliveries": gathered.deliveries(lake),
        "licences": gathered.licences(lake, dt.datetime.now(dt.UTC).date()),
        "decisions": gathered.decisions(lake),
        "actions": gathered.ACTIONS,
        "policies": gathered.policies(lake),
        "certificates": gathered.certificates(lake),
        "quarantine": gathered.quarantine(lake),
        "releases": gathered.releases(lake),
        "models": gathered.models(lake),
        "evaluations": gathered.evaluations(lake),
        "accesses": gathered.accesses(lake),
        "event_types": types,
        "newest_events": newest,
        "seals": gathered.seals(lake),
    }


def _counts(lake: Lake, page: dict[str, Any]) -> dict[str, int]:
    tables = {
        "files": RECEIVED,
        "quarantined": QUARANTINE,
        "instances": INSTANCES,
        "series": SERIES,
        "volumes": VOLUMES,
        "reports": REPORTS,
        "labels": LABELS,
        "diagnoses": DIAGNOSES,
        "exposures": EXPOSURES,
        "decisions": DECISIONS,
    }
    own = {name: len(page[name]) for name in ("deliveries", "releases", "models", "evaluations")}
    return {name: gathered.total(lake, table) for name, table in tables.items()} | own


def _summary(page: dict[str, Any], verdict: Verdict) -> str:
    state = "holds" if verdict.ok else "does not hold"
    return (
        f"{_many(len(page['deliveries']), 'delivery', 'deliveries')}, {_many(len(page['releases']), 'release')} and "
        f"{_many(len(page['models']), 'model')}; the ledger of {_many(verdict.entries, 'entry', 'entries')} {state}."
    )


def _many(number: int, one: str, many: str | None = None) -> str:
    return f"{_number(number)} {one if number == 1 else many or one + 's'}"


def _anchors(page: dict[str, Any]) -> frozenset[str]:
    """Anchors that the page has, so that no link leads nowhere."""
    named = {f"release-{row['name']}" for row in page["releases"]} | {f"model-{row['name']}" for row in page["models"]}
    return frozenset(named | {f"licence-{row['licence']}" for row in page["licences"] if row["current"]})


def _link(name: str, kind: str, *, anchors: frozenset[str]) -> Markup:
    if f"{kind}-{name}" not in anchors:
        return Markup("{}").format(name)
    return Markup('<a href="#{}-{}">{}</a>').format(kind, name, name)


def _digest(value: str) -> Markup:
    """The head of a digest; the whole of it is in its title, and prints in the list of digests."""
    return Markup('<code title="{}">{}</code>').format(value, value[:_DIGEST_SHOWN])


def _number(value: object) -> str:
    """A count with thin spaces between thousands, which no reader takes for a decimal sign."""
    return f"{value:,}".replace(",", "\u2009") if isinstance(value, int) else ""


def _value(value: float) -> str:
    return _number(value) if isinstance(value, int) else f"{value:.4g}"


def _code_version() -> str:
    try:
        return version("larmor")
    except PackageNotFoundError:
        return "unknown"
