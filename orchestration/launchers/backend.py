"""What a backend must be able to do, and how it says what became of a job.

Belongs here: the interface. Each backend is a file beside this one; who calls it is `orchestration.launchers.pipes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from schemas.job import TrainingJob


class LaunchError(RuntimeError):
    """A backend refused a job, or cannot be used as it is set up; the message says what to do."""


class Unreachable(RuntimeError):
    """A backend did not answer; it is asked again, and only a long silence is a failure."""


class Phase(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (Phase.DONE, Phase.FAILED, Phase.STOPPED)


@dataclass(frozen=True)
class State:
    """What a backend says of a job.

    Attributes:
        phase: how far it is.
        reason: why, in the backend's own words; empty where it gives none.
        seconds: that are charged; None: not told.
        numbers: the last values of curves that the backend itself keeps.
    """

    phase: Phase
    reason: str = ""
    seconds: float | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Lines:
    """What a job wrote since it was asked the last time.

    Attributes:
        lines: whole lines, in order.
        cursor: where to go on; opaque to everybody but the backend.
    """

    lines: tuple[str, ...]
    cursor: str | None


class Backend(Protocol):
    """A place where jobs run. Jobs are known by a handle, a text that outlives this process."""

    def submit(self, job: TrainingJob) -> str:
        """Start a job and give its handle.

        Raises:
            LaunchError: if it is refused.
        """

    def poll(self, handle: str) -> State:
        """What became of a job.

        Raises:
            Unreachable: if nobody answered.
        """

    def logs(self, handle: str, cursor: str | None) -> Lines:
        """What the job wrote after a cursor; None: from the beginning. Lines may come late, also after its end.

        Raises:
            Unreachable: if nobody answered.
        """

    def cancel(self, handle: str) -> None:
        """Ask a job to save and end; nothing where it has ended."""

    def collect(self, job: TrainingJob, name: str, target: Path) -> None:
        """Have the finished model `name` of a job's checkpoint in a folder of this machine, whole.

        Raises:
            LaunchError: if there is no finished model.
        """

    def clear(self, job: TrainingJob) -> None:
        """Remove what only the job needed."""
