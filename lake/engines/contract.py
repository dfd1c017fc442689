"""What an engine promises, whichever it is.

Belongs here: the contract of mapping work over units, and its errors. A unit of work and a result are Arrow record
batches, so the same function runs in a process pool and inside Spark's `mapInArrow`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import pyarrow as pa

Work = Callable[[pa.RecordBatch], pa.RecordBatch]
"""A pure, picklable function from a unit of work to what was made of it."""

Tell = Callable[[str], None]
"""Takes a line about how the work goes; never PHI."""


class WorkerLost(RuntimeError):
    """A worker process died on every try of the same unit of work."""


class UnitFailed(RuntimeError):
    """The work failed in a way that cannot be carried to the caller as it was; the message says what it was."""


class EngineMissing(RuntimeError):
    """The configured engine cannot run here; the message says what is missing."""


class Engine(Protocol):
    """What runs the work of a stage."""

    @property
    def slots(self) -> int:
        """Units that run at the same time."""

    def map(self, work: Work, units: Sequence[pa.RecordBatch], tell: Tell | None = None) -> Iterator[pa.RecordBatch]:
        """Results as they come, in any order, so that counting them is the progress.

        A unit whose worker dies (lack of memory, a decoder's crash, a lost machine) is begun again. Work is pure: what
        its first try left is never committed. An error that `work` raises is not tried again: the same unit
        would raise it again.

        Args:
            work: what is done to each unit.
            units: the units.
            tell: takes a line when units are begun again.

        Raises:
            WorkerLost: if a unit kills its worker on every try: two here, `spark.task.maxFailures` on a cluster.
            UnitFailed: if `work` raises what cannot be carried to the caller.
            Exception: whatever `work` raises; the other units are given up.
        """
        ...


def silent(_line: str) -> None:
    """A `Tell` that nobody hears."""


def again(units: int) -> str:
    """The line that says that units are begun again."""
    return f"a worker process died; {units} units are begun again"


def lost(units: int, remedy: str) -> WorkerLost:
    """The error of a unit, one of so many, that killed its worker on every try."""
    which = "a unit" if units == 1 else f"one of {units} units"
    return WorkerLost(
        f"a worker process died on every try of {which}, needed it to finish; look for lack of memory ({remedy})"
    )
