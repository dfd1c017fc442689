"""What to do today: the tier that a policy gives each file now, why, and what that saves.

Belongs here: from a fleet and a policy to moves with reasons and money.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lake.tiering.charges import MONTH, Charge, charges, stage_at
from lake.tiering.fleet import NEVER, Fleet, Floats, Ints, Uses
from lake.tiering.holdings import Held
from lake.tiering.mover import Move
from lake.tiering.online import ahead
from lake.tiering.rates import rates
from lake.tiering.rules import OTHERWISE, allowed, chosen
from lake.tiering.state import State, morning, next_use
from schemas.contract import Table
from schemas.prices import PriceBook
from schemas.tiering import Method, TieringPolicy


@dataclass(frozen=True)
class Advice:
    """What a policy says of today.

    Attributes:
        moves: moves of each table.
        month_now: cost of a month where files are: storage, and the reads that are expected.
        month_then: the same after the moves.
        once: what the moves cost.
        kept: files that stay where they are.
    """

    moves: tuple[tuple[Table, Move], ...]
    month_now: float
    month_then: float
    once: float
    kept: int

    @property
    def saved_month(self) -> float:
        """What the moves save a month."""
        return self.month_now - self.month_then


def advice(
    fleet: Fleet, uses: Uses, files: Sequence[Held], policy: TieringPolicy, book: PriceBook,
    tiers: Sequence[str] | None = None,
) -> Advice:  # fmt: skip
    """The moves of today.

    Args:
        fleet: the lake's files, one a group, day 0 today.
        uses: reads, past (negative days) and known.
        files: the same files.
        policy: the policy.
        book: prices.
        tiers: classes that files may go to; None: all that span more than one zone.
    """
    if not len(fleet):
        return Advice((), 0.0, 0.0, 0.0, 0)
    prices = charges(book, fleet, tiers)
    state = morning(fleet, uses)
    tier, why = _told(fleet, uses, policy, prices, state)
    for number, charge in enumerate(prices):
        # what is not allowed today stays where it is
        tier = np.where((tier == number) & ~allowed(policy, fleet, charge, 0), fleet.start, tier)
    names = [kind.name for kind in book.classes]
    moves = [
        (each.contract, Move(each.file.path, each.file.bytes, each.tier, names[tier[row]], each.file.sha256, why[row]))
        for row, each in enumerate(files)
        if tier[row] != fleet.start[row]
    ]
    moving = np.flatnonzero(tier != fleet.start)
    once = _at(prices, "leave", fleet.start)[moving].sum() + _at(prices, "enter", tier)[moving].sum()
    now, then = (_month(fleet, uses, policy, prices, state, where).sum() for where in (fleet.start, tier))
    return Advice(tuple(moves), float(now), float(then), float(once), len(files) - len(moves))


def _told(
    fleet: Fleet, uses: Uses, policy: TieringPolicy, prices: Sequence[Charge], state: State
) -> tuple[Ints, list[str]]:
    """The tier of each file, and why."""
    tier, by = chosen(policy, fleet, uses, prices, state)
    if policy.method is Method.RULES:
        minimum = np.array([charge.minimum for charge in prices])[fleet.start]
        held_back = (state.held < minimum) & policy.hold_minimum & (by != OTHERWISE)
        held_back &= ~np.array([*(r.when.expected_within_days is not None for r in policy.rules), False])[by]
        tier = np.where(held_back, fleet.start, tier)
    else:
        planned = ahead(fleet, uses, prices, policy, state, np.arange(len(fleet)), keep=1)[:, 0]
        tier = np.where(by == OTHERWISE, planned, tier)
    wait = next_use(state, len(fleet), uses)
    return tier, [_why(policy, int(number), int(days)) for number, days in zip(by, wait, strict=True)]


def _why(policy: TieringPolicy, rule: int, wait: int) -> str:
    if rule != OTHERWISE:
        said = policy.rules[rule]
        return f"rule {said.name}" + (f": {said.why}" if said.why else "")
    if policy.method is Method.RULES:
        return "no rule fits"
    known = "no use is known" if wait >= NEVER else f"the next known use is in {wait} days"
    return f"{known}; cheapest over the next {policy.lookahead_days} days"


def _month(
    fleet: Fleet, uses: Uses, policy: TieringPolicy, prices: Sequence[Charge], state: State, where: Ints
) -> Floats:
    reads, trainings = rates(fleet, state, policy)
    rows, idle = np.arange(len(fleet)), -state.last_read
    cost = np.stack([
        stage_at(charge, idle) + (reads + trainings) * charge.reading(rows, fleet.files, fleet.bytes)
        for charge in prices
    ])  # fmt: skip
    return cost[where, rows] * MONTH


def _at(prices: Sequence[Charge], name: str, where: Ints) -> Floats:
    return np.stack([getattr(charge, name) for charge in prices])[where, np.arange(len(where))]
