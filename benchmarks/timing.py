"""Timing two or more ways of doing one thing, in turn, so that a machine's drift touches all alike."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

ROUNDS = 5


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and what it starts, on one core; where the system cannot, nothing is pinned."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def rates(ways: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Things done a second, for each way and round; each way returns how many it did."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # warm: caches of the file system and of the interpreter
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            done = way()
            found[name].append(done / (time.perf_counter() - start))
    return found


def table(title: str, unit: str, measured: Mapping[str, list[float]], base: str) -> str:
    """A Markdown table: median, range, and the ratio of medians to `base`."""
    rows = [f"### {title}", f"| way | {unit}, median (min to max) | times {base} |", "|---|---|---|"]
    reference = statistics.median(measured[base])
    for name, values in measured.items():
        middle = statistics.median(values)
        rows.append(f"| {name} | {middle:.0f} ({min(values):.0f} to {max(values):.0f}) | {middle / reference:.1f} |")
    return "\n".join(rows)
