"""What is kept and how it is used, as arrays: file groups from their birth to their end, and reads by day.

Belongs here: the planner's input. Days count from 0, the first day that is planned; a group is one file, or several
files of one size that are always treated alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEVER = 1 << 30
"""A day that does not come."""


@dataclass(frozen=True)
class Fleet:
    """File groups; every array has shape (groups,).

    Attributes:
        tables: names of tables.
        table: index into `tables`.
        licences: names of licences.
        licence: index into `licences`.
        batch: groups of one number are used alike, so that what is seen of one is expected of the others.
        bytes: size of the group.
        files: number of files in it, all of one size.
        born: day it is written; negative: it is there, and so many days old.
        end: first day that it is there no more; `NEVER`.
        end_known: day from which its end is known; `NEVER`: it comes as a surprise.
        spare: day from which no live version and no release needs it, so that it may be archived; `NEVER`.
        licence_end: last day of its licence; `NEVER`.
        start: class that it is in on day 0, as an index into the price book; 0 for what is written later.
        held: days that it has been in that class.
        last_read: day it was last read before day 0; its birth where nobody did.
    """

    tables: Sequence[str]
    table: Ints
    licences: Sequence[str]
    licence: Ints
    batch: Ints
    bytes: Floats
    files: Floats
    born: Ints
    end: Ints
    end_known: Ints
    spare: Ints
    licence_end: Ints
    start: Ints
    held: Ints
    last_read: Ints

    def __len__(self) -> int:
        """Number of groups."""
        return len(self.table)

    def take(self, rows: Ints) -> "Fleet":
        """The groups at these places."""
        arrays: dict[str, Any] = {
            name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, **arrays)

    @classmethod
    def of(cls, size: Floats, files: Floats | float = 1.0, **facts: object) -> "Fleet":
        """Groups of these sizes; what is not said is that of a needed file in the first class, there on day 0, alone.

        Args:
            size: bytes of each group.
            files: files of each.
            facts: other attributes, as arrays or numbers.
        """
        count = len(size)
        ints: dict[str, int | Ints] = {
            "table": 0, "licence": 0, "batch": np.arange(count), "born": -1, "end": NEVER, "end_known": NEVER,
            "spare": NEVER, "licence_end": NEVER, "start": 0, "held": 1,
        }  # fmt: skip
        told = {name: np.broadcast_to(np.asarray(facts.get(name, usual), np.int64), count).copy()
                for name, usual in ints.items()}  # fmt: skip
        read = np.asarray(facts.get("last_read", told["born"]), np.int64)
        return cls(
            tables=list(facts.get("tables", ["table"])),  # type: ignore[call-overload]
            licences=list(facts.get("licences", [""])),  # type: ignore[call-overload]
            bytes=np.asarray(size, np.float64),
            files=np.broadcast_to(np.asarray(files, np.float64), count).copy(),
            last_read=np.broadcast_to(read, count).copy(),
            **told,
        )


@dataclass(frozen=True)
class Uses:
    """Reads, one entry a group and day; every array has shape (reads,).

    Attributes:
        group: which group.
        day: when.
        requests: requests it took.
        bytes: bytes that were read.
        known: day from which it was known that it would come; later than `day`: nobody announced it.
    """

    group: Ints
    day: Ints
    requests: Floats
    bytes: Floats
    known: Ints

    @classmethod
    def none(cls) -> "Uses":
        """No reads."""
        empty, ints = np.zeros(0), np.zeros(0, np.int64)
        return cls(ints, ints, empty, empty, ints)

    @property
    def announced(self) -> NDArray[np.bool_]:
        """Whether each was known before the day's decision."""
        return self.known <= self.day

    def where(self, chosen: NDArray[np.bool_]) -> "Uses":
        """Those that are chosen."""
        return Uses(*(getattr(self, name)[chosen] for name in ("group", "day", "requests", "bytes", "known")))

    def of(self, rows: Ints, groups: int, first_day: int = 0) -> "Uses":
        """Reads of some groups, which get the numbers of their places in `rows`, days counted from `first_day`."""
        place = np.full(groups, -1, np.int64)
        place[rows] = np.arange(len(rows))
        mine = self.where(place[self.group] >= 0)
        return replace(mine, group=place[mine.group], day=mine.day - first_day, known=mine.known - first_day)

    def merged(self) -> "Uses":
        """One entry a group and day; it was known when all of it was."""
        if not len(self.group):
            return self
        order = np.lexsort((self.day, self.group))
        first = np.flatnonzero(np.r_[True, (np.diff(self.group[order]) != 0) | (np.diff(self.day[order]) != 0)])
        return Uses(
            self.group[order][first],
            self.day[order][first],
            np.add.reduceat(self.requests[order], first),
            np.add.reduceat(self.bytes[order], first),
            np.maximum.reduceat(self.known[order], first),
        )

    @cached_property
    def by_day(self) -> dict[int, NDArray[np.int64]]:
        """Day to the places of its reads."""
        order = np.argsort(self.day, kind="stable")
        days, first = np.unique(self.day[order], return_index=True)
        return dict(zip(days.tolist(), np.split(order, first[1:]), strict=True)) if len(days) else {}
