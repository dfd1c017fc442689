"""Every unit gives its result once; a worker that dies is told from one that fails."""

import os

import pyarrow as pa
import pytest

from lake.engine import EngineMissing, LocalEngine, WorkerLost, engine
from lake.settings import Settings
from lake.written import SCHEMA, Written
from schemas.tables import DECISIONS, QUARANTINE

UNITS = [pa.RecordBatch.from_pylist([{"n": n}]) for n in range(9)]


def square(batch):
    return pa.RecordBatch.from_pylist([{"n": n**2} for n in batch["n"].to_pylist()])


def die_on_seven(batch):
    if 7 in batch["n"].to_pylist():
        os._exit(9)
    return batch


def fail_on_seven(batch):
    if 7 in batch["n"].to_pylist():
        raise ValueError("seven")
    return batch


@pytest.mark.parametrize("workers", [1, 2])
def test_each_unit_gives_one_result(workers):
    results = LocalEngine(workers).map(square, UNITS)
    assert sorted(n for batch in results for n in batch["n"].to_pylist()) == [n**2 for n in range(9)]


def test_nothing_to_do_is_no_error():
    assert list(LocalEngine(2).map(square, [])) == []


def test_a_unit_that_kills_its_worker_is_found_and_the_others_are_done():
    done = []
    with pytest.raises(WorkerLost, match="LARMOR_WORKERS=1"):
        for batch in LocalEngine(2).map(die_on_seven, UNITS):
            done.extend(batch["n"].to_pylist())
    assert len(done) == len(set(done))
    assert set(range(7)) <= set(done)


def test_an_error_of_the_work_is_the_callers():
    with pytest.raises(ValueError, match="seven"):
        list(LocalEngine(2).map(fail_on_seven, UNITS))


def test_an_engine_that_cannot_run_says_what_to_do():
    with pytest.raises(EngineMissing, match="unset LARMOR_ENGINE"):
        engine(Settings(engine="spark"))


def test_what_a_worker_made_survives_the_way_to_the_driver(lake):
    written = Written()
    row = {"stage": "s", "reason": "r", "remedy": "m", "path": "p", "sha256": "0", "instance": None}
    written.hand(QUARANTINE, [row])
    written.parts.append(lake.table(QUARANTINE).write([row], {"delivery": "d", "stage": "s"}))
    batch = written.batch()
    assert batch.schema == SCHEMA
    back = Written.of(batch)
    assert back.parts == written.parts
    assert (back.count(QUARANTINE), back.count(DECISIONS)) == (2, 0)
    back.commit(lake.table(QUARANTINE), {"delivery": "d", "stage": "s"})
    assert lake.table(QUARANTINE).read().num_rows == 2
