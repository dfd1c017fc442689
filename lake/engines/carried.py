"""How work, units and what became of them travel between driver and executors: as bytes.

Belongs here: packing and unpacking. `runner` gives the function that runs inside Spark's Python workers; it may lean on
nothing of Larmor before it has laid out Larmor's own code there.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa

from lake.engines.contract import EngineMissing, UnitFailed, Work

DONE, RESULT = "done", "result"
_UNITS = pa.schema([pa.field("unit", pa.binary(), nullable=False), pa.field("number", pa.int64(), nullable=False)])
RESULTS = f"{DONE} boolean, {RESULT} binary"
"""What a task gives, in Spark's words: a result as an Arrow stream, or an exception, pickled."""

Batches = Iterable[pa.RecordBatch]


def packed(batch: pa.RecordBatch) -> bytes:
    """A record batch as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


def unpacked(data: bytes) -> pa.RecordBatch:
    """The record batch of an Arrow stream."""
    with pa.ipc.open_stream(data) as stream:
        return stream.read_next_batch()


def units_table(units: Sequence[pa.RecordBatch]) -> pa.Table:
    """Units as the rows of a table, each a chunk of its own."""
    rows = [pa.record_batch([[packed(unit)], [number]], schema=_UNITS) for number, unit in enumerate(units)]
    return pa.Table.from_batches(rows, _UNITS)


def results_of(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """What tasks made of their units.

    Raises:
        EngineMissing: if the executors lack a package that the work needs.
        UnitFailed: if the exception cannot be carried here.
        Exception: what the work raised.
    """
    for row in table.to_pylist():
        if not row[DONE]:
            raise _error(row[RESULT])
        yield unpacked(row[RESULT])


def _error(data: bytes) -> BaseException:
    kind, pickled = pickle.loads(data)  # noqa: S301  # of our own executors, over Spark's own channel
    try:
        found = pickle.loads(pickled)  # noqa: S301
    except Exception:  # an exception class is free to fail in its own way when it is made again
        found = None
    if isinstance(found, ModuleNotFoundError):
        return EngineMissing(
            f"found no package {found.name} on the executors, needed the packages that Larmor needs there; "
            "docs/how-to/run-on-spark.md says how they get there"
        )
    if isinstance(found, BaseException):
        return found
    return UnitFailed(f"the work on a unit failed with {kind}, needed it to finish; the executor's log has the rest")


def runner(work: Work, code: str) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    """The function that Spark's Python workers run, for `mapInArrow`.

    Args:
        work: what is done to each unit.
        code: name of the archive of Larmor's code, which Spark puts on the path of its workers.
    """
    from pyspark import cloudpickle

    pickled: bytes = cloudpickle.dumps(work)  # type: ignore[no-untyped-call]
    lay_out, answer = _layer(), _answerer()

    # what is nested is pickled by value, with all it needs: it runs before Larmor can be imported there
    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        lay_out(code)
        for batch in batches:
            for unit in batch.column(0):
                done, data = answer(pickled, unit.as_py())
                yield pa.RecordBatch.from_arrays(
                    [pa.array([done], pa.bool_()), pa.array([data], pa.binary())], names=["done", "result"]
                )

    return run


def _layer() -> Callable[[str], None]:
    """Unpacks the code, once a machine: modules read the files beside them, which an archive does not give."""

    def lay_out(code: str) -> None:
        import shutil
        import sys
        import tempfile
        import zipfile
        from pathlib import Path

        for entry in [entry for entry in sys.path if entry.endswith(code)]:
            place = Path(entry)
            folder = place.with_suffix("")
            if not folder.is_dir():
                made = Path(tempfile.mkdtemp(dir=place.parent))
                with zipfile.ZipFile(place) as archive:
                    archive.extractall(made)
                try:
                    made.rename(folder)
                except OSError:
                    shutil.rmtree(made)  # another worker was faster
            sys.path.remove(entry)  # as it stands there: a path may be written in several ways
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))  # before whatever else of Larmor is there

    return lay_out


def _answerer() -> Callable[[bytes, bytes], tuple[bool, bytes]]:
    """Does the work on a unit, and gives its result or its exception."""

    def answer(pickled: bytes, unit: bytes) -> tuple[bool, bytes]:
        import pickle

        import pyarrow as pa

        # the boundary of the process: whatever is raised is the caller's, and Spark must not try it again
        try:
            with pa.ipc.open_stream(unit) as stream:
                result = pickle.loads(pickled)(stream.read_next_batch())  # noqa: S301  # of our own driver
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, result.schema) as stream:
                stream.write_batch(result)
            return True, sink.getvalue().to_pybytes()
        except Exception as error:
            kind = type(error).__name__
            try:
                return False, pickle.dumps((kind, pickle.dumps(error)))
            except Exception:
                return False, pickle.dumps((kind, b""))

    return answer
