"""The cheapest schedule there is: a dynamic programme over days, exact for each group under the price model.

Belongs here: the programme. Its states are a class and the days since entry (or since the last read, where a class
lowers its price by itself), as far as those matter; `lake.tiering.cohorts` keeps them. Costs of moving, reading,
staying and leaving early are those of `lake.tiering.charges`, and `lake.tiering.costs` prices its schedule to the same
sum, which the tests hold it to.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lake.tiering.charges import Charge
from lake.tiering.cohorts import Stay
from lake.tiering.costs import Schedule
from lake.tiering.fleet import NEVER, Fleet, Floats, Uses

CHUNK = 4096
"""Groups planned at once, so that what is kept of them stays near the processor."""

_BEFORE = -1
"""Entry day of groups that were in their class before the first day."""


def optimum(fleet: Fleet, uses: Uses, charges: Sequence[Charge], days: int) -> Schedule:
    """The cheapest schedule, all reads and ends known.

    Args:
        fleet: the groups.
        uses: the reads, one entry a group and day (`Uses.merged`).
        charges: prices of each class; groups may stay where they are, and enter the classes that are open.
        days: days to plan.
    """
    found = np.full((len(fleet), days), -1, np.int8)
    archivable = fleet.spare < days
    for some in (np.flatnonzero(~archivable), np.flatnonzero(archivable)):
        for first in range(0, len(some), CHUNK):
            rows = some[first : first + CHUNK]
            mine = fleet.take(rows)
            taken = [charge.take(rows) for charge in charges]
            usable = [n for n, charge in enumerate(taken) if _usable(mine, charge, n, days)]
            place = np.full(len(charges) + 1, -1, np.int64)
            place[usable] = np.arange(len(usable))
            mine = replace(mine, start=place[mine.start])
            planned = _chunk(mine, uses.of(rows, len(fleet)), [taken[n] for n in usable], days)
            found[rows] = np.array([*usable, -1], np.int8)[planned]
    return found


def _usable(fleet: Fleet, charge: Charge, number: int, days: int) -> bool:
    """Whether any of the groups is or can get there; the class that files are written to always counts."""
    there = bool((fleet.start == number).any())
    may = charge.open & (fleet.spare < days) if charge.archive else charge.open
    return number == 0 or there or bool(may.any())


def _chunk(fleet: Fleet, uses: Uses, charges: Sequence[Charge], days: int) -> Schedule:
    groups = len(fleet)
    stays = [_stay(charge, groups) for charge in charges]
    paid = [charge.enter + charge.prepaid for charge in charges]
    _begin(stays, fleet, charges)
    came = np.full((days, len(charges), groups), -1, np.int8)
    entered = np.zeros((days + 1, len(charges), groups), np.int16)
    final, free = np.full(groups, -1, np.int8), np.zeros(groups)
    for day in range(days + 1):
        for stay in stays:
            stay.advance()
        least = [stay.least() for stay in stays]
        for number, (_, when) in enumerate(least):
            entered[day, number] = when
        over = np.flatnonzero((fleet.end == day) if day < days else fleet.end >= day)
        if len(over):
            final[over] = np.stack([cost[over] for cost, _ in least]).argmin(0)
        if day == days:
            break
        _move(stays, [cost for cost, _ in least], came[day], fleet, charges, paid, day)
        _read(stays, uses, charges, day)
        for stay, charge in zip(stays, charges, strict=True):
            # the minimum is paid on entering, so that its days are free and leaving early costs nothing more
            stay.spend([free, charge.stages[-1].daily] if charge.minimum else [stage.daily for stage in charge.stages])
    return _traced(fleet, final, came, entered, days)


def _stay(charge: Charge, groups: int) -> Stay:
    stretches = [charge.minimum, NEVER] if charge.minimum else [stage.days for stage in charge.stages]
    return Stay(stretches, groups, renewed=len(charge.stages) > 1)


def _begin(stays: Sequence[Stay], fleet: Fleet, charges: Sequence[Charge]) -> None:
    idle = np.minimum(fleet.held, -fleet.last_read)
    for number, (stay, charge) in enumerate(zip(stays, charges, strict=True)):
        age = idle if len(charge.stages) > 1 else fleet.held
        stay.begin((fleet.born < 0) & (fleet.start == number), age, _BEFORE)


def _move(
    stays: Sequence[Stay],
    costs: Sequence[Floats],
    came: NDArray[np.int8],
    fleet: Fleet,
    charges: Sequence[Charge],
    paid: Sequence[Floats],
    day: int,
) -> None:
    """Moves at the start of a day: each class is entered from the class that is cheapest to come from."""
    out = [cost + charge.leave for cost, charge in zip(costs, charges, strict=True)]
    source, other = _two_least(out)
    today = np.full(len(fleet), day, np.int16)
    there = (fleet.born < day) & (day < fleet.end)
    for number, (stay, charge) in enumerate(zip(stays, charges, strict=True)):
        # a class is not entered from itself
        here = source[1] == number
        cost, origin = np.where(here, other[0], source[0]), np.where(here, other[1], source[1])
        may = there & charge.open & (fleet.spare <= day) if charge.archive else there & charge.open
        cost = np.where(may, cost + paid[number], np.inf)
        if number == 0:
            cost[fleet.born == day] = 0.0
        came[number] = np.where(fleet.born == day, -1, origin)
        stay.enter(cost, today)


def _two_least(costs: Sequence[Floats]) -> tuple[tuple[Floats, NDArray[np.int8]], tuple[Floats, NDArray[np.int8]]]:
    """The least cost of each group and its class, and the second least."""
    best, second = costs[0], np.full(len(costs[0]), np.inf)
    which, after = np.zeros(len(best), np.int8), np.full(len(best), -1, np.int8)
    for number, cost in enumerate(costs[1:], 1):
        first = cost < best
        next_ = cost < second
        after = np.where(first, which, np.where(next_, np.int8(number), after))
        second = np.where(first, best, np.where(next_, cost, second))
        which, best = np.where(first, np.int8(number), which), np.where(first, cost, best)
    return (best, which), (second, after)


def _read(stays: Sequence[Stay], uses: Uses, charges: Sequence[Charge], day: int) -> None:
    places = uses.by_day.get(day)
    if places is None:
        return
    rows = uses.group[places]
    for stay, charge in zip(stays, charges, strict=True):
        stay.read(rows, charge.reading(rows, uses.requests[places], uses.bytes[places]))


def _traced(
    fleet: Fleet, final: NDArray[np.int8], came: NDArray[np.int8], entered: NDArray[np.int16], days: int
) -> Schedule:
    """From the last class of each group back to its first: the class of every day."""
    groups = len(fleet)
    marks = np.full((days, groups), -1, np.int8)
    rows = np.flatnonzero((final >= 0) & (fleet.born < days) & (fleet.end > 0))
    tier, upto = final[rows].astype(np.int64), np.minimum(fleet.end[rows], days)
    while len(rows):
        since = entered[upto, tier, rows].astype(np.int64)
        start = np.maximum(since, 0)
        shown = start < upto
        marks[start[shown], rows[shown]] = tier[shown]
        source = np.where(since >= 0, came[start, tier, rows], -1).astype(np.int64)
        more = source >= 0
        rows, tier, upto = rows[more], source[more], since[more]
    for day in range(1, days):
        np.copyto(marks[day], marks[day - 1], where=marks[day] < 0)
    there = (fleet.born <= np.arange(days)[:, None]) & (np.arange(days)[:, None] < fleet.end)
    return np.where(there, marks, -1).astype(np.int8).T
