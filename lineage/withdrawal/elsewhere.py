"""What holds a scope outside the tables, as far as this lake has a record of it: copies, and whom to tell.

Belongs here: reading the ledger, the staging folder and the terms. What nothing here records, as snapshots of a disk,
the plan leaves to a person.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from lake.staging.cache import Cache
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.terms.terms import Known
from schemas.tables import LEDGER

_UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Elsewhere:
    """Copies that are recorded.

    Attributes:
        exports: recorded exports of releases that hold it, and of models that saw it.
        recipients: who received them.
        evaluations: recorded evaluations on a split that holds it; their pages show pictures.
        backups: recorded backups of the lake; each may hold it.
        staged_files: files in the staging folder, of releases that hold it.
        notify: whom to tell: those who grant the licences concerned, and the recipients.
    """

    exports: int = 0
    recipients: list[str] = field(default_factory=list)
    evaluations: int = 0
    backups: int = 0
    staged_files: int = 0
    notify: list[str] = field(default_factory=list)


def elsewhere(
    lake: Lake,
    releases: Mapping[str, Iterable[str]],
    digests: Iterable[str],
    models: Iterable[str],
    licences: Iterable[str],
) -> Elsewhere:
    """Copies of what a scope is in.

    Args:
        lake: the lake.
        releases: releases that hold it, with the splits that do.
        digests: digests of their manifests.
        models: models that saw it.
        licences: licences of its data.
    """
    splits, saw = {name: set(of) for name, of in releases.items()}, set(models)
    exports = evaluations = backups = 0
    recipients = set[str]()
    for kind, facts in _handed_out(lake):
        there = splits.get(facts.get("release", ""), set())
        if kind == EventType.BACKED_UP:
            backups += 1
        elif kind == EventType.EVALUATED:
            evaluations += facts["split"] in there
        elif there or facts.get("model") in saw:
            exports += 1
            recipients.add(facts.get("recipient", _UNKNOWN))
    known = Known.of(lake)
    granted = [term for each in sorted(set(licences)) if (term := known.term(each))]
    told = {f"{term.licensor}{f' ({term.contact})' if term.contact else ''}" for term in granted}
    received = sorted(recipients - {_UNKNOWN})
    notify = [*sorted(told), *(f"recipient {name}" for name in received)]
    return Elsewhere(exports, sorted(recipients), evaluations, backups, _staged(lake, digests), notify)


def _handed_out(lake: Lake) -> Iterable[tuple[str, dict[str, str]]]:
    """Type and facts of events that made copies; a ledger of millions of entries is filtered before it is parsed."""
    table = lake.table(LEDGER)
    if not table.exists():
        return
    rows = table.read(["type", "event"])
    wanted = pa.array([str(kind) for kind in (EventType.EXPORTED, EventType.EVALUATED, EventType.BACKED_UP)])
    for row in rows.filter(pc.is_in(rows["type"], wanted)).to_pylist():
        yield row["type"], json.loads(row["event"])["facts"]


def _staged(lake: Lake, digests: Iterable[str]) -> int:
    cache = Cache.of(lake.settings)
    found = [cache.staged(digest) for digest in digests] if cache else []
    return len({digest for staged in found if staged for digest in staged.digests})
