"""A year of use of a lake, simulated, and what it costs under each way of keeping its files.

`python -m benchmarks tiers` prints the tables of docs/reference/measured-tiers.md. How the proposed policy plans was
chosen on research and restless with seeds 100 to 103, the planner before it on seeds 0 and 1.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.tiering.charges import charges
from lake.tiering.comparison import OPTIMUM, STANDARD, Comparison, ways
from lake.tiering.costs import bill
from lake.tiering.fleet import NEVER, Fleet, Floats, Ints, Uses
from lake.tiering.online import foresight
from lake.tiering.optimum import optimum
from lake.tiering.rules import SHIPPED, policy
from lake.tiering.state import State, walk
from lake.tiering.tiers import price_book
from schemas.tiering import TieringPolicy

TOLD = "foresight, told the rates"
"""What a policy would do that knew how often every file will be read, and not when: more than any can know."""

DAYS = HISTORY = 365
"""Days that are billed, and days before them whose reads a policy has seen."""
SEEDS = range(20)
MB = 2.0**20

TABLES = ("curated/instances", "curated/volumes", "curated/labels", "curated/series", "curated/decisions")
FILES = dict(zip(TABLES, ((8, 300), (6, 250), (2, 6), (1, 0.3), (1, 0.05)), strict=True))
"""Files of a delivery in each table, and their mean size in MB."""
PARTS = (0.2, 1.0)
"""Shares of a table's files that a read of it reads."""


@dataclass(frozen=True)
class Scenario:
    """How a lake is used.

    Attributes:
        backlog: deliveries that are there on the first day, written over the two years before.
        arrivals: deliveries a month.
        every: days between pre-trainings, which a schedule starts, so that they are known from the start.
        share: share of the deliveries that a pre-training reads.
        experiments: fine-tunings a year, queued up to four days before, or started on the day.
        few: share of the deliveries that a fine-tuning reads.
        passes: epochs of each.
        campaign_days: days of each, on average.
        curiosity: reads of a delivery's table a year that nobody announces, on average; a few get most of them.
        redone: deliveries a year that are materialized again, so that their older files are spare.
        withdrawn: share of deliveries that a withdrawal rewrites in a year.
        expiring: share of deliveries whose licence ends within the year.
    """

    name: str
    backlog: int = 60
    arrivals: float = 4
    every: int = 90
    share: float = 0.6
    experiments: float = 10
    few: float = 0.1
    passes: int = 20
    campaign_days: int = 4
    curiosity: float = 0.3
    redone: float = 10
    withdrawn: float = 0.03
    expiring: float = 0.05


SCENARIOS = (
    Scenario("hospital", every=180, curiosity=0.5),
    Scenario("consortium", backlog=100, arrivals=6, every=60, share=0.8, experiments=20),
    Scenario("research", backlog=40, every=120, experiments=40, curiosity=1.0),
    Scenario("registry", backlog=120, arrivals=2, every=365, share=0.8, experiments=2, curiosity=0.07),
    Scenario("young", backlog=5, arrivals=12, every=60, curiosity=0.5),
    Scenario("restless", arrivals=3, redone=60, withdrawn=0.3, expiring=0.3, curiosity=1.5),
)


@dataclass
class _Year:
    """What grows while a year is made up."""

    random: np.random.Generator
    groups: list[dict[str, float]] = field(default_factory=list)
    favour: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    reads: list[tuple[int, int, float, int]] = field(default_factory=list)

    def deliver(self, number: int, day: int, ends: int) -> None:
        for table, (files, size) in FILES.items():
            for _ in range(self.random.poisson(files) + 1 if files > 1 else 1):
                grown = size * MB * self.random.lognormal(0, 0.6)
                self.add(number, TABLES.index(table), grown, day, ends)

    def add(self, delivery: int, table: int, size: float, day: int, ends: int) -> int:
        facts = {"delivery": delivery, "table": table, "bytes": size, "born": day, "end": NEVER, "known": NEVER,
                 "spare": NEVER, "licence_end": ends}  # fmt: skip
        self.groups.append(facts)
        if day >= -HISTORY:
            self.read(len(self.groups) - 1, day, 1, day)  # the next station reads it at once
        return len(self.groups) - 1

    def read(self, group: int, day: int, passes: float, known: int) -> None:
        facts = self.groups[group]
        if facts["born"] <= day < min(facts["end"], DAYS) and day >= -HISTORY:
            self.reads.append((group, day, passes, known))

    def live(self, table: int, deliveries: set[int], day: int) -> Iterator[int]:
        for number, facts in enumerate(self.groups):
            mine = facts["table"] == table and facts["delivery"] in deliveries
            if mine and facts["born"] <= day < min(facts["end"], facts["spare"]):
                yield number


def simulate(scenario: Scenario, seed: int) -> tuple[Fleet, Uses]:
    """A year: files and reads, the same for the same scenario and seed."""
    return _arrays(_lived(scenario, seed))


def _lived(scenario: Scenario, seed: int) -> _Year:
    year = _Year(np.random.default_rng([seed, *scenario.name.encode()]))
    random = year.random
    arrived = _deliveries(scenario, year)
    for day in np.sort(random.integers(0, DAYS, random.poisson(scenario.redone))):
        _rewrite(year, arrived, int(day), spare=True)
    for day in np.sort(random.integers(0, DAYS, random.poisson(scenario.withdrawn * len(arrived)))):
        _rewrite(year, arrived, int(day), spare=False)
    for day in range(int(random.integers(scenario.every)) - HISTORY, DAYS, scenario.every):
        _train(scenario, year, arrived, day, scenario.share, known=-HISTORY)
    for day in np.sort(random.integers(-HISTORY, DAYS, random.poisson(2 * scenario.experiments))).tolist():
        _train(scenario, year, arrived, day, scenario.few, known=day - int(random.integers(0, 5)))
    _wonder(scenario, year, arrived)
    return year


def _deliveries(scenario: Scenario, year: _Year) -> dict[int, int]:
    random = year.random
    old = -random.integers(1, 730, scenario.backlog)
    new = random.integers(0, DAYS, random.poisson(12 * scenario.arrivals))
    arrived = dict(enumerate(sorted([*old.tolist(), *new.tolist()])))
    for number, day in arrived.items():
        ends = int(random.integers(30, DAYS)) if random.random() < scenario.expiring else NEVER
        year.deliver(number, day, max(ends, day + 30))
    for facts in year.groups:
        if facts["licence_end"] < DAYS:
            # what has no licence is deleted when it ends, as everybody has known since it was written
            facts["end"], facts["known"] = facts["licence_end"], min(facts["born"], 0)
    return arrived


def _rewrite(year: _Year, arrived: dict[int, int], day: int, *, spare: bool) -> None:
    """A delivery's volumes and labels written again: for a new policy, or without a withdrawn subject."""
    there = [number for number, born in arrived.items() if born < day]
    if not there:
        return
    delivery = int(year.random.choice(there))
    for table in (1, 2) if spare else (0, 1, 2, 3):
        for group in list(year.live(table, {delivery}, day)):
            facts = year.groups[group]
            if facts["born"] == day:
                continue
            if spare:
                year.read(group, day, 1, day - 1)
                facts["spare"] = day
                facts["end"], facts["known"] = min(facts["end"], day + int(year.random.integers(60, 400))), day
            else:
                facts["end"], facts["known"] = min(facts["end"], day), day
            new = year.add(delivery, int(table), facts["bytes"], day, int(facts["licence_end"]))
            if facts["licence_end"] < DAYS:
                year.groups[new] |= {"end": facts["licence_end"], "known": day}


def _train(scenario: Scenario, year: _Year, arrived: dict[int, int], day: int, share: float, known: int) -> None:
    """A training reads volumes and labels of some deliveries; the orchestrator starts it, so that its day is known."""
    random = year.random
    there = [number for number, born in arrived.items() if born < day]
    if not there:
        return
    some = set(random.choice(there, max(1, round(len(there) * share)), replace=False).tolist())
    length = max(1, random.poisson(scenario.campaign_days))
    for table in (1, 2):
        for group in year.live(table, some, day):
            for later in range(length):
                year.read(group, day + later, scenario.passes / length, known)


def _wonder(scenario: Scenario, year: _Year, arrived: dict[int, int]) -> None:
    """Reads that nobody announces: a delivery's table, or some files of it; few deliveries get most of them."""
    random = year.random
    year.favour = random.gamma(0.5, 2.0, len(arrived)) * scenario.curiosity
    for delivery, rate in enumerate(year.favour):
        for table in range(3):
            for day in random.integers(-HISTORY, DAYS, random.poisson(2 * rate)):
                part = random.choice(PARTS)
                for group in year.live(table, {delivery}, int(day)):
                    if random.random() < part:
                        year.read(group, int(day), 1, int(day) + 1)


def _arrays(year: _Year) -> tuple[Fleet, Uses]:
    columns = {name: np.array([facts[name] for facts in year.groups]) for name in year.groups[0]}
    fleet = Fleet.of(
        columns["bytes"], tables=TABLES, table=columns["table"], batch=columns["delivery"], born=columns["born"],
        end=np.maximum(columns["end"], np.maximum(columns["born"], 0) + 1), end_known=columns["known"],
        spare=columns["spare"], licence_end=columns["licence_end"], held=np.maximum(-columns["born"], 1),
    )  # fmt: skip
    group, day, passes, known = (np.array(column) for column in zip(*year.reads, strict=True))
    size = columns["bytes"][group]
    # a file is read in ranges of 8 MB
    return fleet, Uses(group, day, passes * np.ceil(size / (8 * MB)), passes * size, known).merged()


@dataclass(frozen=True)
class Lakes:
    """Lakes side by side in one fleet, each with tables and batches of its own, so that all are planned at once.

    Attributes:
        fleet: the groups of all of them.
        uses: their reads.
        lake: (groups,) which lake each is of.
        rates: (groups,) single reads and trainings a day, as they were made up; no policy knows them.
    """

    fleet: Fleet
    uses: Uses
    lake: Ints
    rates: tuple[Floats, Floats]


def lakes(scenario: Scenario, seeds: Sequence[int]) -> Lakes:
    """The years of these seeds."""
    made = [_lived(scenario, seed) for seed in seeds]
    pairs = [_arrays(year) for year in made]
    first = np.cumsum([0, *(len(fleet) for fleet, _ in pairs)])
    fleets = [fleet for fleet, _ in pairs]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(fleet, name) for fleet in fleets])
        for name, value in vars(fleets[0]).items() if isinstance(value, np.ndarray)
    }  # fmt: skip
    lake = np.repeat(np.arange(len(fleets)), np.diff(first))
    joined["table"] += lake * len(TABLES)
    joined["batch"] += lake * (1 + joined["batch"].max())
    tables = [f"{seed}/{table}" for seed in seeds for table in TABLES]
    columns = zip(*((uses.group + start, uses.day, uses.requests, uses.bytes, uses.known)
                    for (_, uses), start in zip(pairs, first, strict=False)), strict=True)  # fmt: skip
    reads, trainings = zip(
        *(_rates(scenario, year, fleet) for year, fleet in zip(made, fleets, strict=True)), strict=True
    )
    return Lakes(
        replace(fleets[0], tables=tables, **joined), Uses(*(np.concatenate(each) for each in columns)), lake,
        (np.concatenate(reads), np.concatenate(trainings)),
    )  # fmt: skip


def _rates(scenario: Scenario, year: _Year, fleet: Fleet) -> tuple[Floats, Floats]:
    reads = np.where(fleet.table < 3, year.favour[fleet.batch] * statistics.mean(PARTS) / 365, 0.0)
    trainings = np.where(np.isin(fleet.table, (1, 2)), scenario.experiments * scenario.few / 365, 0.0)
    return reads, trainings


def years(scenario: Scenario, seeds: Sequence[int]) -> list[Comparison]:
    """Every way of keeping the files of simulated years, a comparison a seed."""
    book, made = price_book(), lakes(scenario, seeds)
    fleet, uses = made.fleet, made.uses
    prices, policies = charges(book, fleet), [policy(name, book) for name in SHIPPED]
    schedules = ways(fleet, uses, prices, policies, DAYS)

    def told(fleet: Fleet, state: State, _: TieringPolicy) -> tuple[Floats, Floats]:
        reads, trainings = (np.where(fleet.spare > state.day, rate, 0.0) for rate in made.rates)
        return reads, trainings

    schedules[TOLD] = walk(fleet, uses, DAYS, foresight(fleet, uses, prices, policies[0], DAYS, told))
    found = []
    for number in range(len(seeds)):
        rows = np.flatnonzero(made.lake == number)
        mine, own, paid = fleet.take(rows), uses.of(rows, len(fleet)), [price.take(rows) for price in prices]
        bills = {way: bill(schedule[rows], mine, own, paid) for way, schedule in schedules.items()}
        found.append(Comparison(bills, DAYS, len(rows), book.currency))
    return found


def run(seeds: Sequence[int] = SEEDS, scenarios: Sequence[Scenario] = SCENARIOS) -> str:
    """Measure, a scenario a process, and give the tables."""
    costs = [f"### A simulated year, {len(seeds)} seeds a scenario: mean (least to most)",
             "| scenario | way | times optimum | times all in Standard |", "|---|---|---|---|"]  # fmt: skip
    rest = ["### What foresight costs above the optimum, mean, in parts of the optimum",
            "| scenario | storage | reading | moves | minimum durations | all |",
            "|---|---|---|---|---|---|"]  # fmt: skip
    with ProcessPoolExecutor() as pool:
        for scenario, found in zip(scenarios, pool.map(years, scenarios, [seeds] * len(scenarios)), strict=True):
            for way in found[0].bills:
                best, standard = ([each.ratio(way, base) for each in found] for base in (OPTIMUM, STANDARD))
                costs.append(f"| {scenario.name} | {way} | {_spread(best)} | {_spread(standard)} |")
            shares = np.mean([_above(each) for each in found], axis=0)
            rest.append(
                f"| {scenario.name} | " + " | ".join(f"{share:+.3f}" for share in [*shares, shares.sum()]) + " |"
            )
    return "\n".join([*costs, "", *rest, "", *_speed()])


def _above(found: Comparison) -> list[float]:
    """Storage, reading, moves and minimum durations of foresight above the optimum's, as shares of the optimum."""
    mine, best = found.bills["foresight"], found.bills[OPTIMUM]
    parts = (("storage",), ("requests", "retrieval"), ("moves",), ("early",))
    return [sum(getattr(mine, name) - getattr(best, name) for name in part) / best.total for part in parts]


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _speed(groups: int = 100_000) -> list[str]:
    random = np.random.default_rng(0)
    fleet = Fleet.of(
        random.lognormal(18, 1, groups), born=random.integers(-365, DAYS, groups), held=365,
        spare=np.where(random.random(groups) < 0.1, 0, NEVER),
    )  # fmt: skip
    reads = 5 * groups
    group = random.integers(0, groups, reads)
    uses = Uses(
        group, random.integers(0, DAYS, reads), np.full(reads, 4.0), fleet.bytes[group], np.zeros(reads, np.int64)
    )
    uses, prices = uses.merged(), charges(price_book(), fleet)
    start = time.process_time()
    schedule = optimum(fleet, uses, prices, DAYS)
    middle = time.process_time()
    bill(schedule, fleet, uses, prices)
    end = time.process_time()
    return ["### 100,000 file groups over 365 days, on one core", "| | s of the processor |", "|---|---|",
            f"| optimum | {middle - start:.1f} |", f"| its bill | {end - middle:.1f} |"]  # fmt: skip
