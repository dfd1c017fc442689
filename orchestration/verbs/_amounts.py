"""Amounts as people read them.

Belongs here: bytes, days and money as text. Scripts get the numbers themselves (`--json`).
"""

import datetime as dt

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(number: float) -> str:
    """Bytes in the unit that leaves one to four digits before the point."""
    unit = 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 or number >= 100 else f"{number:.1f} {_UNITS[unit]}"


def days(since: dt.datetime | None, now: dt.datetime) -> str:
    """Whole days since a time; a dash where there is none."""
    return "-" if since is None else f"{max(0, (now - since).days)} d"


def money(amount: float) -> str:
    """An amount with cents; what is less than one and not nothing says so."""
    return "<0.01" if 0 < amount < 0.01 else f"{amount:,.2f}"


def many(number: int, one: str, more: str | None = None) -> str:
    """A count and its word."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
