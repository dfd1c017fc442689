"""Identifying numbers where only numbers may stand: ids, phone numbers and dates, written, in binary, or as a count.

Belongs here: the shapes that a number can take in one raw value. Which values identify is `deid.text.identifiers`.
"""

import contextlib
import datetime as dt
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

SHORTEST_NUMBER = 6
"""A number with this many digits is looked for where only numbers may stand."""

_FORMS = {"UL": "<I", "SL": "<i", "UV": "<Q", "SV": "<q", "FL": "<f", "FD": "<d"}
_LONGEST_LIST = 16
"""Longer lists, as of outlines, hold numbers of many digits by the thousand; only whole ones are looked for there."""
_DIGITS = re.compile(rb"\d{6,}")
_DECIMALS = re.compile(rb"[+-]?0*(\d*)\.?(\d*?)0*(?:[eE]([+-]?\d+))?")
_EPOCH, _JULIAN = dt.date(1970, 1, 1).toordinal(), 1721424
"""Proleptic ordinal of the first day of Unix time, and what lies between such an ordinal and a Julian day number."""
_A_DAY, _FIRST_SECOND, _LAST_SECOND = 24 * 3600, 10**8, 1 << 32


@dataclass(frozen=True)
class Numbers:
    """A subject's numbers, ready to be compared with values.

    Attributes:
        written: as digits.
        packed: as the bytes of one number, by value representation.
        days: of dates, and the days beside them, since the beginning of Unix time; clocks stand in any time zone.
    """

    written: frozenset[bytes] = frozenset()
    packed: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    days: frozenset[int] = frozenset()

    @classmethod
    def of(cls, numbers: Iterable[str], dates: Iterable[str]) -> "Numbers":
        """The numbers of these digits; shorter ones stand in every header.

        Args:
            numbers: ids, dates and phone numbers, digits only.
            dates: of DICOM, `19710304`.
        """
        ordinals = {ordinal for date in dates if (ordinal := _ordinal(date))}
        julian = {str(ordinal + _JULIAN + before) for ordinal in ordinals for before in (0, 1)}
        long = {number for number in numbers if len(number) >= SHORTEST_NUMBER} | julian
        return cls(
            written=frozenset(number.encode() for number in long),
            packed={vr: frozenset(_packed(form, long)) for vr, form in _FORMS.items()},
            days=frozenset(ordinal - _EPOCH + beside for ordinal in ordinals for beside in (-1, 0, 1)),
        )

    def among(self, vr: str, value: bytes) -> bool:
        """Whether one of the numbers of a value is one of the subject's, as it is or as a count of seconds or days.

        Args:
            vr: value representation of numbers.
            value: raw little-endian bytes.
        """
        if not self.written or vr in {"US", "SS", "AT"}:  # no number of two bytes is long enough
            return False
        if form := _FORMS.get(vr):
            width = struct.calcsize(form)
            known = self.packed[vr]
            if any(value[at : at + width] in known for at in range(0, len(value), width)):
                return True
            return any(self._dated(number) for (number,) in struct.iter_unpack(form, value))
        if len(value) < SHORTEST_NUMBER and b"e" not in value.lower():
            return False
        parts = value.split(b"\\")
        if any(digits in self.written or self._dated(int(digits)) for digits in _DIGITS.findall(value)):
            return True
        return len(parts) <= _LONGEST_LIST and any(digits in self.written for digits in _spelt(parts))

    def _dated(self, number: float) -> bool:
        """Whether it is a moment of one of the days, in seconds or milliseconds of Unix time."""
        return any(
            _FIRST_SECOND <= seconds < _LAST_SECOND and int(seconds // _A_DAY) in self.days
            for seconds in (number, number / 1000)
        )


def _spelt(parts: list[bytes]) -> Iterator[bytes]:
    """The digits of numbers with a point or an exponent, and of all of them together."""
    if len(parts) > 1:
        yield b"".join(digit for part in parts for digit in re.findall(rb"\d+", part))
    for part in parts:
        match = _DECIMALS.fullmatch(part.strip())
        if match:
            yield match[1] + match[2]
            zeros = int(match[3] or 0) - len(match[2])
            if 0 <= zeros <= _LONGEST_LIST:
                yield match[1] + match[2] + b"0" * zeros


def _packed(form: str, numbers: Iterable[str]) -> Iterator[bytes]:
    whole = form[-1] not in "fd"
    for number in numbers:
        with contextlib.suppress(struct.error, OverflowError):
            yield struct.pack(form, int(number) if whole else float(number))


def _ordinal(date: str) -> int:
    try:
        return dt.datetime.strptime(date[:8], "%Y%m%d").date().toordinal()
    except ValueError:
        return 0
