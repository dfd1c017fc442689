"""`larmor tiers`."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._amounts import days, money, size
from orchestration.verbs._shared import answer, as_json, opened, table

if TYPE_CHECKING:
    from lake.tiers import Holding
    from schemas.prices import PriceBook


@click.command("tiers", epilog="Example: larmor tiers --prices our-prices.yaml --reads 2")
@click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Price book to use in place of the one that ships.",
)
@click.option(
    "--reads",
    type=click.FloatRange(min=0),
    help="Reads of each whole table a month; default: as recorded in the last 30 days.",
)
@as_json
@click.pass_context
def command(context: click.Context, prices: Path | None, reads: float | None, json_: bool) -> None:
    """Show what each table holds and what a month would cost in each storage class.

    It only shows; this version moves nothing.
    """
    from lake.tiers import holdings, price_book

    lake, book, now = opened(context), price_book(prices), dt.datetime.now(dt.UTC)
    found = holdings(lake, book, now, reads)
    result = {"prices": book.model_dump(mode="json"), "moved": False, "tables": [_as_dict(h) for h in found]}
    if not found:
        answer(json_, result, "No table yet.", "larmor ingest PATH, or larmor demo")
        return
    text = "\n\n".join([_tables(found, book, now), _classes(found, book), _notes(found, book, reads)])
    answer(json_, result, text, "compare the prices with your bill (--prices FILE); --json has every number")


def _as_dict(holding: "Holding") -> dict[str, Any]:
    costs = {name: asdict(cost) | {"month": cost.month} for name, cost in holding.costs.items()}
    return asdict(holding) | {"costs": costs}


def _tables(found: Sequence["Holding"], book: "PriceBook", now: dt.datetime) -> str:
    first = book.classes[0].name
    rows = [
        {
            "table": holding.table,
            "files": holding.files,
            "size": size(holding.bytes),
            "spare": size(holding.spare_bytes) if holding.spare_files else "-",
            "rows": holding.rows,
            "oldest": days(holding.oldest, now),
            "newest": days(holding.newest, now),
            "last read": days(holding.last_read, now),
            "now": money(holding.costs[first].month),
            "least": money(holding.costs[holding.proposed].month),
            "where": holding.proposed if holding.movable else "stays: sealed",
        }
        for holding in found
    ]
    head = f"{book.currency} a month: now in {first}, and in the cheapest class that answers within milliseconds"
    columns = ["table", "files", "size", "spare", "rows", "oldest", "newest", "last read", "now", "least", "where"]
    return f"{head}\n{table(rows, columns)}"


def _classes(found: Sequence["Holding"], book: "PriceBook") -> str:
    rows = []
    for kind in book.classes:
        costs = [holding.costs[kind.name] for holding in found if holding.movable]
        rows.append(
            {
                "class": kind.name,
                "first byte": kind.first_byte,
                "storage": money(sum(cost.storage for cost in costs)),
                "reading": money(sum(cost.reading for cost in costs)),
                "move once": money(sum(cost.moving for cost in costs)),
                "kept at least": f"{kind.minimum_days} d" if kind.minimum_days else "-",
                "readers": "work" if kind.immediate else "fail until restored",
                "note": kind.note,
            }
        )
    columns = ["class", "first byte", "storage", "reading", "move once", "kept at least", "readers", "note"]
    return f"All tables that may move, in one class\n{table(rows, columns)}"


def _notes(found: Sequence["Holding"], book: "PriceBook", reads: float | None) -> str:
    logs, bytes_ = sum(h.log_files for h in found), sum(h.log_bytes for h in found)
    needed = sum(h.needed_files for h in found)
    spare = sum(h.spare_files for h in found)
    assumed = (
        f"{reads:g} reads of each whole table a month (--reads)"
        if reads is not None
        else "reads recorded in audit/access in the last 30 days; trainings are not among them, pass --reads for those"
    )
    return "\n".join(
        [
            "Nothing was moved: this version only shows.",
            f"Never moved: {logs} files of Delta logs ({size(bytes_)}), and every file of a sealed table.",
            f"Never archived: {needed} files that the newest version or a release needs.",
            f"Spare: {spare} files that only older versions need or no commit names; a clean-up would remove them.",
            f"Assumed: {assumed}.",
            f"Prices: {book.region}, {book.date}. {book.source}",
        ]
    )
