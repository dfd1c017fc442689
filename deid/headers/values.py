"""Single values: whether a number is a number, and what becomes of ages, dates and times of day.

Belongs here: checks and arithmetic on one raw value. Which element is treated how is `deid.headers.headers`.
"""

import datetime as dt
import re
import string
import struct

_BINARY_WIDTH = {"US": 2, "SS": 2, "AT": 4, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8}
_FLOATS = {"FL": "<f", "FD": "<d"}
_MAGNITUDES = (1e-15, 1e15)
_TEXT_BYTES = 4
_PRINTABLE = frozenset(range(0x20, 0x7F))
_WORD_BYTES = frozenset((string.ascii_letters + string.digits + " ").encode())
_DECIMAL = re.compile(rb"[+-]?(?:\d{1,24}\.?\d{0,24}|\.\d{1,24})(?:[eE][+-]?\d{1,3})?")
_INTEGER = re.compile(rb"[+-]?\d{1,10}")
"""IS lies between -2^31 and 2^31 - 1 (PS3.5 6.2): ten digits."""
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DATE = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?")
_MOMENT = re.compile(r"(\d{8})(?:(\d{2,6})(?:\.(\d{1,6}))?)?(?:[+-]\d{4})?")
_DAY = 24 * 3600


def number(vr: str, value: bytes, most: int) -> bytes | None:
    """The value, if it is numbers of this value representation and no more than it may hold; None otherwise."""
    if not value:
        return value
    if width := _BINARY_WIDTH.get(vr):
        fits = len(value) % width == 0 and len(value) // width <= most
        return value if fits and not _disguised(vr, value) else None
    pattern = _INTEGER if vr == "IS" else _DECIMAL
    parts = [part.strip(b" \0") for part in value.split(b"\\")]
    if len(parts) > most or not all(not part or pattern.fullmatch(part) for part in parts):
        return None
    return b"\\".join(parts)


def words(value: bytes, among: frozenset[bytes], most: int) -> bytes | None:
    """The value, if it is words of a closed list and no more than it may hold; None otherwise."""
    parts = [part.strip(b" \0") for part in value.split(b"\\")]
    return b"\\".join(parts) if len(parts) <= most and all(not part or part in among for part in parts) else None


def _disguised(vr: str, value: bytes) -> bool:
    """Whether binary numbers look like text, as they do where a file gives text a numeric element's number.

    Integers of four bytes or more that are all printable would be beyond half a billion, or pairs beyond 8,000;
    floating point numbers must be of a magnitude that something measured can have.
    """
    if vr not in _FLOATS:
        return len(value) >= _TEXT_BYTES and _PRINTABLE.issuperset(value)
    numbers = (abs(x) for (x,) in struct.iter_unpack(_FLOATS[vr], value))
    if not all(x == 0 or _MAGNITUDES[0] < x < _MAGNITUDES[1] for x in numbers):
        return True
    return len(value) >= 2 * _TEXT_BYTES and _WORD_BYTES.issuperset(value)


def age(text: str, cap: int) -> str | None:
    """An age string (PS3.5 AS) with years above the cap aggregated to cap + 1; None if it is none."""
    match = _AGE.fullmatch(text)
    if not match:
        return None
    count, unit = int(match[1]), match[2]
    return f"{min(count, cap + 1):03d}Y" if unit == "Y" else f"{count:03d}{unit}"


def age_at(birth: str, study: str, cap: int) -> str | None:
    """The age at a study from two DICOM dates, in months below two years; None if either is none."""
    born, day = _day(birth), _day(study)
    if born is None or day is None or day < born:
        return None
    months = (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)
    return f"{months:03d}M" if months < 24 else age(f"{min(months // 12, 999):03d}Y", cap)


def date(text: str, days: int | None) -> str | None:
    """A date moved by some days, or, for None days, the first of January of its year; None if it is no date."""
    day = _day(text)
    if day is None:
        return None
    if days is None:
        return f"{day.year:04d}0101"
    try:
        moved = day + dt.timedelta(days)
    except OverflowError:
        return None
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"


def time(text: str, seconds: int) -> str | None:
    """A time of day moved by whole seconds, fraction kept, around midnight if need be; None if it is no time.

    A time given to the hour or minute counts from its start.
    """
    match = _TIME.fullmatch(text)
    if not match:
        return None
    hours, minutes, second = (int(part or 0) for part in match.groups()[:3])
    if hours > 23 or minutes > 59 or second > 60:
        return None
    moved = (hours * 3600 + minutes * 60 + second + seconds) % _DAY
    clock = f"{moved // 3600:02d}{moved // 60 % 60:02d}{moved % 60:02d}"
    return f"{clock}.{match[4]}" if match[4] else clock


def moment(text: str, days: int | None, seconds: int) -> str | None:
    """A date with a time of day (PS3.5 DT), both moved; the offset from UTC, which says where it was, is dropped."""
    match = _MOMENT.fullmatch(text)
    if not match:
        return None
    day = date(match[1], days)
    if day is None or not match[2]:
        return day
    clock = time(match[2] + (f".{match[3]}" if match[3] else ""), seconds)
    return None if clock is None else day + clock


def _day(text: str) -> dt.date | None:
    match = _DATE.fullmatch(text)
    if not match:
        return None
    try:
        return dt.date(*(int(part) for part in match.groups()))
    except ValueError:
        return None
