"""How a step ends that cannot go on: with what was found and what to do, and with nothing that a file said.

Belongs here: from an exception to the failure that the UI, the terminal and an alert show. What our rooms raise is
written for people and is passed on. What a library raises may quote a value of a file, so its words are left out and
its class and the lines of code it came through are kept.
"""

import functools
import inspect
import linecache
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import dagster as dg

from assets.shortage import lacking
from schemas.rooms import ROOMS

OURS = "explained"
"""Metadata of a failure whose description was written by Larmor, and so holds no value of a file."""

Work = TypeVar("Work", bound=Callable[..., object])


def is_ours(error: BaseException) -> bool:
    """Whether an error's words were written in one of our rooms: a class of theirs, or a builtin one raised there."""
    if type(error).__module__.split(".")[0] in ROOMS:
        return True
    *_, last = [None, *traceback.walk_tb(error.__traceback__)]
    if type(error).__module__ != "builtins" or last is None:
        return False
    room = str(last[0].f_globals.get("__name__", "")).split(".")[0]
    # int("x") fails in a line of ours too, and quotes what it was given; only a line that raises speaks for itself
    line = linecache.getline(last[0].f_code.co_filename, last[1]).strip()
    return room in ROOMS and line.startswith("raise ")


def explained(work: Work) -> Work:
    """Make a step fail with a message that names the remedy; no such failure is retried.

    Only a process that is lost, and with it its exception, may be tried again: what is wrong with data, terms or code
    is wrong at the second try too.

    Args:
        work: the function of an asset or a check, which Dagster's decorator takes from here.
    """

    @functools.wraps(work)
    def whole(*arguments: object, **named: object) -> object:
        with _remedied():
            return work(*arguments, **named)

    @functools.wraps(work)
    def piecewise(*arguments: object, **named: object) -> Iterator[object]:
        with _remedied():
            yield from work(*arguments, **named)  # type: ignore[misc]  # a generator function, as was asked

    return piecewise if inspect.isgeneratorfunction(work) else whole  # type: ignore[return-value]


@contextmanager
def _remedied() -> Iterator[None]:
    """Turn an exception into a failure; Dagster's own, such as a stopped run, are Dagster's to tell."""
    try:
        yield
    except Exception as error:
        if isinstance(error, dg.Failure) or type(error).__module__.split(".")[0].startswith("dagster"):
            raise
        raise _failure(error) from None


def _failure(error: Exception) -> dg.Failure:
    if lacks := lacking(str(error)):
        return told(lacks)
    if is_ours(error):
        return told(str(error))
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    # a system's error names a file, and a file's name may name a person; its number does not
    what = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
    return told(
        f"found an error that Larmor does not know ({what}), needed none; run larmor doctor, and if it finds nothing, "
        "report the class and the lines of code below, which hold no value of a file",
        lines=dg.MetadataValue.md("\n".join(f"- {line}" for line in where)),
    )


def told(description: str, **metadata: object) -> dg.Failure:
    """A failure in words that may leave the house, which is not to be tried again."""
    return dg.Failure(description, metadata={OURS: True, **metadata}, allow_retries=False)  # type: ignore[dict-item]
