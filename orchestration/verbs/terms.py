"""`larmor terms`."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened, table
from schemas.roles import Needs, changing, reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.zones import Lake
    from lineage.terms.covering import Cover

_COLUMNS = ("term", "kind", "why", "state", "valid_from", "valid_until", "known_from", "known_until")


def _needs(given: Mapping[str, Any]) -> Needs:
    if given["add"]:
        return changing(Zone.AUDIT)
    return reading(Zone.AUDIT, Zone.CURATED) if given["series"] else reading(Zone.AUDIT)


@click.command("terms", epilog="Example: larmor terms --series 2.25.1234 --on 2026-03-01 --known 2026-04-01")
@click.option("--series", help="What covered this series, by its pseudonymous UID.")
@click.option("--id", "id_", help="Every wording of this document, with what it says.")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Day in force. Default: today.")
@click.option("--known", help="As known on this day, or at this moment (ISO 8601). Default: now.")
@click.option("--add", type=LocalPath(dir_okay=False), help="Learn the document in this file.")
@as_json
@acting(_needs)
@click.pass_context
def command(
    context: click.Context,
    series: str | None,
    id_: str | None,
    on: dt.datetime | None,
    known: str | None,
    add: Path | None,
    json_: bool,
) -> None:
    """List the terms in force: licences, agreements, consents, approvals, determinations.

    --series asks what covered a series on a day, as it was known on a day; --add learns a document or its correction.
    """
    if sum(given is not None for given in (series, id_, add)) > 1:
        raise click.UsageError("found several of --series, --id and --add, needed one at most")
    lake = opened(context)
    day = on.date() if on else dt.datetime.now(dt.UTC).date()
    if add:
        _add(lake, add, json_)
    elif id_:
        _wordings(lake, id_, json_)
    else:
        _cover(lake, series, day, _moment(known), json_)


def _cover(lake: "Lake", series: str | None, day: dt.date, known: dt.datetime | None, json_: bool) -> None:
    from lineage.terms.covering import covering, standing

    found = covering(lake, series, day, known) if series else standing(lake, day, known)
    as_known = f"as known at {known:%Y-%m-%d %H:%M:%S %Z}" if known else "as known now"
    head = f"{'Terms of the series' if series else 'Terms'} on {day}, {as_known}"
    columns = [name for name in _COLUMNS if series or name != "why"]
    answer(json_, [asdict(each) for each in found], f"{head}\n\n{_shown(found, columns)}", "larmor terms --id ID")


def _shown(found: Sequence["Cover"], columns: Sequence[str]) -> str:
    return table([asdict(each) for each in found], columns) if found else "none; larmor terms --add FILE learns one"


def _wordings(lake: "Lake", id_: str, json_: bool) -> None:
    from lineage.terms.terms import history

    entries = [entry for entry in history(lake) if entry.document.id == id_]
    if not entries:
        raise click.ClickException(f"found no document {id_}, needed one that this lake knows; larmor terms lists them")
    rows: list[dict[str, Any]] = [
        {
            "known_from": entry.known_from,
            "known_until": entry.known_until,
            "digest": entry.digest,
            "document": entry.document.model_dump(mode="json"),
        }
        for entry in entries
    ]
    text = "\n\n".join(
        f"known {row['known_from']} to {row['known_until'] or 'now'}, digest {row['digest']}\n{entry.document.text()}"
        for row, entry in zip(rows, entries, strict=True)
    )
    answer(json_, rows, text)


def _add(lake: "Lake", path: Path, json_: bool) -> None:
    from lineage.terms.terms import install, learn
    from schemas.agreement import read
    from schemas.term import Kind

    document = read(path)
    news = learn(lake, document)
    if document.kind == Kind.LICENCE:
        install(lake, path)
    what = f"{document.kind} {document.id}, digest {document.digest[:16]}"
    text = f"Learned {what}." if news else f"{what} is known already; nothing changed."
    answer(json_, {"id": document.id, "kind": document.kind, "digest": document.digest, "news": news}, text,
           "larmor terms")  # fmt: skip


def _moment(known: str | None) -> dt.datetime | None:
    """A day stands for its end, so that what was learned on it counts; a moment without an offset is UTC."""
    if known is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(known)
    except ValueError:
        raise click.BadParameter("found no day and no moment, needed ISO 8601", param_hint="--known") from None
    if len(known) == len("2026-01-01"):
        moment += dt.timedelta(days=1) - dt.timedelta(microseconds=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
