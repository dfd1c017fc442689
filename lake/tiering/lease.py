"""One mover at a time on S3, where no lock of an operating system reaches: a lease that a dead process loses.

Belongs here: taking, renewing and giving up a lease by conditional puts alone. Leases are numbered objects, and the
highest number holds; who takes over makes the next number, which the store lets one caller do. Age goes by the store's
own time of change.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator

from lake.stores.storage import Location

LASTS_S = 1800.0
"""Seconds without renewal from which a lease is nobody's. A batch takes minutes, and S3 refuses callers whose clock is
more than 15 minutes off (RequestTimeTooSkewed), so none takes a lease that was renewed in the last quarter hour."""

_NAME, _DIGITS = "lease-", 12
_HELD, _FREE = b"held", b"free"


class Taken(RuntimeError):
    """Another process holds the lease, or took it over."""


def clock() -> dt.datetime:
    """The time."""
    return dt.datetime.now(dt.UTC)


@contextlib.contextmanager
def held(folder: Location, now: Callable[[], dt.datetime] = clock) -> Iterator[Callable[[], None]]:
    """Hold the lease of a folder.

    Args:
        folder: a prefix of S3.
        now: the time.

    Yields:
        Renews the lease, to be called before each step of some minutes; raises `Taken` where another took it over.

    Raises:
        Taken: if another process holds it.
        lake.stores.objects.UnsafeStore: if the store cannot tell which of two callers came first.
    """
    before = _numbers(folder)
    newest = max(before, default=0)
    if before and not _is_free(folder, newest, now()):
        raise Taken
    own = newest + 1
    try:
        folder.create(_name(own), _HELD)
    except FileExistsError:
        raise Taken from None

    def renew() -> None:
        if max(_numbers(folder), default=0) != own:
            raise Taken
        folder.write_bytes(_name(own), _HELD)

    try:
        renew()  # a caller that was slow may have made a number that others have long left behind
        for number in before:
            folder.delete(_name(number))
        yield renew
    finally:
        # kept, so that numbers only grow; where another took over, its own number is the highest
        folder.write_bytes(_name(own), _FREE)


def _numbers(folder: Location) -> list[int]:
    names = (name.removeprefix(_NAME) for name in folder.list() if name.startswith(_NAME))
    return sorted(int(name) for name in names if name.isdecimal())


def _name(number: int) -> str:
    return f"{_NAME}{number:0{_DIGITS}}"


def _is_free(folder: Location, number: int, now: dt.datetime) -> bool:
    try:
        about = folder.about(_name(number))
        return (now - about.changed).total_seconds() > LASTS_S or folder.read_bytes(_name(number)) == _FREE
    except FileNotFoundError:
        return False  # another has taken over just now
