"""From an element's raw bytes to a Python value, with errors that name the element and never quote the value.

Belongs here: decoding by value representation. Which elements are read, and what they mean, is
`imaging.headers.reading`.
"""

import math
import struct
import warnings
from collections.abc import Mapping
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes

from imaging.errors import ImagingError
from schemas.reasons import Reason

CHARACTER_SET = 0x00080005
MAX_VALUES = 4096
"""More values than this in one decimal string are a defect, not a measurement."""


class Values:
    """Typed access to raw element values.

    Args:
        raw: tag (group << 16 | element) to raw bytes.
        little: whether binary numbers are little-endian.

    Every method returns None, an empty string or an empty tuple where the element is absent or empty, and raises
    ImagingError (HEADER_INVALID) naming the element where its value cannot be decoded or is not finite.
    """

    __slots__ = ("_order", "_raw")

    def __init__(self, raw: Mapping[int, bytes], little: bool = True) -> None:
        """See the class."""
        self._raw = raw
        self._order = "<" if little else ">"

    def __contains__(self, tag: int) -> bool:
        """Whether the element is there, empty or not."""
        return tag in self._raw

    def raw(self, tag: int) -> bytes:
        """The bytes without padding; empty where absent."""
        return self._raw.get(tag, b"").strip(b"\0 ")

    def raw_bytes(self, tag: int) -> bytes:
        """The bytes as they are; empty where absent."""
        return self._raw.get(tag, b"")

    def text(self, tag: int) -> str:
        """A string, decoded by Specific Character Set (0008,0005); what cannot be decoded is replaced."""
        raw = self.raw(tag)
        if raw.isascii() and b"\x1b" not in raw:
            return raw.decode("ascii")
        names = [part.decode("ascii", "replace") for part in self.raw(CHARACTER_SET).split(b"\\")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings about character sets quote the value
            return str(decode_bytes(raw, convert_encodings(names), set(b"\\^=")))

    def words(self, tag: int) -> tuple[str, ...]:
        """A multi-valued code string, in upper case."""
        raw = self.raw(tag)
        return tuple(part.strip() for part in raw.decode("latin-1").upper().split("\\")) if raw else ()

    def numbers(self, tag: int, count: int = 0) -> tuple[float, ...]:
        """A decimal string of `count` numbers; 0: however many there are."""
        raw = self._raw.get(tag)
        if not raw or not (raw := raw.strip(b"\0 ")):
            return ()
        numbers = _remembered(raw) if len(raw) <= _SHORT else _decimals(raw)
        if numbers is None:
            raise invalid(tag, "no decimal string")
        return self._checked(tag, numbers, count)

    def number(self, tag: int) -> float | None:
        """The first number of a decimal string."""
        numbers = self.numbers(tag)
        return numbers[0] if numbers else None

    def integer(self, tag: int) -> int | None:
        """The first number of an integer string; `7.0` is read as 7, since scanners write it."""
        number = self.number(tag)
        if number is None:
            return None
        if not number.is_integer():
            raise invalid(tag, "a fraction")
        return int(number)

    def short(self, tag: int) -> int | None:
        """An unsigned 16-bit integer."""
        raw = self._raw.get(tag, b"")
        if not raw:
            return None
        if len(raw) < 2:
            raise invalid(tag, "fewer than two bytes")
        value: int = struct.unpack_from(self._order + "H", raw)[0]
        return value

    def shorts(self, tag: int, count: int = 0) -> tuple[float, ...]:
        """Unsigned 16-bit integers."""
        return self._binary(tag, "H", 2, count)

    def long(self, tag: int) -> int | None:
        """An unsigned 32-bit integer."""
        raw = self._raw.get(tag, b"")
        if not raw:
            return None
        if len(raw) < 4:
            raise invalid(tag, "fewer than four bytes")
        value: int = struct.unpack_from(self._order + "I", raw)[0]
        return value

    def longs(self, tag: int) -> tuple[float, ...]:
        """Unsigned 32-bit integers."""
        return self._binary(tag, "I", 4, 0)

    def doubles(self, tag: int, count: int = 0) -> tuple[float, ...]:
        """64-bit floating point numbers."""
        return self._binary(tag, "d", 8, count)

    def floats(self, tag: int, count: int = 0) -> tuple[float, ...]:
        """32-bit floating point numbers."""
        return self._binary(tag, "f", 4, count)

    def seconds(self, tag: int) -> float | None:
        """A time of day in seconds (TM: HHMMSS.FFFFFF, shortened from the right; the older HH:MM:SS too)."""
        raw = self.raw(tag).replace(b":", b"")
        return self._time(tag, raw) if raw else None

    def moment(self, tag: int) -> tuple[float, ...]:
        """The time of day of a date with time (DT: YYYYMMDDHHMMSS.FFFFFF&ZZXX) in seconds; empty where it has none."""
        time = self.raw(tag)[8:].partition(b"+")[0].partition(b"-")[0]
        return (self._time(tag, time),) if time else ()

    @staticmethod
    def _time(tag: int, raw: bytes) -> float:
        whole, _, fraction = raw.partition(b".")
        if not whole.isdigit() or len(whole) not in (2, 4, 6) or (fraction and not fraction.isdigit()):
            raise invalid(tag, "no time of day")
        hours, minutes, rest = int(whole[:2]), int(whole[2:4] or 0), int(whole[4:6] or 0)
        return hours * 3600.0 + minutes * 60.0 + rest + (float(b"0." + fraction) if fraction else 0.0)

    def years(self, tag: int) -> int | None:
        """An age in whole years (AS: nnnD, nnnW, nnnM, nnnY); None where it is none, since no image depends on it."""
        count, unit = self.raw(tag)[:-1], self.raw(tag)[-1:].upper()
        return int(int(count) / _PER_YEAR[unit]) if count.isdigit() and unit in _PER_YEAR else None

    def _binary(self, tag: int, code: str, size: int, count: int) -> tuple[float, ...]:
        raw = self._raw.get(tag, b"")
        if not raw:
            return ()
        if len(raw) % size or len(raw) > size * MAX_VALUES:
            raise invalid(tag, "a wrong length")
        return self._checked(tag, struct.unpack(f"{self._order}{len(raw) // size}{code}", raw), count)

    @staticmethod
    def _checked(tag: int, numbers: tuple[float, ...], count: int) -> tuple[float, ...]:
        if count and len(numbers) != count:
            raise invalid(tag, f"{len(numbers)} values", f"{count}")
        if not all(map(math.isfinite, numbers)):
            raise invalid(tag, "a number that is not finite")
        return numbers


_PER_YEAR = {b"Y": 1.0, b"M": 12.0, b"W": 52.1775, b"D": 365.2425}


_SHORT = 64
"""Longest decimal string that is remembered, bytes."""


def _decimals(raw: bytes) -> tuple[float, ...] | None:
    """The numbers of a decimal string; None where it is none."""
    parts = raw.split(b"\\")
    if b"_" in raw or len(parts) > MAX_VALUES:
        return None
    try:
        return tuple(map(float, parts))
    except ValueError:
        return None


_remembered = lru_cache(maxsize=4096)(_decimals)
"""Most numbers repeat from slice to slice, and those that count slices from series to series."""


def invalid(tag: int, found: str, needed: str = "a valid value") -> ImagingError:
    """The error for an element that cannot be used; it names the element, never its value."""
    return ImagingError(
        Reason.HEADER_INVALID, f"found {found} in ({tag >> 16:04X},{tag & 0xFFFF:04X}), needed {needed}"
    )
