"""What was decided about elements, and counting it.

Belongs here: the words decisions are written in. Deciding is `deid.headers.manners` and `deid.headers.treatment`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

POLICY, CHECK, VAULT = "policy", "value check", "vault"
UNNAMED = "not-named"
"""Rule that decisions quote for what no rule names."""
FULL = 1 << 12
"""Sets of decisions that a ledger holds before it is time for a new one."""
_KINDS = {
    "PN": "name", "DA": "date", "DT": "date", "TM": "date", "UI": "uid", "SQ": "sequence", "CS": "code", "AS": "number",
    "OB": "binary", "OW": "binary", "OD": "binary", "OF": "binary", "OL": "binary", "OV": "binary", "UN": "binary",
    "SH": "text", "LO": "text", "ST": "text", "LT": "text", "UT": "text", "UC": "text", "AE": "text", "UR": "text",
}  # fmt: skip


class Decision(NamedTuple):
    """What was done to an element; the columns of `schemas.tables.DECISIONS`, never a value."""

    element: str
    rule: str
    action: str
    kind: str
    detector: str | None
    score: float | None


class Ledger:
    """Sets of decisions as small numbers.

    The files of a series make the same decisions in the same order, so counting those of a file is one look-up.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._counts: list[Mapping[Decision, int]] = []
        self._single: dict[tuple[Decision, ...], int] = {}
        self._merged: dict[tuple[int, ...], int] = {}

    @property
    def full(self) -> bool:
        """Whether it holds more than it should; a new one must be begun, because its numbers stay valid."""
        return len(self._counts) > FULL

    def number(self, decisions: tuple[Decision, ...]) -> int:
        """The number of these decisions."""
        known = self._single.get(decisions)
        if known is None:
            known = self._single[decisions] = self._new(Counter(decisions))
        return known

    def merged(self, numbers: Iterable[int]) -> int:
        """The number of all decisions behind these numbers."""
        key = tuple(numbers)
        known = self._merged.get(key)
        if known is None:
            total: Counter[Decision] = Counter()
            for number, times in Counter(key).items():
                for decision, count in self._counts[number].items():
                    total[decision] += count * times
            known = self._merged[key] = self._new(total)
        return known

    def counted(self, number: int) -> Counter[Decision]:
        """The decisions behind a number, and how often each was made; the caller's own."""
        return Counter(self._counts[number])

    def _new(self, counts: Mapping[Decision, int]) -> int:
        self._counts.append(counts)
        return len(self._counts) - 1


def kind_of_value(vr: str) -> str:
    """What decisions call values of a value representation."""
    return _KINDS.get(vr, "number")


@cache
def standard_place(tag: int) -> str:
    """An element's number as decisions write it."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def private_place(group: int, number: int, creator: str, known: frozenset[str]) -> str:
    """A private element's number with its creator; a creator nobody knows may be anything and is not written."""
    name = creator if creator in known or creator in _vendors() else "unknown creator"
    return f"({group:04X},xx{number & 0xFF:02X} {name})" if number > 0xFF else f"({group:04X},{number:04X})"


@cache
def _vendors() -> frozenset[str]:
    from pydicom._private_dict import private_dictionaries

    return frozenset(private_dictionaries)
