"""Policies that decide day by day: a break-even rule that knows the past alone, and foresight, which knows the plans.

Belongs here: their decisions. Rules of documents are `lake.tiering.rules`; what decisions cost is `lake.tiering.costs`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from lake.tiering.charges import Charge, stage_at
from lake.tiering.costs import Schedule
from lake.tiering.expectation import cheapest
from lake.tiering.fleet import NEVER, Fleet, Floats, Ints, Uses
from lake.tiering.rates import rates
from lake.tiering.rules import allowed, chosen
from lake.tiering.state import Decide, State, as_fleet
from schemas.tiering import TieringPolicy

Judge = Callable[[Fleet, State, TieringPolicy], tuple[Floats, Floats]]
"""What tells how often groups will be used unannounced, as `lake.tiering.rates.rates` does."""


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


def foresight(
    fleet: Fleet, uses: Uses, charges: Sequence[Charge], policy: TieringPolicy, days: int, judged: Judge = rates
) -> Decide:
    """The cheapest way to be expected from what is known and what may come, planned anew whenever there is news.

    Announced reads are certain, the others come at a rate (`lake.tiering.rates`). News of a group are announcements, an
    end that became known, its birth and, every `replan_days`, reads that nobody announced. Without news a plan serves
    for a quarter of `lookahead_days`. Groups that a rule fits stay on the rule's tier.

    Args:
        fleet: the groups.
        uses: all reads; each is looked at once it is known.
        charges: prices of each class.
        policy: the policy.
        days: days that will be walked.
        judged: what tells the rates.
    """
    keep = policy.lookahead_days // 4
    plan = np.zeros((days + keep, len(fleet)), np.int8)
    planned_on = np.full(len(fleet), -NEVER, np.int64)
    pending = np.zeros(len(fleet), np.bool_)

    def decide(state: State) -> Ints:
        day = state.day
        pending[:] |= state.surprised
        news = planned_on + keep <= day  # those written yesterday among them
        news[uses.group[(uses.known == day) & (uses.day >= day)]] = True
        news |= (fleet.end_known == day) | (fleet.spare == day)
        if day % policy.replan_days == 0:
            news |= pending
        rows = np.flatnonzero(state.there & news)
        if len(rows):
            plan[day : day + keep, rows] = ahead(fleet, uses, charges, policy, state, rows, keep, judged).T
            planned_on[rows], pending[rows] = day, False
        tier = np.where(planned_on >= 0, plan[day], state.now).astype(np.int64)
        if policy.rules:
            ruled, by = chosen(policy, fleet, uses, charges, state)
            tier = np.where(by >= 0, ruled, tier)
        return tier

    return decide


def ahead(
    fleet: Fleet, uses: Uses, charges: Sequence[Charge], policy: TieringPolicy, state: State, rows: Ints, keep: int,
    judged: Judge = rates,
) -> Schedule:  # fmt: skip
    """The plan of some groups for so many days from a morning on, weighed over the days that the policy looks ahead."""
    mine = as_fleet(state, fleet, rows)
    near = (uses.known <= state.day) & (uses.day >= state.day) & (uses.day < state.day + policy.lookahead_days)
    known = uses.where(near).of(rows, len(fleet), state.day)
    may = [replace(charge, open=allowed(policy, fleet, charge, state.day)).take(rows) for charge in charges]
    reads, trainings = (rate[rows] for rate in judged(fleet, state, policy))
    return cheapest(mine, known, may, reads, trainings, policy.lookahead_days, keep)
