"""The cheapest way to keep files whose future is partly known and partly chance: a stochastic dynamic programme.

Belongs here: the programme. Announced reads and ends are certain; unannounced reads and trainings come by chance, at
rates that are handed in (`lake.tiering.rates`). What it minimizes is the expected cost when every later decision is
made as well, knowing by then what has happened: backward induction over (class, days since entry), Bellman 1957. With
everything known beforehand `lake.tiering.optimum` is exact and cheaper.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lake.tiering.charges import Charge
from lake.tiering.costs import Schedule
from lake.tiering.fleet import Fleet, Floats, Ints, Uses

CHUNK = 512
"""Groups planned at once, so that the states of a day stay near the processor."""

_Small = np.float32
Smalls = NDArray[np.float32]
"""Costs to go are compared, not billed: seven digits tell which is less, in half the memory."""

_TRAINING_DAYS = 3
"""Days that an unannounced training keeps files where reading is free: its epochs."""


def cheapest(
    fleet: Fleet, uses: Uses, charges: Sequence[Charge], reads: Floats, trainings: Floats, days: int, keep: int
) -> Schedule:
    """The classes of the coming days, as long as nothing happens that was left to chance.

    Args:
        fleet: the groups, day 0 today.
        uses: reads that are known, one entry a group and day.
        charges: prices of each class; groups may stay where they are, and enter the classes that are open.
        reads: (groups,) chance of a single read a day.
        trainings: (groups,) chance a day that a training begins, announced on the morning.
        days: days that are weighed.
        keep: days that are wanted, at most `days`.

    Returns:
        (groups, keep) classes; -1 where a group is not there.
    """
    found = np.full((len(fleet), keep), -1, np.int8)
    archivable = fleet.spare <= 0
    for some in (np.flatnonzero(~archivable), np.flatnonzero(archivable)):
        for first in range(0, len(some), CHUNK):
            rows = some[first : first + CHUNK]
            mine = fleet.take(rows)
            taken = [charge.take(rows) for charge in charges]
            usable = [n for n, charge in enumerate(taken) if n == 0 or _usable(mine, charge, n)]
            states = _States.of(mine, [taken[n] for n in usable])
            known = uses.of(rows, len(fleet))
            moves = _solved(states, known, reads[rows].astype(_Small), trainings[rows].astype(_Small), days, keep)
            planned = _followed(states, known, np.searchsorted(usable, mine.start), moves)
            found[rows] = np.array([*usable, -1], np.int8)[planned]
    return found


def _usable(fleet: Fleet, charge: Charge, number: int) -> bool:
    return bool((fleet.start == number).any() or _may(fleet, charge).any())


def _may(fleet: Fleet, charge: Charge) -> NDArray[np.bool_]:
    return charge.open & (fleet.spare <= 0) if charge.archive else charge.open


@dataclass(frozen=True)
class _States:
    """States of some groups: a class, and the days since entry (or since a read) as far as those matter.

    Attributes:
        fleet: the groups.
        charges: the classes.
        first: (classes + 1,) state of a group that has just entered each class, and the number of states.
        after: (states,) state on the next day.
        daily: (states, groups) cost of a day; days of a minimum duration cost nothing, as it is paid on entering.
        enter: (classes, groups) cost of entering; `inf` where a group may not.
        leave: (classes, groups) cost of leaving.
        single: (classes, groups) cost of a read that nobody announced.
    """

    fleet: Fleet
    charges: Sequence[Charge]
    first: Ints
    after: Ints
    daily: Smalls
    enter: Smalls
    leave: Smalls
    single: Smalls

    @classmethod
    def of(cls, fleet: Fleet, charges: Sequence[Charge]) -> "_States":
        """The states of these groups in these classes."""
        free, every = np.zeros(len(fleet)), np.arange(len(fleet))
        days: list[Floats] = []
        first, after = [0], []
        for charge in charges:
            stretches = [(charge.minimum, free)] if charge.minimum else [(s.days, s.daily) for s in charge.stages[:-1]]
            days += [cost for length, cost in stretches for _ in range(length)] + [charge.stages[-1].daily]
            after += [*range(first[-1] + 1, len(days)), len(days) - 1]
            first.append(len(days))
        return cls(
            fleet, charges, np.array(first), np.array(after), np.stack(days).astype(_Small),
            np.stack([np.where(_may(fleet, each), each.enter + each.prepaid, np.inf) for each in charges])
            .astype(_Small),
            np.stack([each.leave for each in charges]).astype(_Small),
            np.stack([each.reading(every, fleet.files, fleet.bytes) for each in charges]).astype(_Small),
        )  # fmt: skip

    def of_class(self, number: int) -> slice:
        """The states of a class."""
        return slice(int(self.first[number]), int(self.first[number + 1]))

    def renewed(self, number: int) -> bool:
        """Whether a read begins a stay in a class anew."""
        return len(self.charges[number].stages) > 1


@dataclass(frozen=True)
class _Moves:
    """What to do on each of the days that are kept.

    Attributes:
        best: (days, groups) the class that is cheapest to enter.
        goes: (days, states, groups) whether entering it costs less than staying.
    """

    best: NDArray[np.int64]
    goes: NDArray[np.bool_]


def _solved(states: _States, known: Uses, reads: Smalls, trainings: Smalls, days: int, keep: int) -> _Moves:
    """From the last day back to today: what every state is expected to cost from then on, and the better choice."""
    classes, groups = states.enter.shape
    moves = _Moves(np.zeros((keep, groups), np.int64), np.zeros((keep, len(states.after), groups), np.bool_))
    ahead, cost = np.zeros_like(states.daily), np.empty_like(states.daily)
    for day in reversed(range(days)):
        ahead[:, states.fleet.end == day + 1] = 0.0
        np.take(ahead, states.after, axis=0, out=cost)
        cost += states.daily
        _read(states, cost, known, reads, day)
        entering = states.enter + cost[states.first[:-1]]
        least = entering.min(0)
        if day < keep:
            moves.best[day] = entering.argmin(0)
        for number in range(classes):
            mine = cost[states.of_class(number)]
            way = states.leave[number] + least
            if day < keep:
                np.greater(mine, way, out=moves.goes[day, states.of_class(number)])
            np.minimum(mine, way, out=mine)
            mine *= 1 - trainings
            mine += trainings * _training(states, number, ahead)
        ahead, cost = cost, ahead
    return moves


def _read(states: _States, cost: Smalls, known: Uses, reads: Smalls, day: int) -> None:
    """Add what the day's reads cost, those that are known and those that may come."""
    places = known.by_day.get(day, np.zeros(0, np.int64))
    rows = known.group[places]
    for number, charge in enumerate(states.charges):
        mine = cost[states.of_class(number)]
        if states.renewed(number):
            again = mine[0].copy()
            mine *= 1 - reads
            mine += reads * (states.single[number] + again)
            mine[:, rows] = again[rows]
        else:
            mine += reads * states.single[number]
        if len(rows):
            mine[:, rows] += charge.reading(rows, known.requests[places], known.bytes[places])


def _training(states: _States, number: int, ahead: Smalls) -> Smalls:
    """What a group of a class costs from the morning on which a training begins: it is read where reading is free.

    Days after the training are taken to cost what they would from tomorrow on.
    """
    first, own = 0, states.of_class(number)
    warm: Smalls = _TRAINING_DAYS * states.daily[first] + ahead[first]
    away = warm if number == 0 else states.leave[number] + states.charges[0].enter + warm
    if not states.renewed(number):
        return away
    stays: Smalls = _TRAINING_DAYS * states.daily[own.start] + ahead[min(own.start + _TRAINING_DAYS, own.stop - 1)]
    return np.minimum(away, stays)


def _followed(states: _States, known: Uses, start: Ints, moves: _Moves) -> Schedule:
    """The classes of each day, from where groups are, while nothing happens by chance."""
    fleet, every = states.fleet, np.arange(len(start))
    renewed = np.array([states.renewed(number) for number in range(len(states.charges))])
    idle = np.minimum(fleet.held, -fleet.last_read)
    age = np.where(renewed[start], idle, fleet.held)
    state, tier = np.minimum(states.first[start] + age, states.first[start + 1] - 1), start
    found = np.full((len(start), len(moves.best)), -1, np.int8)
    for day, best in enumerate(moves.best):
        goes = moves.goes[day, state, every]
        tier = np.where(goes, best, tier)
        state = np.where(goes, states.first[best], state)
        rows = known.group[known.by_day.get(day, np.zeros(0, np.int64))]
        rows = rows[renewed[tier[rows]]]
        state[rows] = states.first[tier[rows]]
        state = states.after[state]
        found[:, day] = np.where(day < fleet.end, tier, -1)
    return found
