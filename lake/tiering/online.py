"""Policies that decide day by day: a break-even rule that knows the past alone, and foresight, which knows the plans.

Belongs here: their decisions. Rules of documents are `lake.tiering.rules`; what decisions cost is `lake.tiering.costs`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lake.tiering.charges import Charge, stage_at, with_reads
from lake.tiering.costs import Schedule
from lake.tiering.fleet import NEVER, Fleet, Floats, Ints, Uses
from lake.tiering.optimum import optimum
from lake.tiering.rules import allowed, chosen
from lake.tiering.state import Decide, State, as_fleet
from schemas.tiering import TieringPolicy

_COMMON_READS, _COMMON_DAYS = 0.5, 365.0
"""What is assumed of uses before any was seen: one in two years for each file."""


def break_even(fleet: Fleet, uses: Uses, charges: Sequence[Charge], policy: TieringPolicy) -> Decide:
    """Ski rental: move once staying has cost as much more than being elsewhere as going there and back costs.

    It knows what was read and nothing of what will be. Each class keeps the regret of not being there since the last
    move, never below nothing; what is left of a minimum duration counts as part of the way.
    """
    regret = np.zeros((len(charges), len(fleet)))
    minimum = np.array([charge.minimum for charge in charges])

    def decide(state: State) -> Ints:
        _regretted(regret, fleet, uses, charges, state)
        rest = np.maximum(minimum[state.now] - state.held, 0)
        gain = np.full_like(regret, -np.inf)
        back = _of(charges, state.now, "enter") + rest * _daily(charges, state.now)
        out = _of(charges, state.now, "leave")
        for number, charge in enumerate(charges):
            way = out + charge.enter + charge.leave + back
            # the shortest stay in the new class is paid whatever comes
            way = way + charge.prepaid * 0.5
            gain[number] = np.where(allowed(policy, fleet, charge, state.day), regret[number] - way, -np.inf)
        best = gain.argmax(0)
        move = state.there & (gain.max(0) >= 0) & (best != state.now)
        regret[:, move] = 0
        return np.where(move, best, state.now)

    return decide


def _regretted(regret: Floats, fleet: Fleet, uses: Uses, charges: Sequence[Charge], state: State) -> None:
    """Add what yesterday cost more where groups were than it would have elsewhere."""
    idle = np.maximum(state.day - 1 - state.last_read, 0)
    cost = np.stack([stage_at(charge, idle) for charge in charges])
    places = uses.by_day.get(state.day - 1, np.zeros(0, np.int64))
    rows = uses.group[places]
    for number, charge in enumerate(charges):
        cost[number, rows] += charge.reading(rows, uses.requests[places], uses.bytes[places])
    here = cost[state.now, np.arange(len(fleet))]
    np.maximum(regret + np.where(state.there, here - cost, 0), 0, out=regret)


def _of(charges: Sequence[Charge], now: Ints, name: str) -> Floats:
    return np.stack([getattr(charge, name) for charge in charges])[now, np.arange(len(now))]


def _daily(charges: Sequence[Charge], now: Ints) -> Floats:
    return np.stack([charge.stages[0].daily for charge in charges])[now, np.arange(len(now))]


def foresight(fleet: Fleet, uses: Uses, charges: Sequence[Charge], policy: TieringPolicy, days: int) -> Decide:
    """The cheapest way through what is known, planned anew whenever there is news of a group.

    Announced reads are certain. The others come at a rate: a group's own record against the common rate of its table.
    Plans are the optimum's own programme over `lookahead_days`; news are announcements, ends that became known, births,
    and, every `replan_days`, reads that nobody announced. Groups that a rule fits stay on the rule's tier.
    """
    plan = np.zeros((days + policy.lookahead_days, len(fleet)), np.int8)
    planned_on = np.full(len(fleet), -NEVER, np.int64)
    pending = np.zeros(len(fleet), np.bool_)

    def decide(state: State) -> Ints:
        day = state.day
        pending[:] |= state.surprised | (planned_on == -NEVER)
        told = uses.group[(uses.known == day) & (uses.day >= day)]
        urgent = np.zeros(len(fleet), np.bool_)
        urgent[told] = True
        urgent |= planned_on == -NEVER  # written yesterday
        urgent |= (fleet.end_known == day) | (fleet.spare == day)
        urgent |= planned_on + policy.lookahead_days // 2 <= day if day % policy.replan_days == 0 else False
        rows = np.flatnonzero(state.there & (urgent | (pending if day % policy.replan_days == 0 else False)))
        if len(rows):
            plan[day : day + policy.lookahead_days, rows] = ahead(fleet, uses, charges, policy, state, rows).T
            planned_on[rows], pending[rows] = day, False
        tier = np.where(planned_on >= 0, plan[day], state.now).astype(np.int64)
        if policy.rules:
            ruled, by = chosen(policy, fleet, uses, charges, state)
            tier = np.where(by >= 0, ruled, tier)
        return tier

    return decide


def ahead(
    fleet: Fleet, uses: Uses, charges: Sequence[Charge], policy: TieringPolicy, state: State, rows: Ints
) -> Schedule:
    """The plan of some groups from a morning on, over the days that the policy looks ahead."""
    mine = as_fleet(state, fleet, rows)
    near = (uses.known <= state.day) & (uses.day >= state.day) & (uses.day < state.day + policy.lookahead_days)
    known = uses.where(near).of(rows, len(fleet), state.day)
    may = [replace(charge, open=allowed(policy, fleet, charge, state.day)) for charge in charges]
    reads, stretches = (rate[rows] for rate in rates(fleet, state, policy))
    expected = with_reads([charge.take(rows) for charge in may], mine, reads, stretches)
    return optimum(mine, known, expected, policy.lookahead_days, stretches)


def rates(fleet: Fleet, state: State, policy: TieringPolicy) -> tuple[Floats, Floats]:
    """Single reads and stretches a day that are expected of each group beyond those that are announced.

    Each is the mean of a gamma distribution: the common rate of the group's table, after the group's own record.
    """
    return _rate(state.reads, fleet, state, policy), _rate(state.stretches, fleet, state, policy)


def _rate(counted: Floats, fleet: Fleet, state: State, policy: TieringPolicy) -> Floats:
    tables = len(fleet.tables)
    there: NDArray[np.bool_] = state.watched > 0
    seen = np.bincount(fleet.table[there], counted[there], tables) + _COMMON_READS
    watched = np.bincount(fleet.table[there], state.watched[there], tables) + _COMMON_DAYS
    common = (seen / watched)[fleet.table]
    return (policy.prior_days * common + counted) / (policy.prior_days + state.watched)
