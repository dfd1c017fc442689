"""What Dagster adds to a delivery: `larmor run` up to its volumes, beside the same stations called without it.

Belongs here: the first run of a lake, whose Dagster storage has to be made, and runs after it. Each is a process of its
own, as a person starts it, so imports count on both sides; their bytecode is there, as an installation leaves it. Other
work on the machine blurs seconds of a processor less than those of the clock.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.crowded import Spent, landed
from lake.zones import Lake

ROUNDS = 3
LAST = "volumes"

Command = Callable[[str, str], list[str]]
"""From a lake's root and a delivery to the command that treats it."""

_STATIONS = """
import sys
from benchmarks.crowded import stations
from lake.zones import Lake
lake, name = Lake.open(sys.argv[1], workers=1), sys.argv[2]
for station, work in stations().items():
    work(lake, name)
    if station == sys.argv[3]:
        break
"""


def run() -> str:
    """Measure, and give the table."""
    with tempfile.TemporaryDirectory() as bytecode:
        for command in (_stations, _larmor):
            measured(command, bytecode, rounds=0)
        without, with_dagster = (measured(command, bytecode, ROUNDS) for command in (_stations, _larmor))
    rows = [
        "### Seconds of a small delivery up to its volumes, a process each; in brackets of a processor",
        "| run | without Dagster | with Dagster | Dagster's part |",
        "|---|---|---|---|",
    ]
    for name, (bare, bare_cpu), (whole, whole_cpu) in zip(
        ("first of a lake", f"after it, median of {ROUNDS}"), without, with_dagster, strict=True
    ):
        rows.append(
            f"| {name} | {bare:.1f} ({bare_cpu:.1f}) | {whole:.1f} ({whole_cpu:.1f}) "
            f"| {whole - bare:.1f} ({whole_cpu - bare_cpu:.1f}) |"
        )
    return "\n".join(rows)


def measured(command: Command, bytecode: str, rounds: int) -> tuple[Spent, Spent]:
    """Seconds of the first run of a lake, and median of so many after it.

    Args:
        command: what treats a delivery.
        bytecode: folder where Python keeps the modules that it compiled.
        rounds: runs after the first one.
    """
    with tempfile.TemporaryDirectory() as folder:
        lake, names = Lake.open(folder, workers=1), [f"phantom-{number}" for number in range(rounds + 1)]
        landed(lake, names)
        first, *others = (spent(command(folder, name), bytecode) for name in names)
        clock, used = zip(*(others or [first]), strict=True)
        return first, (statistics.median(clock), statistics.median(used))


def spent(command: Sequence[str], bytecode: str) -> Spent:
    """Seconds of a command and of all processes that it started.

    Raises:
        subprocess.CalledProcessError: if it failed.
    """
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    own = {"PYTHONPYCACHEPREFIX": bytecode, "LARMOR_WORKERS": "1", "OMP_NUM_THREADS": "1"}
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, env=given | own, check=True, capture_output=True)
    clock, after = time.perf_counter() - start, os.times()
    return clock, after.children_user + after.children_system - before.children_user - before.children_system


def _stations(folder: str, name: str) -> list[str]:
    return [sys.executable, "-c", _STATIONS, folder, name, LAST]


def _larmor(folder: str, name: str) -> list[str]:
    return [str(Path(sys.executable).with_name("larmor")), "--root", folder, "run", name, "--to", LAST]
