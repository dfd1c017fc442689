"""Where the work of a stage runs: one function over many units of work.

Belongs here: the contract of an engine and the local one. A unit of work and a result are Arrow record batches, so the
same function runs in a process pool here and inside Spark's `mapInArrow`.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from lake.settings import EngineName, Settings

Work = Callable[[pa.RecordBatch], pa.RecordBatch]
"""A pure, picklable function from a unit of work to what was made of it."""


class WorkerLost(RuntimeError):
    """A worker process died, twice, on the same unit of work."""


class EngineMissing(RuntimeError):
    """The configured engine cannot run here; the message says what is missing."""


class Engine(Protocol):
    """What runs the work of a stage."""

    def map(self, work: Work, units: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Results as they come, in any order.

        Raises:
            WorkerLost: if a unit kills its worker twice.
            Exception: whatever `work` raises; the other units are given up.
        """
        ...


@dataclass(frozen=True)
class LocalEngine:
    """A pool of processes on this machine.

    Attributes:
        workers: how many; 1 runs in this process.
    """

    workers: int

    def map(self, work: Work, units: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Results as they come; see `Engine.map`."""
        if self.workers == 1 or len(units) <= 1:
            yield from map(work, units)
            return
        try:
            yield from self._pooled(work, dict(enumerate(units)))
        except _Lost as lost:
            # one unit may have killed the pool (out of memory, a decoder's crash): find it by running each alone
            for unit in lost.units:
                yield self._alone(work, unit)

    def _pooled(self, work: Work, units: dict[int, pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # spawn: forking a process that runs threads (Dagster's, Arrow's) can deadlock
        context = multiprocessing.get_context("spawn")
        left = dict(units)
        with ProcessPoolExecutor(min(self.workers, len(units)), mp_context=context) as pool:
            # few at a time, so that a run that is stopped does not first work off a long queue
            waiting = list(left)
            running: dict[Future[pa.RecordBatch], int] = {}
            try:
                while waiting or running:
                    while waiting and len(running) < 2 * self.workers:
                        number = waiting.pop(0)
                        running[pool.submit(work, units[number])] = number
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        number = running.pop(future)
                        result = future.result()
                        del left[number]
                        yield result
            except BrokenProcessPool:
                raise _Lost(list(left.values())) from None
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _alone(self, work: Work, unit: pa.RecordBatch) -> pa.RecordBatch:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                return pool.submit(work, unit).result()
            except BrokenProcessPool:
                raise WorkerLost(
                    f"a worker process died twice on a unit of {unit.num_rows} rows, needed it to finish; "
                    "look for lack of memory (LARMOR_WORKERS=1 needs least)"
                ) from None


class _Lost(Exception):
    def __init__(self, units: list[pa.RecordBatch]) -> None:
        super().__init__(f"{len(units)} units left")
        self.units = units


def engine(settings: Settings) -> Engine:
    """The configured engine.

    Raises:
        EngineMissing: if it cannot run here.
    """
    if settings.engine is EngineName.SPARK:
        raise EngineMissing(
            "found LARMOR_ENGINE=spark, needed local: this version has no Spark engine yet; unset LARMOR_ENGINE"
        )
    return LocalEngine(settings.workers)
