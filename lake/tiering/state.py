"""What can be known on the morning of a day: where groups are, when they were read, which uses are announced.

Belongs here: the walk through the days that every policy which does not see the future makes. It shows a policy
nothing that the day does not know.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lake.tiering.costs import Schedule
from lake.tiering.fleet import NEVER, Fleet, Floats, Ints, Uses


@dataclass
class Record:
    """Uses of one kind that were seen, recent ones counting more; arrays have shape (groups,).

    Attributes:
        each: uses of each group.
        shared: its part in the uses of its batch and table: 1 for a use of it alone, a half where two were used.
    """

    each: Floats
    shared: Floats

    @classmethod
    def none(cls, groups: int) -> "Record":
        """Nothing was seen."""
        return cls(np.zeros(groups), np.zeros(groups))

    def add(self, fleet: Fleet, rows: Ints, day: Ints, weight: Floats) -> None:
        """Uses of these groups, on these days."""
        _, use, count = np.unique(
            np.stack([fleet.batch[rows], fleet.table[rows], day]), axis=1, return_inverse=True, return_counts=True
        )
        self.each += np.bincount(rows, weight, len(fleet))
        self.shared += np.bincount(rows, weight / count[use.ravel()], len(fleet))

    def fade(self, by: float) -> None:
        """A day has gone by."""
        self.each *= by
        self.shared *= by


@dataclass
class State:
    """The morning of a day; arrays have shape (groups,).

    Attributes:
        day: the day.
        there: groups that are there and were so yesterday: those that may move.
        now: class of each.
        held: days in that class.
        last_read: day of the last read, or of birth.
        reads: days with a read that nobody announced.
        trainings: stretches of reads announced at short notice.
        watched: days that it was there and not spare, recent ones counting more.
        surprised: groups that were read yesterday though nobody announced it.
    """

    day: int
    there: NDArray[np.bool_]
    now: Ints
    held: Ints
    last_read: Ints
    reads: Record
    trainings: Record
    watched: Floats
    surprised: NDArray[np.bool_]


Decide = Callable[[State], Ints]
"""From a morning to the class that each group is to be in; what it says of groups that cannot move is ignored."""

_MEMORY_DAYS = 365
"""Days after which a use counts a third: what was read often three years ago may be cold now."""

_STRETCH_DAYS = 7
"""Announced reads no further apart are one use: the epochs of a training move files once."""

_SHORT_NOTICE_DAYS = 30
"""What was announced longer ahead was in the plan already, and says nothing of uses that no plan knows yet."""


def walk(fleet: Fleet, uses: Uses, days: int, decide: Decide) -> Schedule:
    """The schedule that a policy makes day by day.

    Args:
        fleet: the groups.
        uses: all reads; a policy is shown those of the past through its `State`. Reads of days below 0 are history.
        days: days.
        decide: the policy.
    """
    state = morning(fleet, uses)
    schedule = np.full((len(fleet), days), -1, np.int8)
    for day in range(days):
        state.day, state.there = day, (fleet.born < day) & (day < fleet.end)
        wanted = np.where(state.there, decide(state), state.now)
        born = fleet.born == day
        moved = wanted != state.now
        state.now = np.where(born, 0, wanted)
        state.held[moved | born] = 0
        present = state.there | born
        schedule[:, day] = np.where(present, state.now, -1)
        _evening(state, fleet, uses, present)
    return schedule


def morning(fleet: Fleet, uses: Uses) -> State:
    """The morning of day 0; reads of days below it are history."""
    count = len(fleet)
    state = State(
        0, fleet.born < 0, fleet.start.copy(), fleet.held.copy(), np.maximum(fleet.last_read, fleet.born),
        Record.none(count), Record.none(count), np.zeros(count), np.zeros(count, np.bool_),
    )  # fmt: skip
    past = uses.where(uses.day < 0)
    order = np.lexsort((past.day, past.group))
    group, day = past.group[order], past.day[order]
    before = np.where(np.r_[True, np.diff(group) != 0][: len(group)], fleet.born[group], np.r_[0, day[:-1]][: len(day)])
    announced, weight = past.announced[order], np.exp(day / _MEMORY_DAYS)
    begun = announced & (day - past.known[order] < _SHORT_NOTICE_DAYS) & (day - before > _STRETCH_DAYS)
    for record, those in ((state.reads, ~announced), (state.trainings, begun)):
        record.add(fleet, group[those], day[those], weight[those])
    np.maximum.at(state.last_read, group, day)
    age = np.clip(-fleet.born, 0, None) if len(group) else np.zeros(count)
    seen = -int(day.min()) if len(group) else 0
    spare = np.clip(-fleet.spare, 0, None)
    state.watched = _MEMORY_DAYS * np.maximum(
        np.exp(-spare / _MEMORY_DAYS) - np.exp(-np.minimum(age, seen) / _MEMORY_DAYS), 0
    )
    return state


def _evening(state: State, fleet: Fleet, uses: Uses, present: NDArray[np.bool_]) -> None:
    places = uses.by_day.get(state.day, np.zeros(0, np.int64))
    places = places[present[uses.group[places]]]
    rows, announced = uses.group[places], uses.announced[places]
    state.last_read[fleet.born == state.day] = state.day
    short = announced & (state.day - uses.known[places] < _SHORT_NOTICE_DAYS)
    begun = short & (state.day - state.last_read[rows] > _STRETCH_DAYS)
    fade = float(np.exp(-1 / _MEMORY_DAYS))
    state.watched = state.watched * fade + (present & (fleet.spare > state.day))
    for record, those in ((state.reads, rows[~announced]), (state.trainings, rows[begun])):
        record.fade(fade)
        record.add(fleet, those, np.full(len(those), state.day), np.ones(len(those)))
    state.held += 1
    state.last_read[rows] = state.day
    state.surprised = np.zeros(len(fleet), np.bool_)
    state.surprised[rows[~announced]] = True


def as_fleet(state: State, fleet: Fleet, rows: Ints) -> Fleet:
    """Groups as a morning knows them, days counted from it: ends and changes that nobody knows of yet never come."""
    mine, day = fleet.take(rows), state.day
    return replace(
        mine,
        born=mine.born - day,
        end=np.where(mine.end_known <= day, mine.end - day, NEVER),
        spare=np.where(mine.spare <= day, mine.spare - day, NEVER),
        start=state.now[rows],
        held=np.maximum(state.held[rows], 1),
        last_read=np.minimum(state.last_read[rows] - day, -1),
    )


def next_use(state: State, groups: int, uses: Uses) -> Ints:
    """First day from today on which each group has a use that is known; `NEVER` where it has none."""
    known = (uses.known <= state.day) & (uses.day >= state.day)
    found = np.full(groups, NEVER, np.int64)
    np.minimum.at(found, uses.group[known], uses.day[known])
    return found
