"""Groups that entered a class on different days, and the cheapest of them: what the dynamic programme keeps.

Belongs here: one stretch of a stay as a queue. Keeping each entry day apart would take hundreds of states a group; the
queue gives the least cost over all of them in a few operations a day, exactly, by the minimum of a sliding window
(van Herk 1992; Gil and Werman 1993), on all groups at once.
"""

import numpy as np
from numpy.typing import NDArray

from lake.tiering.fleet import NEVER, Floats

Days = NDArray[np.int16]


class Queue:
    """A stretch of so many days: cohorts enter at its head and leave at its end, all at the same pace.

    Costs that fall on all cohorts alike are kept once, in an offset. Arrays have shape (groups,) or (days, groups).
    """

    def __init__(self, days: int, groups: int) -> None:
        """An empty queue; `days` is `NEVER` for the last stretch, in which cohorts differ by nothing but their cost."""
        self._days = days
        self._offset: Floats = np.zeros(groups)
        self._best, self._entered = np.full(groups, np.inf), np.zeros(groups, np.int16)
        self._place = 0
        if days < NEVER:
            shape = (days + 1, groups)  # one place more than days, so that a window beyond the last is empty
            self._filling, self._filled, self._least = (np.full(shape, np.inf) for _ in range(3))
            self._filling_day, self._filled_day, self._least_day = (np.zeros(shape, np.int16) for _ in range(3))
            # what a group had before is forgotten: places below this of the block that fills, all of the one before
            self._first, self._stale = np.zeros(groups, np.int16), np.zeros(groups, np.bool_)

    def begin(self, chosen: NDArray[np.bool_], age: NDArray[np.int64], entered: int) -> None:
        """Put groups in before the first day, at no cost, so many days (1 or more) after their entry."""
        if self._days == NEVER:
            self._best[chosen], self._entered[chosen] = 0.0, entered
            return
        rows = np.flatnonzero(chosen)
        self._filling[self._days - age[rows], rows] = 0.0
        self._filling_day[self._days - age[rows], rows] = entered
        # the first advance finds them in the block before its own
        self._place = self._days - 1

    def advance(self) -> tuple[Floats, Days] | None:
        """Go on by a day; gives the cohort whose stretch is over, with its costs and entry days."""
        if self._days == NEVER:
            return None
        self._place += 1
        if self._place == self._days:
            self._turn()
        over = self._filled[self._place] + self._offset
        over[self._stale] = np.inf
        return over, self._filled_day[self._place]

    def enter(self, cost: Floats, entered: Days) -> None:
        """Add a cohort; `inf` for groups that have none."""
        value = cost - self._offset
        better = value < self._best
        np.copyto(self._best, value, where=better)
        np.copyto(self._entered, entered, where=better)
        if self._days < NEVER:
            better = value < self._filling[self._place]
            np.copyto(self._filling[self._place], value, where=better)
            np.copyto(self._filling_day[self._place], entered, where=better)

    def least(self) -> tuple[Floats, Days]:
        """The least cost over all cohorts, and the entry day of the cheapest."""
        if self._days == NEVER:
            return self._best + self._offset, self._entered
        older, day = self._least[self._place + 1], self._least_day[self._place + 1]
        first = (older < self._best) & ~self._stale
        return np.where(first, older, self._best) + self._offset, np.where(first, day, self._entered)

    def add(self, cost: Floats) -> None:
        """Costs that every cohort has."""
        self._offset += cost

    def add_to(self, rows: NDArray[np.int64], cost: Floats) -> None:
        """Costs of every cohort of some groups."""
        self._offset[rows] += cost

    def clear(self, rows: NDArray[np.int64]) -> None:
        """Forget all cohorts of some groups."""
        self._best[rows] = np.inf
        if self._days < NEVER:
            self._filling[self._place, rows] = np.inf
            self._first[rows], self._stale[rows] = self._place, True

    def _turn(self) -> None:
        """Start a new block: of the full one, each place gets the least of itself and all later ones."""
        self._filled, self._filling = self._filling, self._filled
        self._filled_day, self._filling_day = self._filling_day, self._filled_day
        self._filling[:] = np.inf
        for place in range(self._first.max()):
            self._filled[place, self._first > place] = np.inf
        np.copyto(self._least, self._filled)
        np.copyto(self._least_day, self._filled_day)
        for place in range(self._days - 2, -1, -1):
            later = self._least[place + 1] < self._least[place]
            np.copyto(self._least[place], self._least[place + 1], where=later)
            np.copyto(self._least_day[place], self._least_day[place + 1], where=later)
        self._best[:] = np.inf
        self._first[:], self._stale[:] = 0, False
        self._place = 0


class Stay:
    """A stay in one class: its stretches in line, each handing on to the next."""

    def __init__(self, stretches: list[int], groups: int, *, renewed: bool) -> None:
        """A stay that nobody has begun.

        Args:
            stretches: days of each; the last is `NEVER` long.
            groups: number of groups.
            renewed: whether a read begins it anew.
        """
        self._queues = [Queue(days, groups) for days in stretches]
        self._lengths, self._renewed = stretches, renewed

    def begin(self, chosen: NDArray[np.bool_], age: NDArray[np.int64], entered: int) -> None:
        """Put groups in before the first day, that have been in it so many days."""
        before = 0
        for queue, days in zip(self._queues, self._lengths, strict=True):
            here = chosen & (age >= before) & (age < before + days)
            # a queue whose first day comes counts ages from 1
            queue.begin(here, np.maximum(age - before, 1), entered)
            before += days

    def advance(self) -> None:
        """Go on by a day."""
        passing: tuple[Floats, Days] | None = None
        for queue in self._queues:
            over = queue.advance()
            if passing is not None:
                queue.enter(*passing)
            passing = over

    def least(self) -> tuple[Floats, Days]:
        """The least cost of being here, and when the cheapest entered."""
        cost, day = self._queues[0].least()
        for queue in self._queues[1:]:
            other, other_day = queue.least()
            better = other < cost
            cost, day = np.where(better, other, cost), np.where(better, other_day, day)
        return cost, day

    def enter(self, cost: Floats, entered: Days) -> None:
        """Groups that enter today, at this cost so far; `inf` for those that do not."""
        self._queues[0].enter(cost, entered)

    def read(self, rows: NDArray[np.int64], cost: Floats) -> None:
        """Groups that are read today, and what it costs them here."""
        if self._renewed:
            least, day = self.least()
            for queue in self._queues:
                queue.clear(rows)
            again = np.full(len(least), np.inf)
            again[rows] = least[rows]
            self._queues[0].enter(again, day)
        for queue in self._queues:
            queue.add_to(rows, cost)

    def spend(self, daily: list[Floats]) -> None:
        """A day's storage in each stretch."""
        for queue, cost in zip(self._queues, daily, strict=True):
            queue.add(cost)
