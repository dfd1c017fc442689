"""The Spark engine: each unit a task of `mapInArrow`, wherever Spark runs.

Belongs here: mapping work over units. Starting Spark is `lake.engines.session`, tables are `lake.engines.spark_tables`.
"""

import contextlib
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.engines.carried import RESULTS, results_of, runner, units_table
from lake.engines.contract import EngineMissing, Tell, UnitFailed, Work, lost
from lake.engines.session import CODE, is_connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_REMEDY = "fewer cores an executor, or more spark.executor.memoryOverhead in LARMOR_SPARK_CONF"

_JOB = 4
"""Units of a job, for each core. A job costs the driver far more than a task does, and its results come together."""

_JOBS = 2
"""Jobs at the same time: the last units of one leave cores free, which the next one takes."""

_ENDS = ("PYTHON_VERSION_MISMATCH", "Python in worker has different version")
"""What a cluster answers on which trying again would change nothing."""


@dataclass(frozen=True)
class SparkEngine:
    """A Spark session's executors.

    Attributes:
        spark: the session.
    """

    spark: "SparkSession"

    @property
    def slots(self) -> int:
        """Cores that the session has now."""
        if not is_connect(self.spark):
            return int(self.spark.sparkContext.defaultParallelism)
        from pyspark.sql.functions import spark_partition_id

        # a client is not told; the number of parts that Spark makes of many rows is the number of cores
        return int(self.spark.range(2**20).select(spark_partition_id()).distinct().count())

    def map(self, work: Work, units: Sequence[pa.RecordBatch], tell: Tell | None = None) -> Iterator[pa.RecordBatch]:
        """Results as they come; see `Engine.map`.

        Each unit is a task. Spark itself begins a task again whose worker died, on another executor where there is one,
        as often as `spark.task.maxFailures` allows; nothing is told of it. An error of the work ends the task well and
        travels as its result.
        """
        if not units:
            return
        code = runner(work, self.spark.conf.get(CODE) or "")
        tag = f"larmor-{uuid.uuid4().hex}"
        many = _JOB * self.slots
        waiting = deque(units[start : start + many] for start in range(0, len(units), many))
        running: set[Future[pa.Table]] = set()
        stopped = threading.Event()

        def job(batch: Sequence[pa.RecordBatch]) -> pa.Table:
            return units_table([]) if stopped.is_set() else self._job(code, batch, tag)

        with ThreadPoolExecutor(_JOBS, thread_name_prefix="larmor-spark") as threads:
            try:
                while waiting or running:
                    while waiting and len(running) < _JOBS:
                        running.add(threads.submit(job, waiting.popleft()))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield from results_of(future.result())
            finally:
                stopped.set()
                threads.shutdown(wait=False, cancel_futures=True)
                if running:
                    with contextlib.suppress(Exception):  # a session that is gone has nothing left to stop
                        self.spark.interruptTag(tag)

    def _job(self, code: Callable[..., Any], units: Sequence[pa.RecordBatch], tag: str) -> pa.Table:
        from py4j.protocol import Py4JError  # type: ignore[import-untyped]
        from pyspark.errors import PySparkException, PythonException

        self.spark.addTag(tag)
        try:
            return self._frame(units).mapInArrow(code, RESULTS).toArrow()
        except (PySparkException, Py4JError) as error:
            if any(sign in str(error) for sign in _ENDS):
                raise EngineMissing(
                    "found another Python on the executors than here, needed the same minor version; set "
                    "PYSPARK_PYTHON to one, docs/how-to/run-on-spark.md says how"
                ) from None
            if isinstance(error, PythonException):
                names = re.findall(r"^(\w+(?:Error|Exception))\b", str(error), re.MULTILINE)
                raise UnitFailed(
                    f"found executors that cannot begin the work ({names[-1] if names else 'PythonException'}), needed "
                    "a Python there that can write beside the code that Spark gives it; an executor's log has the rest"
                ) from None
            # Spark's own words are a page of Java
            raise lost(len(units), _REMEDY) from None

    def _frame(self, units: Sequence[pa.RecordBatch]) -> Any:
        """Units as rows, each a partition of its own."""
        frame = self.spark.createDataFrame(units_table(units))
        # of a table, a session makes a partition of each chunk; a client of Connect leaves that to the server
        return frame.repartitionByRange(len(units), "number") if is_connect(self.spark) else frame
