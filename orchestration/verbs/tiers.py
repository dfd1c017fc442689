"""`larmor tiers`."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._amounts import days, money, size
from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened, table
from schemas.roles import changing, reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.tiering.mover import Result
    from lake.tiering.tiers import Holding
    from lake.zones import Lake
    from schemas.prices import PriceBook
    from schemas.tiering import TieringPolicy
    from stages.upkeep.tiers import Plan

_SHOWN = 40
"""Lines of moves and of faults that a person is shown; --json has all."""

_prices = click.option(
    "--prices",
    type=LocalPath(dir_okay=False),
    help="Price book to use in place of the configured one (LARMOR_PRICES).",
)
_policy = click.option("--policy", "policy_", help="Policy, by name or file, in place of the configured one.")
_queued = click.option("--for", "queued", multiple=True, metavar="RELEASE", help="A release that is to be trained on.")


@click.group("tiers", invoke_without_command=True, epilog="Example: larmor tiers plan --policy by_use --plot tiers.png")
@_prices
@click.option(
    "--reads",
    type=click.FloatRange(min=0),
    help="Reads of each whole table a month; default: as recorded in the last 30 days.",
)
@as_json
@acting(reading(Zone.AUDIT))
@click.pass_context
def command(context: click.Context, prices: Path | None, reads: float | None, json_: bool) -> None:
    """Show what each table holds and what a month would cost in each storage class; or plan, move and restore.

    Without a verb of its own it only shows, and moves nothing.
    """
    if context.invoked_subcommand:
        return
    from lake.tiering.tiers import holdings, price_book

    lake, now = opened(context), dt.datetime.now(dt.UTC)
    book = price_book(prices or lake.settings.prices)
    found = holdings(lake, book, now, reads)
    result = {"prices": book.model_dump(mode="json"), "moved": False, "tables": [_as_dict(h) for h in found]}
    if not found:
        answer(json_, result, "No table yet.", "larmor ingest PATH, or larmor demo")
        return
    text = "\n\n".join([_tables(found, book, now), _classes(found, book), _notes(found, book, reads)])
    answer(json_, result, text, "compare the prices with your bill (--prices FILE); --json has every number")


@command.command("plan", epilog="Example: larmor tiers plan --plot costs.png")
@_policy
@_prices
@_queued
@click.option("--plot", type=LocalPath(dir_okay=False), help="Write the picture, .png or .svg.")
@as_json
@acting(reading(Zone.AUDIT))
@click.pass_context
def plan_(
    context: click.Context, policy_: str | None, prices: Path | None, queued: tuple[str, ...], plot: Path | None,
    json_: bool,
) -> None:  # fmt: skip
    """Price ways of keeping the lake's files, and say which files a policy would move today, by which rule."""
    from stages.upkeep.tiers import plan, summary

    lake = opened(_above(context))
    made = plan(lake, queued, chosen=_documents(lake, policy_, prices))
    if plot:
        from lake.tiering.plot import plot as drawn

        plot.write_bytes(drawn(made.comparison, plot.suffix.lstrip(".") or "png"))
    moves = [{"table": table.path, **asdict(each)} for table, each in made.advice.moves]
    result = {
        **summary(made), "policy": made.policy.name, "policy_sha256": made.policy.digest, "possible": made.possible,
        "replayed": made.replayed, "days": made.comparison.days, "ways": made.comparison.rows(), "moves": moves,
    }  # fmt: skip
    next_step = "larmor tiers move" if made.possible else "name folders of tiers in LARMOR_TIERS, or put zones on S3"
    answer(json_, result, _planned(made), next_step if moves else "")


@command.command("move", epilog="Example: larmor tiers move --policy by_use")
@_policy
@_prices
@_queued
@as_json
@acting(changing(Zone.RESTRICTED, Zone.CURATED, Zone.AUDIT))
@click.pass_context
def move_(
    context: click.Context, policy_: str | None, prices: Path | None, queued: tuple[str, ...], json_: bool
) -> None:
    """Move the files that the plan of today says: copied, verified, recorded; a run that was killed is finished."""
    from stages.upkeep.tiers import carry_out, plan

    lake = opened(_above(context))
    made = plan(lake, queued, chosen=_documents(lake, policy_, prices))
    if not made.possible:
        raise click.ClickException(
            "found no tiers of this lake, needed folders for them in LARMOR_TIERS, a mapping of storage classes to "
            "folders, or zones on S3"
        )
    _told(carry_out(lake, made), json_, "larmor tiers plan")


@command.command("restore", epilog="Example: larmor tiers restore brain-2026q4 --way Bulk")
@click.argument("what")
@click.option("--way", default="Standard", help="How, by the price book: Standard, Expedited or Bulk.")
@as_json
@acting(lambda given: changing(_zone(given["what"])))
@click.pass_context
def restore_(context: click.Context, what: str, way: str, json_: bool) -> None:
    """Have the archived files of WHAT, a table or a release, back; run it again until nothing waits."""
    from stages.upkeep.tiers import restore

    found = restore(opened(_above(context)), what, way)
    waiting = any(each.waiting for each in found.values())
    _told(found, json_, f"larmor tiers restore {what}, when the store has restored what waits" if waiting else "")


@command.command("ready", epilog="Example: larmor tiers ready brain-2026q4")
@click.argument("release")
@as_json
@acting(reading(Zone.AUDIT))
@click.pass_context
def ready_(context: click.Context, release: str, json_: bool) -> None:
    """Say whether a RELEASE can be read at once, or which of its files must be restored."""
    from stages.upkeep.tiers import ready

    found = ready(opened(_above(context)), release)
    result = {"release": release, "ready": not found, "archived": [f"{table}/{path}" for table, path, _ in found]}
    hours = max((hours for _, _, hours in found), default=0)
    text = f"{len(found)} files are archived; having them back takes about {hours:g} hours" if found else "Ready."
    answer(json_, result, text, f"larmor tiers restore {release}" if found else "")


def _zone(what: str) -> Zone:
    """The zone of a table, `<zone>/<table>`; releases are in the curated one."""
    first = what.partition("/")[0]
    return Zone(first) if first in set(Zone) else Zone.CURATED


def _above(context: click.Context) -> click.Context:
    assert context.parent is not None
    return context.parent


def _documents(lake: "Lake", policy_: str | None, prices: Path | None) -> "tuple[TieringPolicy, PriceBook]":
    from lake.tiering.rules import policy
    from lake.tiering.tiers import price_book

    book = price_book(prices or lake.settings.prices)
    return policy(policy_ or lake.settings.tiering, book), book


def _planned(made: "Plan") -> str:
    ways = [
        {
            "way": row["way"], "cost": money(row["total"]), "storage": money(row["storage"]),
            "reading": money(row["requests"] + row["retrieval"]), "moves": money(row["moves"]),
            "early": money(row["early"]), "hours waited": row["hours"], "times optimum": row["of_optimum"],
            "of first class": row["of_first_class"],
        }
        for row in made.comparison.rows()
    ]  # fmt: skip
    what = "of recorded use" if made.replayed else "ahead, by uses that are known; the record is too short to replay"
    head = f"{made.book.currency}, {made.comparison.groups} files over {made.comparison.days} days {what}"
    grouped: dict[tuple[str, str, str, str], list[int]] = {}
    for contract, each in made.advice.moves:
        grouped.setdefault((contract.path, each.source, each.target, each.why), []).append(each.bytes)
    moves = [
        {"table": path, "files": len(sizes), "size": size(sum(sizes)), "from": source, "to": target, "why": why}
        for (path, source, target, why), sizes in sorted(grouped.items())
    ]
    told = made.advice
    listed = table(moves[:_SHOWN], ["table", "files", "size", "from", "to", "why"]) if moves else "none"
    saved = (
        f"A month costs {money(told.month_now)} now and {money(told.month_then)} after them; the moves cost "
        f"{money(told.once)}. {told.kept} files stay. Nothing was moved."
    )
    first = f"{head}\n{table(ways, list(ways[0]))}"
    return "\n\n".join([first, f"Moves of today by policy {made.policy.name}\n{listed}", saved])


def _told(found: "dict[str, Result]", json_: bool, next_step: str) -> None:
    rows = [
        {"table": path, **{name: len(getattr(each, name)) for name in ("moved", "waiting", "gone", "failed")},
         "size": size(sum(move.bytes for move in each.moved))}
        for path, each in found.items()
    ]  # fmt: skip
    faults = [message for each in found.values() for message in each.failed]
    text = table(rows, ["table", "moved", "size", "waiting", "gone", "failed"]) if rows else "Nothing was to move."
    answer(json_, {"tables": rows, "faults": faults}, "\n".join([text, *faults[:_SHOWN]]), next_step)


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
            "Nothing was moved: this only shows; larmor tiers plan says what a policy would move.",
            f"Never moved: {logs} files of Delta logs ({size(bytes_)}), and every file of a sealed table.",
            f"Never archived: {needed} files that the newest version or a release needs.",
            f"Spare: {spare} files that only older versions need or no commit names; a clean-up would remove them.",
            f"Assumed: {assumed}.",
            f"Prices: {book.region}, {book.date}. {book.source}",
        ]
    )
