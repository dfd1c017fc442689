"""The price book applied to file groups: what each group costs a day in each class, to enter, to read and to leave.

Belongs here: the arithmetic of the model. A month is a twelfth of 365 days. A file moves by a copy (as the mover does),
so that entering is a write of the new class, and leaving pays the retrieval of the old one. A class with a minimum
duration is paid in full for it on leaving earlier. What is read in an archive is restored for a day in the first class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.tiering.fleet import NEVER, Fleet, Floats, Ints
from schemas.prices import PriceBook, StorageClass

MONTH = 365 / 12
"""Days of a month, so that a year has twelve."""


@dataclass(frozen=True)
class Stage:
    """A stretch of a stay in a class.

    Attributes:
        days: how long it is; `NEVER` for the last.
        daily: (groups,) cost of a day.
    """

    days: int
    daily: Floats


@dataclass(frozen=True)
class Charge:
    """What groups pay in one class; arrays have shape (groups,).

    Attributes:
        kind: the class.
        stages: stretches of a stay without a read; more than one where the class lowers its price by itself.
        minimum: days that are paid at least.
        enter: a move into it.
        leave: a move out of it, besides what the new class asks.
        restore: reading everything once in an archive; 0 where it can be read at once.
        per_request: price of a read request.
        per_byte: price of a byte read.
        open: whether a group may enter, on any day.
        archive: whether only spare groups may.
    """

    kind: StorageClass
    stages: Sequence[Stage]
    minimum: int
    enter: Floats
    leave: Floats
    restore: Floats
    per_request: float
    per_byte: float
    open: NDArray[np.bool_]
    archive: bool

    @property
    def prepaid(self) -> Floats:
        """The minimum duration, paid on entering; the days that it covers then cost nothing."""
        return self.minimum * self.stages[0].daily

    def reading(self, groups: Ints, requests: Floats, size: Floats) -> Floats:
        """What reads cost.

        Args:
            groups: which group each is of.
            requests: requests of each.
            size: bytes of each.
        """
        if self.archive:
            return self.restore[groups]
        return requests * self.per_request + size * self.per_byte

    def take(self, rows: Ints) -> "Charge":
        """Those of some groups."""
        arrays: dict[str, Any] = {
            name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, stages=[Stage(stage.days, stage.daily[rows]) for stage in self.stages], **arrays)


def charges(book: PriceBook, fleet: Fleet, tiers: Sequence[str] | None = None) -> list[Charge]:
    """What a fleet pays in each class of a book, in the order of the book.

    Args:
        book: prices.
        fleet: the groups.
        tiers: classes that groups may enter; None: all that span more than one zone.
    """
    wanted = {kind.name for kind in book.classes if not kind.single_zone} if tiers is None else set(tiers)
    return [_charge(book, kind, fleet, kind.name in wanted) for kind in book.classes]


def stage_at(charge: Charge, idle: Ints) -> Floats:
    """Cost of a day for groups that have been in a class, unread, for so many days."""
    daily, before = charge.stages[0].daily.copy(), charge.stages[0].days
    for stage in charge.stages[1:]:
        daily = np.where(idle >= before, stage.daily, daily)
        before += stage.days
    return daily


def _charge(book: PriceBook, kind: StorageClass, fleet: Fleet, open_: bool) -> Charge:
    gb, standard = book.bytes_per_gb, book.classes[0].per_gb_month
    size = fleet.bytes / fleet.files
    watched = kind.monitoring_per_1000 / 1000
    overhead = kind.overhead_standard_bytes / gb * standard
    if kind.falls:
        small = size < kind.minimum_bytes
        prices = [kind.per_gb_month, *(fall.per_gb_month for fall in kind.falls)]
        daily = [
            fleet.files * (size / gb * np.where(small, kind.per_gb_month, price) + np.where(small, 0, watched)) / MONTH
            for price in prices
        ]
        starts = [0, *(fall.after_days for fall in kind.falls)]
        days = [*np.diff(starts).tolist(), NEVER]
        stages = [Stage(int(n), cost) for n, cost in zip(days, daily, strict=True)]
    else:
        billed = np.maximum(size, kind.minimum_bytes) + kind.overhead_bytes
        stages = [Stage(NEVER, fleet.files * (billed / gb * kind.per_gb_month + watched + overhead) / MONTH)]
    retrieval = fleet.bytes / gb * kind.retrieval_per_gb
    request = 0.0 if kind.immediate else kind.get_per_1000 / 1000
    restored = retrieval + fleet.files * request + fleet.bytes / gb * standard / MONTH
    count = len(fleet)
    return Charge(
        kind=kind,
        stages=stages,
        minimum=kind.minimum_days,
        enter=fleet.files * kind.put_per_1000 / 1000,
        leave=retrieval + fleet.files * request,
        restore=np.zeros(count) if kind.immediate else restored,
        per_request=kind.get_per_1000 / 1000,
        per_byte=kind.retrieval_per_gb / gb,
        open=np.full(count, open_),
        archive=not kind.immediate,
    )
