"""Storage tiers of a lake: what is known of its use, what a policy says of today, and the moves, on the record.

Belongs here: composition. Costs and moves are `lake.tiering`; uses of the past come from the ledger and `audit/access`,
those to come from `tiers/demand.yaml`, from licences and from whoever starts trainings.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lake.releases import Release, names
from lake.tiering.advice import Advice, advice
from lake.tiering.archived import places
from lake.tiering.comparison import Comparison, compare
from lake.tiering.fleet import Fleet, Uses
from lake.tiering.holdings import Terms, Use, fleet_of, reads_of
from lake.tiering.mover import Move, Record, Result, move, resume
from lake.tiering.mover import restore as fetch
from lake.tiering.rules import SHIPPED, policy
from lake.tiering.tiers import price_book
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append, entries
from lineage.principal import now, principal
from schemas.contract import Table
from schemas.prices import PriceBook
from schemas.tables import ACCESS, EXPOSED_CHECKPOINTS, EXPOSURES, LABELS, LICENCES, SERIES, TABLES, TIER_MOVES, VOLUMES
from schemas.tiering import Demand, TieringPolicy

DEMAND = "tiers/demand.yaml"
"""Uses that are known beforehand, below the lake's root (`schemas.tiering.Demand`)."""

YEAR = 365
"""Days that are replayed at most, and looked ahead where the record is short."""

SHORTEST_RECORD = 30
"""Days of record below which a replay would say little; the known future is compared then."""

QUEUED_PASSES, QUEUED_DAYS = 20.0, 2
"""What is assumed of a training that waits: epochs, and days that it takes."""

_READING = ("read", "export")


@dataclass(frozen=True)
class Plan:
    """What tiers would do for a lake.

    Attributes:
        policy: the policy that the advice follows.
        book: prices.
        comparison: ways of keeping the lake's files, priced over `comparison.days`.
        replayed: whether those days are the recorded past; otherwise they are the known future.
        advice: today's moves and what they save.
        possible: whether there are tiers to move to.
    """

    policy: TieringPolicy
    book: PriceBook
    comparison: Comparison
    replayed: bool
    advice: Advice
    possible: bool


def documents(lake: Lake) -> tuple[TieringPolicy, PriceBook]:
    """The policy and the price book that the lake's settings name.

    Raises:
        schemas.document.DocumentError: if one is missing or wrong.
    """
    book = price_book(lake.settings.prices)
    return policy(lake.settings.tiering, book), book


def plan(
    lake: Lake, queued: Sequence[str] = (), today: dt.date | None = None,
    chosen: tuple[TieringPolicy, PriceBook] | None = None,
) -> Plan:  # fmt: skip
    """Compare ways of keeping the lake's files, and say what to move today.

    Args:
        lake: the lake.
        queued: releases whose trainings wait to run.
        today: the day; None: today.
        chosen: policy and price book; None: as configured.
    """
    wanted, book = chosen or documents(lake)
    day = today or dt.datetime.now(dt.UTC).date()
    fleet, files = fleet_of(lake, book, day, terms(lake))
    reads = reads_of(used(lake, day) + expected(lake, day, queued), fleet, files)
    tiers = usable(lake, book)
    record = int(max(-fleet.born.min(initial=0), 0))
    replayed = record >= SHORTEST_RECORD
    others = [policy(name, book) for name in SHIPPED if name != wanted.name]
    compared = compare(*_window(fleet, reads, min(record, YEAR) if replayed else 0), book, [wanted, *others],
                       min(record, YEAR) if replayed else YEAR, tiers)  # fmt: skip
    today_moves = _feasible(lake, advice(fleet, reads, files, wanted, book, tiers), book)
    return Plan(wanted, book, compared, replayed, today_moves, tiers is not None)


def carry_out(lake: Lake, made: Plan) -> dict[str, Result]:
    """Do what a plan says, table by table, and finish what a crash left; each batch goes on the record.

    Returns:
        Table to what became of its moves; tables without any are left out.
    """
    found = {}
    record = _recorder(lake, made.policy)
    for contract in TABLES:
        mine = [each for table, each in made.advice.moves if table is contract]
        if contract.sealed or not lake.table(contract).exists():
            continue
        result = move(lake, contract, mine, made.book, record) if mine else resume(lake, contract, made.book, record)
        if any(vars(result).values()):
            found[contract.path] = result
    return found


def ready(lake: Lake, release: str) -> list[tuple[str, str, float]]:
    """Files of a release that must be restored before it can be read: table, path, hours.

    Raises:
        lake.releases.ReleaseError: if there is no such release.
    """
    found = []
    for path, (_, source, index) in Release.open(lake, release).indexes().items():
        waiting = {name: place.hours for name, place in places(source).items() if place.hours}
        if waiting:
            there = set(index.rows["file"].unique().to_pylist())
            found += [(path, name, hours) for name, hours in sorted(waiting.items()) if name in there]
    return found


def make_ready(lake: Lake, release: str) -> dict[str, Result]:
    """Get the files of a release where a training reads them cheapest: back from archives, or up to a warmer tier.

    To be called before a training starts. A lake without moved files is ready at once.

    Raises:
        lake.releases.ReleaseError: if there is no such release.
    """
    opened = Release.open(lake, release).indexes()
    if not any(places(source) for _, source, _ in opened.values()):
        return {}
    files = {path: set(index.rows["file"].unique().to_pylist()) for path, (_, _, index) in opened.items()}
    wanted, book = documents(lake)
    found, record = {}, _recorder(lake, wanted)
    for path, (contract, _, _) in opened.items():
        found[path] = fetch(lake, contract, sorted(files[path]), book, record=record)
    made = plan(lake, [release], chosen=(wanted, book))
    for path, (contract, _, _) in opened.items():
        mine = [each for table, each in made.advice.moves if table is contract and each.path in files[path]]
        if mine:
            found[path] += move(lake, contract, mine, book, record)
    return {path: result for path, result in found.items() if any(vars(result).values())}


def restore(lake: Lake, what: str, way: str = "Standard") -> dict[str, Result]:
    """Have the archived files of a table, or of a release, back.

    Args:
        lake: the lake.
        what: a table (`<zone>/<table>`) or a release.
        way: how, by the price book: Standard, Expedited, Bulk.

    Raises:
        ValueError: if it is neither.
    """
    wanted, book = documents(lake)
    by_path = {contract.path: contract for contract in TABLES}
    if what in by_path:
        asked = {what: sorted(places(lake.table(by_path[what]).source))}
    elif what in names(lake):
        asked = {}
        for path, name, _ in ready(lake, what):
            asked.setdefault(path, []).append(name)
    else:
        raise ValueError(f"found no table and no release {what}, needed one: a table as <zone>/<table>, or a release")
    record = _recorder(lake, wanted)
    return {path: fetch(lake, by_path[path], paths, book, way, record) for path, paths in asked.items()}


def usable(lake: Lake, book: PriceBook) -> list[str] | None:
    """Classes that files of this lake can go to; None: there are none, so that a plan shows what all would save."""
    first = book.classes[0].name
    if all(lake.location(contract.zone).local for contract in TABLES):
        return [first, *lake.settings.tiers] if lake.settings.tiers else None
    return [kind.name for kind in book.classes if kind.code and not kind.single_zone]


def terms(lake: Lake) -> dict[str, Terms]:
    """The licence of each delivery, as its series say, and its last day."""
    until = {}
    for row in sorted(lake.table(LICENCES).rows(["licence", "known_from", "document"]), key=lambda r: r["known_from"]):
        last = json.loads(row["document"]).get("valid_until")
        until[row["licence"]] = dt.date.fromisoformat(last) if last else None
    rows = lake.table(SERIES).rows(["delivery", "licence"])
    return {row["delivery"]: Terms(row["licence"], until.get(row["licence"])) for row in rows}


def used(lake: Lake, today: dt.date) -> list[Use]:
    """Uses on the record: accesses, and trainings with how often they read everything."""
    members = {name: _deliveries(lake, name) for name in names(lake)}
    found = []
    for row in lake.table(ACCESS).rows(["time", "action", "subject_of_access", "rows"]):
        day = (dt.datetime.fromisoformat(row["time"]).date() - today).days
        if row["action"] in _READING:
            found += _uses(lake, row["subject_of_access"], members, int(row["rows"]), day, known=day + 1)
    # without exposures nothing was trained, and a long ledger need not be read
    trained = any(lake.table(table).exists() for table in (EXPOSED_CHECKPOINTS, EXPOSURES))
    for entry in entries(lake) if trained else []:
        if entry["type"] == EventType.TRAINED:
            facts = json.loads(entry["event"])["facts"]
            day = (dt.datetime.fromisoformat(entry["time"]).date() - today).days
            samples = int(facts.get("samples") or 0)
            found += _uses(lake, facts["release"], members, samples, day, known=day)
    return found


def expected(lake: Lake, today: dt.date, queued: Sequence[str]) -> list[Use]:
    """Uses to come: those that people wrote down, and trainings that wait."""
    members = {name: _deliveries(lake, name) for name in names(lake)}
    path = lake.settings.root / DEMAND
    found = []
    for use in Demand.read(path).uses if path.is_file() else []:
        known = (use.known - today).days if use.known else -YEAR
        for later in range(use.days):
            day = (use.first - today).days + later
            found += [each for each in _of(use.what, members, use.passes / use.days, day, known) if each.day >= 0]
    for release in queued:
        for day in range(QUEUED_DAYS):
            found += _of(release, members, QUEUED_PASSES / QUEUED_DAYS, day, 0)
    return found


def summary(made: Plan) -> dict[str, float]:
    """The money of a plan, by name."""
    told = made.advice
    return {
        "cost_month": round(told.month_now, 4),
        "cost_month_after": round(told.month_then, 4),
        "saved_month": round(told.saved_month, 4),
        "cost_of_moves": round(told.once, 4),
        "files_to_move": float(len(told.moves)),
        "times_optimum": round(made.comparison.ratio(made.policy.name, "optimum"), 4),
        "of_first_class": round(made.comparison.ratio(made.policy.name, "all in the first class"), 4),
    }


def _window(fleet: Fleet, reads: Uses, back: int) -> tuple[Fleet, Uses]:
    """The fleet and its reads with day 0 so many days ago, when all files are in the first class."""
    if not back:
        return fleet, reads
    arrays = {name: np.where(getattr(fleet, name) > YEAR * 100, getattr(fleet, name), getattr(fleet, name) + back)
              for name in ("born", "end", "spare", "licence_end")}  # fmt: skip
    there = arrays["born"] < 0
    moved = replace(fleet, **arrays, start=np.zeros_like(fleet.start), held=np.maximum(-arrays["born"], 1),
                    last_read=np.where(there, arrays["born"], -1))  # fmt: skip
    known = np.where(reads.known > -YEAR * 100, reads.known + back, reads.known)
    return moved, replace(reads, day=reads.day + back, known=known)


def _feasible(lake: Lake, made: Advice, book: PriceBook) -> Advice:
    """Without moves to tiers that a local table has no folder for."""
    folders = {book.classes[0].name, *lake.settings.tiers}
    moves = tuple(
        (contract, each) for contract, each in made.moves
        if not lake.settings.tiers or not lake.location(contract.zone).local or each.target in folders
    )  # fmt: skip
    return replace(made, moves=moves, kept=made.kept + len(made.moves) - len(moves))


def _deliveries(lake: Lake, release: str) -> frozenset[str]:
    """Deliveries whose files a release reads."""
    found: set[str] = set()
    for _, _, index in Release.open(lake, release).indexes().values():
        for partition in index.rows["partition"].unique().to_pylist():
            found.add(json.loads(partition).get("delivery", ""))
    return frozenset(found)


def _uses(lake: Lake, what: str, members: Mapping[str, frozenset[str]], rows: int, day: int, known: int) -> list[Use]:
    """A recorded use as passes: rows that were read, over the rows that there are."""
    path = VOLUMES.path if what in members else what
    contract = next((table for table in TABLES if table.path == path), None)
    if contract is None or not rows or not lake.table(contract).exists():
        return []
    there = lake.table(contract).read([contract.key[-1]]).num_rows
    return _of(what, members, rows / there, day, known) if there else []


def _of(what: str, members: Mapping[str, frozenset[str]], passes: float, day: int, known: int) -> list[Use]:
    if what in members:
        return [Use(table.path, day, passes, members[what], known) for table in (VOLUMES, LABELS)]
    return [Use(what, day, passes, None, known)]


def _recorder(lake: Lake, by: TieringPolicy) -> Record:
    """What tells the ledger and `audit/tier_moves` of a batch.

    The event comes first: a crash in between repeats it, and never loses it.
    """

    def record(contract: Table, batch: str, moves: Sequence[Move]) -> None:
        table = lake.table(TIER_MOVES)
        if batch in {row["batch"] for row in table.rows(["batch"])}:
            return
        for target in sorted({each.target for each in moves}):
            mine = [each for each in moves if each.target == target]
            append(lake, EventType.TIER_MOVED, {
                "table": contract.path, "tier": slug(target), "files": len(mine),
                "bytes": sum(each.bytes for each in mine), "policy": by.name, "policy_sha256": by.digest,
            })  # fmt: skip
        when, who = now(), principal(lake)
        rows = [
            {"batch": batch, "time": when, "principal": who, "table": contract.path, "path": each.path,
             "source": each.source, "target": each.target, "bytes": each.bytes, "sha256": each.sha256,
             "policy": by.digest, "why": each.why}
            for each in moves
        ]  # fmt: skip
        table.append([table.write(rows, {})])

    return record


def slug(tier: str) -> str:
    """A storage class as the ledger names it."""
    return re.sub(r"[^a-z0-9]+", "-", tier.lower()).strip("-")
