"""What a schedule costs: the class of each group on each day, priced to the last fee.

Belongs here: one judge for all policies, the optimum among them. It knows nothing of how a schedule came about.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lake.tiering.charges import Charge, stage_at
from lake.tiering.fleet import Fleet, Floats, Uses

Schedule = NDArray[np.int8]
"""(groups, days) class of each group on each day, as an index into the price book; -1 where it is not there."""


@dataclass(frozen=True)
class Bill:
    """What a schedule costs, in the currency of the book.

    Attributes:
        storage: days in a class, overheads and watching included.
        requests: read requests.
        retrieval: bytes read, and restores from archives.
        moves: moves between classes, with what leaving one costs.
        early: minimum durations that were not used up; those that the last day leaves are paid as well.
        hours: hours that reads waited for a restore, summed over groups.
        waits: reads that waited.
        monthly: (months,) the sum of all costs in each stretch of 30 days.
    """

    storage: float
    requests: float
    retrieval: float
    moves: float
    early: float
    hours: float
    waits: int
    monthly: tuple[float, ...]

    @property
    def total(self) -> float:
        """All of it."""
        return self.storage + self.requests + self.retrieval + self.moves + self.early

    def as_dict(self) -> dict[str, float]:
        """The numbers by name, for tables and scripts."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "monthly"} | {
            "total": self.total
        }


STRETCH = 30
"""Days of a point in a plot of costs."""


def bill(schedule: Schedule, fleet: Fleet, uses: Uses, charges: Sequence[Charge]) -> Bill:
    """Price a schedule.

    Args:
        schedule: the class of each group on each day.
        fleet: the groups.
        uses: the reads, one entry a group and day (`Uses.merged`).
        charges: prices of each class.
    """
    groups, days = schedule.shape
    now, held = fleet.start.copy(), fleet.held.copy()
    idle = np.minimum(held, -fleet.last_read)
    sums = np.zeros((days + 1, 5))
    hours, waits = 0.0, 0
    minimum = np.array([charge.minimum for charge in charges])
    for day in range(days + 1):
        there = (fleet.born <= day) & (day < fleet.end) if day < days else np.zeros(groups, bool)
        was = (fleet.born < day) & (day <= fleet.end) if day else fleet.born < 0
        wanted = np.where(there, schedule[:, day] if day < days else -1, -1)
        if (there & (wanted < 0)).any():
            raise ValueError("found a day without a class for a group that is there, needed one for each")
        leaving = was & (wanted != now)
        sums[day, 4] += _early(leaving, now, np.maximum(minimum[now] - held, 0), charges)
        moving = leaving & there
        for number, charge in enumerate(charges):
            sums[day, 3] += (
                charge.leave[moving & (now == number)].sum() + charge.enter[moving & (wanted == number)].sum()
            )
        fresh = moving | (there & (fleet.born == day))
        held[fresh] = idle[fresh] = 0
        now = np.where(there, wanted, now)
        if day == days:
            break
        read = uses.by_day.get(day, np.zeros(0, np.int64))
        read = read[there[uses.group[read]]]
        idle[uses.group[read]] = 0
        for number, charge in enumerate(charges):
            mine = read[now[uses.group[read]] == number]
            cost = charge.reading(uses.group[mine], uses.requests[mine], uses.bytes[mine])
            asked = 0.0 if charge.archive else float(uses.requests[mine].sum() * charge.per_request)
            sums[day, 1] += asked
            sums[day, 2] += cost.sum() - asked
            if charge.archive:
                late = int((~uses.announced[mine]).sum())
                hours, waits = hours + late * charge.kind.hours, waits + late
            inside = there & (now == number)
            sums[day, 0] += stage_at(charge, idle)[inside].sum()
        held += 1
        idle += 1
    by_day = sums.sum(1)[:days]
    by_day[-1:] += sums[days].sum()
    monthly = tuple(float(by_day[i : i + STRETCH].sum()) for i in range(0, days, STRETCH))
    storage, requests, retrieval, moves, early = map(float, sums.sum(0))
    return Bill(storage, requests, retrieval, moves, early, hours, waits, monthly)


def _early(
    leaving: NDArray[np.bool_], now: NDArray[np.int64], left: NDArray[np.int64], charges: Sequence[Charge]
) -> float:
    due: Floats = np.zeros(len(now))
    for number, charge in enumerate(charges):
        if charge.minimum:
            mine = leaving & (now == number)
            due[mine] = left[mine] * charge.stages[0].daily[mine]
    return float(due.sum())


def kept_in(fleet: Fleet, days: int, tier: NDArray[np.int64] | int, first: int = 0) -> Schedule:
    """The schedule that keeps every group in one class from its second day on, which a move takes.

    Args:
        fleet: the groups.
        days: days.
        tier: the class, or one for each group.
        first: class of the day that a group is written on.
    """
    day = np.arange(days)
    there = (fleet.born[:, None] <= day) & (day < fleet.end[:, None])
    wanted = np.broadcast_to(np.asarray(tier, np.int8), len(fleet))[:, None]
    written = fleet.born[:, None] == day
    return np.where(there, np.where(written, first, wanted), -1).astype(np.int8)
