"""The local engine: a pool of processes on this machine; no JVM, nothing to set up."""

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import pyarrow as pa

from lake.engines.contract import Tell, Work, again, lost, silent

_REMEDY = "LARMOR_WORKERS=1 needs least"


@dataclass(frozen=True)
class LocalEngine:
    """A pool of processes on this machine.

    Attributes:
        workers: how many; 1 runs in this process.
    """

    workers: int

    @property
    def slots(self) -> int:
        """Units that run at the same time."""
        return self.workers

    def map(self, work: Work, units: Sequence[pa.RecordBatch], tell: Tell | None = None) -> Iterator[pa.RecordBatch]:
        """Results as they come; see `Engine.map`."""
        if self.workers == 1 or len(units) <= 1:
            yield from map(work, units)
            return
        waiting = deque(units)
        while waiting:
            begun: list[pa.RecordBatch] = []
            try:
                yield from self._pooled(work, waiting, begun)
            except BrokenProcessPool:
                # one of the begun units may have killed the pool: each of them runs alone, the others in a new pool
                (tell or silent)(again(len(begun)))
                for unit in begun:
                    yield _alone(work, unit)

    def _pooled(
        self, work: Work, waiting: deque[pa.RecordBatch], begun: list[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """Results of the waiting units; where the pool breaks, `begun` holds those that had no result yet."""
        # spawn: forking a process that runs threads (Dagster's, Arrow's) can deadlock
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self.workers, len(waiting)), mp_context=context) as pool:
            running: dict[Future[pa.RecordBatch], pa.RecordBatch] = {}
            try:
                while waiting or running:
                    # few at a time, so that a run that is stopped does not first work off a long queue
                    while waiting and len(running) < 2 * self.workers:
                        unit = waiting.popleft()
                        begun.append(unit)
                        running[pool.submit(work, unit)] = unit
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        result = future.result()
                        _forget(begun, running.pop(future))
                        yield result
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _forget(units: list[pa.RecordBatch], unit: pa.RecordBatch) -> None:
    # batches compare by content: two units may hold the same
    del units[next(place for place, other in enumerate(units) if other is unit)]


def _alone(work: Work, unit: pa.RecordBatch) -> pa.RecordBatch:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(work, unit).result()
        except BrokenProcessPool:
            raise lost(1, _REMEDY) from None
