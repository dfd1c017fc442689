"""Heads of explicit VR little endian elements, and runs of elements: what a process remembers of files it walked.

Belongs here: what is looked up. Walking a file is `deid.headers.walk`.
"""

import struct
from functools import cache
from typing import NamedTuple

from deid.headers.parsed import CHARACTER_SET, PIXELS, Element

WITH_SHORT_LENGTH, WITH_LONG_LENGTH, OTHER = range(3)
"""Forms: an element that is nothing but a value, its length in two bytes or in four; and every other."""
_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SV", "UC", "UN", "UR", "UT", "UV"})
_SHORT = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS"}
    | {"ST", "TM", "UI", "UL", "US"}
)
_MOST_HEADS, _MOST_RUNS = 1 << 16, 1 << 11


class Unusual(Exception):
    """Bytes that the standard does not foresee; a more patient reader may know what was meant."""


class Heads(dict[bytes, tuple[int, str, int]]):
    """Tag, value representation and form of an element by its first six bytes; each is worked out once a process."""

    def __missing__(self, head: bytes) -> tuple[int, str, int]:
        if len(head) < 6:
            raise Unusual
        group, number, vr = struct.unpack("<HH2s", head)
        tag = group << 16 | number
        form = self.form(vr.decode("latin-1"))
        if group in {0, 0xFFFE} or not number or tag == CHARACTER_SET or tag in PIXELS:
            form = OTHER
        if len(self) >= _MOST_HEADS:
            self.clear()
        known = self[head] = (tag, vr.decode("latin-1"), form)
        return known

    @staticmethod
    def form(vr: str) -> int:
        """How long the length of such elements is."""
        return WITH_LONG_LENGTH if vr in _LONG else WITH_SHORT_LENGTH if vr in _SHORT else OTHER


class Run(NamedTuple):
    """Elements that stood one after the other, and their bytes."""

    raw: bytes
    elements: list[Element]


class Runs(dict[bytes, Run]):
    """The last run that began with each six bytes: files of a series share most of their header."""

    def keep(self, head: bytes, run: Run) -> None:
        """Remember a run."""
        if len(self) >= _MOST_RUNS:
            self.clear()
        self[head] = run


@cache
def known_heads() -> Heads:
    """The heads that this process has met."""
    return Heads()


@cache
def known_runs() -> Runs:
    """The runs that this process has met."""
    return Runs()
