"""What a schedule costs: the class of each group on each day, priced to the last fee.

Belongs here: one judge for all policies, the optimum among them. It knows nothing of how a schedule came about.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lake.tiering.charges import Charge, stage_at
from lake.tiering.fleet import Fleet, Ints, Uses

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

    Raises:
        ValueError: if a group is there on a day without a class.
    """
    days = schedule.shape[1]
    stay = _Stay(fleet.start.copy(), fleet.held.copy(), np.minimum(fleet.held, -fleet.last_read))
    sums = np.zeros((days + 1, 5))
    hours, waits = 0.0, 0
    for day in range(days + 1):
        there = (fleet.born <= day) & (day < fleet.end) & (day < days)
        wanted = np.where(there, schedule[:, min(day, days - 1)], -1)
        if (there & (wanted < 0)).any():
            raise ValueError("found a day without a class for a group that is there, needed one for each")
        was = (fleet.born < day) & (day <= fleet.end) if day else fleet.born < 0
        sums[day, 3:] = _moved(stay, was, there, wanted, charges)
        stay.held[there & (fleet.born == day)] = stay.idle[there & (fleet.born == day)] = 0
        read = uses.by_day.get(day, np.zeros(0, np.int64))
        read = read[there[uses.group[read]]]
        stay.idle[uses.group[read]] = 0
        asked, fetched, late = _read(stay, uses, read, charges)
        sums[day, :3] = _stored(stay, there, charges), asked, fetched
        hours += sum(float(count * charge.kind.hours) for count, charge in zip(late, charges, strict=True))
        waits += int(late.sum())
        stay.held += 1
        stay.idle += 1
    by_day = sums.sum(1)[:days]
    by_day[-1:] += sums[days].sum()
    monthly = tuple(float(by_day[i : i + STRETCH].sum()) for i in range(0, days, STRETCH))
    storage, requests, retrieval, moves, early = map(float, sums.sum(0))
    return Bill(storage, requests, retrieval, moves, early, hours, waits, monthly)


@dataclass
class _Stay:
    """The class of each group on a day, the days since it came there, and those since it was read or came there."""

    now: Ints
    held: Ints
    idle: Ints


def _moved(
    stay: _Stay, was: NDArray[np.bool_], there: NDArray[np.bool_], wanted: Ints, charges: Sequence[Charge]
) -> tuple[float, float]:
    """Have groups where they are wanted; what the moves cost, and what minimum durations are left to pay."""
    leaving = was & (wanted != stay.now)
    moving = leaving & there
    moves = early = 0.0
    for number, charge in enumerate(charges):
        out = leaving & (stay.now == number)
        moves += float(charge.leave[out & there].sum() + charge.enter[moving & (wanted == number)].sum())
        early += float((np.maximum(charge.minimum - stay.held[out], 0) * charge.stages[0].daily[out]).sum())
    stay.now = np.where(there, wanted, stay.now)
    stay.held[moving] = stay.idle[moving] = 0
    return moves, early


def _read(stay: _Stay, uses: Uses, read: Ints, charges: Sequence[Charge]) -> tuple[float, float, Ints]:
    """What a day's reads cost, in requests and in bytes, and how many wait for a restore in each class."""
    asked = fetched = 0.0
    late = np.zeros(len(charges), np.int64)
    for number, charge in enumerate(charges):
        mine = read[stay.now[uses.group[read]] == number]
        cost = float(charge.reading(uses.group[mine], uses.requests[mine], uses.bytes[mine]).sum())
        requests = 0.0 if charge.archive else float(uses.requests[mine].sum() * charge.per_request)
        asked, fetched = asked + requests, fetched + cost - requests
        late[number] = (~uses.announced[mine]).sum() if charge.archive else 0
    return asked, fetched, late


def _stored(stay: _Stay, there: NDArray[np.bool_], charges: Sequence[Charge]) -> float:
    """What a day of storage costs."""
    inside = (there & (stay.now == number) for number in range(len(charges)))
    return float(sum(stage_at(charge, stay.idle)[mine].sum() for charge, mine in zip(charges, inside, strict=True)))


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
