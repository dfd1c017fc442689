"""Ways of keeping a fleet, side by side: what each costs, and how it compares with the optimum and with one class.

Belongs here: which ways are compared, and the table. The plot is `lake.tiering.plot`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lake.tiering.charges import Charge, charges
from lake.tiering.costs import Bill, Schedule, bill, kept_in
from lake.tiering.fleet import Fleet, Uses
from lake.tiering.online import break_even, foresight
from lake.tiering.optimum import optimum
from lake.tiering.rules import by_rules
from lake.tiering.state import walk
from schemas.prices import PriceBook
from schemas.tiering import Method, TieringPolicy

TODAY, STANDARD, RENTAL, OPTIMUM = "today's layout", "all in the first class", "break-even", "optimum"
BY_ITSELF = "class that falls by itself"


@dataclass(frozen=True)
class Comparison:
    """What ways of keeping a fleet cost.

    Attributes:
        bills: way to its costs.
        days: days that were replayed.
        groups: file groups.
        currency: currency of the costs.
    """

    bills: Mapping[str, Bill]
    days: int
    groups: int
    currency: str

    def ratio(self, way: str, base: str) -> float:
        """Cost of a way as a multiple of another's; 1 where both cost nothing."""
        total, other = self.bills[way].total, self.bills[base].total
        return total / other if other else 1.0 if not total else float("inf")

    def rows(self) -> list[dict[str, Any]]:
        """A row a way, the dearest first."""
        order = sorted(self.bills, key=lambda way: -self.bills[way].total)
        return [
            {
                "way": way,
                **{name: round(value, 4) for name, value in self.bills[way].as_dict().items()},
                "of_first_class": round(self.ratio(way, STANDARD), 3),
                "of_optimum": round(self.ratio(way, OPTIMUM), 3),
            }
            for way in order
        ]


def compare(
    fleet: Fleet, uses: Uses, book: PriceBook, policies: Sequence[TieringPolicy], days: int,
    tiers: Sequence[str] | None = None,
) -> Comparison:  # fmt: skip
    """Replay a stretch of use under every way of keeping files.

    Args:
        fleet: the groups.
        uses: reads of all its days; those of days below 0 are history.
        book: prices.
        policies: policy documents.
        days: days.
        tiers: classes that groups may enter; None: all that span more than one zone.
    """
    uses = uses.merged()
    prices = charges(book, fleet, tiers)
    played = uses.where((uses.day >= 0) & (uses.day < days))
    schedules = ways(fleet, uses, prices, policies, days)
    bills = {way: bill(schedule, fleet, played, prices) for way, schedule in schedules.items()}
    return Comparison(bills, days, len(fleet), book.currency)


def ways(
    fleet: Fleet, uses: Uses, prices: Sequence[Charge], policies: Sequence[TieringPolicy], days: int
) -> dict[str, Schedule]:
    """The schedule of every way of keeping files; reads are those of `compare`, merged."""
    schedules: dict[str, Schedule] = {TODAY: kept_in(fleet, days, np.where(fleet.born < 0, fleet.start, 0))}
    schedules[STANDARD] = kept_in(fleet, days, 0)
    for number, price in enumerate(prices):
        if price.kind.falls and price.open.any():
            schedules[f"{BY_ITSELF}: {price.kind.name}"] = kept_in(fleet, days, number)
    plain = TieringPolicy(name="plain", title="no rules", method=Method.FORESIGHT)
    schedules[RENTAL] = walk(fleet, uses, days, break_even(fleet, uses, prices, plain))
    for policy in policies:
        schedules[policy.name] = followed(policy, fleet, uses, prices, days)
    schedules[OPTIMUM] = optimum(fleet, uses.where((uses.day >= 0) & (uses.day < days)), prices, days)
    return schedules


def followed(policy: TieringPolicy, fleet: Fleet, uses: Uses, prices: Sequence[Charge], days: int) -> Schedule:
    """The schedule of a policy document."""
    decide = (
        by_rules(policy, fleet, uses, prices)
        if policy.method is Method.RULES
        else foresight(fleet, uses, prices, policy, days)
    )
    return walk(fleet, uses, days, decide)
