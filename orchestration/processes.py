"""Which process runs a headless run, and which runs have lost theirs.

Belongs here: marking runs, and ending those whose process was killed. Dagster does not notice: it would show them as
running, and count them against its limits, for ever.
"""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

TAG = ".dagster/larmor_process"
"""Tag of a headless run: host, process id, and when the process started, in clock ticks since boot.

Dagster hides tags with this prefix: to people who read the list of runs it says nothing.
"""


def own_mark() -> str:
    """The mark of this process."""
    return _mark(os.getpid()) or f"{socket.gethostname()}/{os.getpid()}/0"


def end_lost_runs(instance: "dg.DagsterInstance") -> int:
    """Report runs of this machine as failed whose process is gone; returns how many."""
    import dagster as dg

    going = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    lost = [run for run in instance.get_runs(filters=going) if _is_lost(run.tags.get(TAG))]
    for run in lost:
        instance.report_run_failed(run, "its process was killed; the same command goes on from what was finished")
    return len(lost)


def _is_lost(mark: str | None) -> bool:
    if mark is None:
        return False
    host, pid, _ = mark.rsplit("/", 2)
    return host == socket.gethostname() and _mark(int(pid)) != mark


def _mark(pid: int) -> str | None:
    """The mark of a process; None where there is none of this id."""
    try:
        facts = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return None
    # the name may hold spaces and brackets; field 22 is the 20th after it (proc(5))
    return f"{socket.gethostname()}/{pid}/{facts.rpartition(')')[2].split()[19]}"
