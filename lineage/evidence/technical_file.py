"""The data part of a technical file: what the EU AI Act, Annex IV section 2(d), asks of the data of a model.

Belongs here: putting records in the order of that section, for the bundle. It says what Larmor knows: origin, scope and
main characteristics of the data, how they were obtained and chosen, labelled and cleaned. Intended purpose, bias
against persons who are not in the data, and everything about the system around a model is for its provider to add.
"""

import datetime as dt
from typing import Any

from lineage.evidence import deidentified, gathered, made
from lineage.evidence.pages import environment
from lineage.evidence.past import Past
from lineage.evidence.recorded import Record
from lineage.ledger.events import EventType


def page(past: Past, record: Record, created: str) -> str:
    """The page, of the lake at a moment.

    Args:
        past: the lake.
        record: the ledger up to then.
        created: the moment, RFC 3339.
    """
    releases = made.releases(past, record)
    return (
        environment()
        .get_template("technical-file.html.j2")
        .render(
            created=created,
            past=past,
            models=[_model(row, releases) for row in made.models(past, record) if row["manifest"]],
            releases=[row for row in releases if row["manifest"]],
            deliveries=gathered.deliveries(past),
            terms={row["licence"]: row for row in gathered.terms(past, dt.date.fromisoformat(created[:10]))},
            policies=deidentified.policies(past),
            checks=deidentified.checks(past, record),
            quarantine=gathered.quarantine(past),
            sealed={row["release"]: row for row in made.sealed(past, record)},
            evaluated=record.of_type(EventType.EVALUATED),
        )
    )


def _model(row: dict[str, Any], releases: list[dict[str, Any]]) -> dict[str, Any]:
    return row | {"release": next((r for r in releases if r["name"] == row["manifest"].release), None)}
