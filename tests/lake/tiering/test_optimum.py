"""The optimum is one: no other schedule of a small fleet costs less, and the judge prices it as the programme does."""

import numpy as np
import pytest

from lake.tiering.charges import charges
from lake.tiering.comparison import OPTIMUM, STANDARD, compare
from lake.tiering.costs import bill, kept_in
from lake.tiering.fleet import NEVER, Fleet, Uses
from lake.tiering.optimum import optimum
from lake.tiering.rules import SHIPPED, policy

DAYS = 150


def made_up(seed, groups=12):
    random = np.random.default_rng(seed)
    born = np.where(random.random(groups) < 0.5, -random.integers(1, 300, groups), random.integers(0, DAYS, groups))
    end = np.where(random.random(groups) < 0.3, born + random.integers(1, DAYS, groups), NEVER)
    old = born < 0
    fleet = Fleet.of(
        random.choice([1e4, 1e6, 2e7, 5e8], groups), born=born, end=np.maximum(end, np.maximum(born, 0) + 1),
        start=np.where(old, random.integers(0, 5, groups), 0),
        held=np.where(old, np.minimum(-born, random.integers(1, 200, groups)), 1),
        spare=np.where(random.random(groups) < 0.3, np.maximum(born, 0), NEVER),
    )  # fmt: skip
    reads = 60
    group, day = random.integers(0, groups, reads), random.integers(0, DAYS, reads)
    return fleet, Uses(group, day, np.ones(reads), np.full(reads, 5e8), day + 1).merged()


def least(fleet, uses, prices, g):  # noqa: C901  # every state of one group, written out
    """The least cost of one group by the plainest programme: class and days since entry, each day."""
    reads = {int(d): i for i, (own, d) in enumerate(zip(uses.group, uses.day, strict=True)) if own == g}
    cap = [max(p.minimum, sum(s.days for s in p.stages[:-1])) for p in prices]

    def daily(k, age):
        before, cost = 0, prices[k].stages[0].daily[g]
        for stage in prices[k].stages:
            cost = stage.daily[g] if age >= before else cost
            before += stage.days
        return cost

    def early(k, age):
        return max(0, prices[k].minimum - age) * prices[k].stages[0].daily[g]

    states = {}
    if fleet.born[g] < 0:
        k, age = int(fleet.start[g]), int(fleet.held[g])
        age = min(age, -int(fleet.last_read[g])) if len(prices[k].stages) > 1 else age
        states = {(k, min(age, cap[k])): 0.0}
    for day in range(DAYS):
        if day == fleet.end[g]:
            break
        if day < fleet.born[g]:
            continue
        moved = dict(states) if day != fleet.born[g] else {(0, 0): 0.0}
        for (k, age), cost in states.items() if day != fleet.born[g] else ():
            for to, price in enumerate(prices):
                if to != k and price.open[g] and (not price.archive or fleet.spare[g] <= day):
                    total = cost + early(k, age) + prices[k].leave[g] + price.enter[g]
                    moved[to, 0] = min(moved.get((to, 0), np.inf), total)
        states = {}
        for (k, age), cost in moved.items():
            if day in reads:
                i = reads[day]
                cost += prices[k].reading(np.array([g]), uses.requests[i : i + 1], uses.bytes[i : i + 1])[0]
                age = 0 if len(prices[k].stages) > 1 else age
            state = (k, min(age + 1, cap[k]))
            states[state] = min(states.get(state, np.inf), cost + daily(k, age))
    return min((cost + early(k, age) for (k, age), cost in states.items()), default=0.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_is_exact(book, seed):
    fleet, uses = made_up(seed)
    prices = charges(book, fleet, [kind.name for kind in book.classes] if seed else None)
    schedule = optimum(fleet, uses, prices, DAYS)
    for g in range(len(fleet)):
        row = np.array([g])
        found = bill(schedule[row], fleet.take(row), uses.of(row, len(fleet)), [p.take(row) for p in prices])
        assert found.total == pytest.approx(least(fleet, uses, prices, g), abs=1e-12)


def test_no_way_of_keeping_files_beats_the_optimum(book):
    fleet, uses = made_up(7, 40)
    fleet.start[:] = 0
    found = compare(fleet, uses, book, [policy(name, book) for name in SHIPPED], DAYS)
    assert {OPTIMUM, STANDARD, *SHIPPED} <= found.bills.keys()
    assert min(found.bills, key=lambda way: found.bills[way].total) == OPTIMUM
    for cost in found.bills.values():
        assert sum(cost.monthly) == pytest.approx(cost.total)


def test_fees_are_billed_to_the_cent(book):
    gb = float(book.bytes_per_gb)
    fleet = Fleet.of(np.array([1000 * gb]), born=np.array([-10]), end=np.array([40]))
    read = Uses(np.array([0]), np.array([5]), np.array([1000.0]), np.array([100 * gb]), np.array([9]))
    prices = charges(book, fleet)
    instant = [kind.name for kind in book.classes].index("S3 Glacier Instant Retrieval")
    found = bill(kept_in(fleet, 60, instant), fleet, read, prices)
    day = 1000 * 0.004 / (365 / 12)
    assert found.storage == pytest.approx(40 * day)
    assert found.early == pytest.approx(50 * day)
    assert found.retrieval == pytest.approx(100 * 0.03)
    assert found.requests == pytest.approx(0.01)
    assert found.moves == pytest.approx(0.02 / 1000)


def test_small_files_are_not_sent_to_classes_that_bill_them_as_large(book):
    fleet = Fleet.of(np.full(3, 2000.0), held=100, born=-100)
    schedule = optimum(fleet, Uses.none(), charges(book, fleet), 90)
    assert (schedule == 0).all()


def test_reads_of_an_archive_that_nobody_announced_wait(book):
    fleet = Fleet.of(np.array([1e9]), spare=0)
    deep = [kind.name for kind in book.classes].index("S3 Glacier Deep Archive")
    prices = charges(book, fleet)
    waits = {}
    for known in (3, 10):
        read = Uses(np.array([0]), np.array([9]), np.ones(1), np.array([1e9]), np.array([known]))
        waits[known] = bill(kept_in(fleet, 30, deep), fleet, read, prices)
    assert (waits[3].hours, waits[3].waits) == (0, 0)
    assert (waits[10].hours, waits[10].waits) == (12, 1)
