"""Plans under chance are the best there are: those of the plainest programme and, without chance, the optimum."""

from functools import cache

import numpy as np
import pytest

from lake.tiering.charges import charges
from lake.tiering.costs import bill
from lake.tiering.expectation import cheapest
from lake.tiering.fleet import Fleet, Uses
from lake.tiering.optimum import optimum
from tests.lake.tiering.test_optimum import DAYS, made_up


def number(book, name):
    return [kind.name for kind in book.classes].index(name)


@pytest.fixture
def hasty(book):
    """Prices whose durations are days, so that every state can be written out."""
    short = {30: 2, 90: 4, 180: 6}
    classes = [
        kind.model_copy(update={
            "minimum_days": short.get(kind.minimum_days, 0), "lifecycle_after_days": 0,
            "falls": [fall.model_copy(update={"after_days": short[fall.after_days]}) for fall in kind.falls],
        })
        for kind in book.classes
    ]  # fmt: skip
    return book.model_copy(update={"classes": classes})


@pytest.mark.parametrize("seed", range(2))
def test_without_chance_a_plan_costs_what_the_optimum_does(book, seed):
    fleet, uses = made_up(seed, 30)
    old = np.flatnonzero(fleet.born < 0)
    fleet, uses = fleet.take(old), uses.of(old, len(fleet))
    prices, none = charges(book, fleet), np.zeros(len(fleet))
    planned = bill(cheapest(fleet, uses, prices, none, none, DAYS, DAYS), fleet, uses, prices)
    assert planned.total == pytest.approx(bill(optimum(fleet, uses, prices, DAYS), fleet, uses, prices).total)


def plainest(prices, read, days, tier, age):
    """The class of today by recursion over every state of one group, with a read by chance each day."""

    def daily(k, age):
        before, cost = 0, prices[k].stages[0].daily[0]
        for stage in prices[k].stages:
            cost = stage.daily[0] if age >= before else cost
            before += stage.days
        return cost

    @cache
    def stays(k, age, day):
        renewed = len(prices[k].stages) > 1
        single = prices[k].reading(np.array([0]), np.ones(1), np.array([1e9]))[0]
        calm = daily(k, age) + worth(k, age + 1, day + 1)
        after = 0 if renewed else age
        stirred = single + daily(k, after) + worth(k, after + 1, day + 1)
        return (1 - read) * calm + read * stirred

    @cache
    def choices(k, age, day):
        left = max(0, prices[k].minimum - age) * prices[k].stages[0].daily[0]
        moves = {
            to: left + prices[k].leave[0] + price.enter[0] + stays(to, 0, day)
            for to, price in enumerate(prices) if to != k and price.open[0] and not price.archive
        }  # fmt: skip
        return {**moves, k: stays(k, age, day)}

    def worth(k, age, day):
        if day == days:
            return max(0, prices[k].minimum - age) * prices[k].stages[0].daily[0]
        return min(choices(k, age, day).values())

    return min(choices(tier, age, 0).items(), key=lambda choice: choice[1])[0]


@pytest.mark.parametrize("read", [0.0, 0.001, 0.01, 0.05, 0.3])
def test_today_is_decided_as_by_the_plainest_programme(hasty, read):
    cold, falling = "S3 Glacier Instant Retrieval", "S3 Intelligent-Tiering"
    starts = [("S3 Standard", 1), ("S3 Standard-IA", 1), (cold, 3), (cold, 9), (falling, 1), (falling, 5)]
    tiers, ages = zip(*((number(hasty, name), age) for name, age in starts), strict=True)
    fleet = Fleet.of(np.full(len(starts), 1e9), start=np.array(tiers), held=np.array(ages), born=-50, last_read=-50)
    prices, days = charges(hasty, fleet), 20
    found = cheapest(fleet, Uses.none(), prices, np.full(len(fleet), read), np.zeros(len(fleet)), days, 1)[:, 0]
    one = [price.take(np.array([0])) for price in prices]
    assert found.tolist() == [plainest(one, read, days, tier, age) for tier, age in zip(tiers, ages, strict=True)]


def test_the_more_reads_may_come_the_warmer_a_file_is_kept(book):
    fleet = Fleet.of(np.full(4, 1e9), born=-400, held=400)
    prices = charges(book, fleet)
    reads = np.array([0.0, 0.001, 0.02, 0.5])
    found = cheapest(fleet, Uses.none(), prices, reads, np.zeros(4), 240, 1)[:, 0]
    storage = [book.classes[tier].per_gb_month for tier in found]
    assert storage[0] == 0.004
    assert storage[-1] == 0.023
    assert storage == sorted(storage)


def test_likely_trainings_keep_files_out_of_classes_that_charge_by_the_byte(book):
    fleet = Fleet.of(np.full(2, 1e9), born=-400, held=400)
    prices = charges(book, fleet)
    rare, frequent = cheapest(fleet, Uses.none(), prices, np.zeros(2), np.array([0.0001, 0.1]), 240, 1)[:, 0]
    assert book.classes[rare].retrieval_per_gb > 0
    assert book.classes[frequent].retrieval_per_gb == 0
