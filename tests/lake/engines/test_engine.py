"""The door to the engines, and the way of results through it; what both engines promise is in `engines/`."""

import pyarrow as pa
import pytest

from lake.engines.engine import EngineMissing, LocalEngine, engine
from lake.settings import Settings
from lake.tables.written import SCHEMA, Written
from schemas.tables import DECISIONS, QUARANTINE

UNITS = [pa.RecordBatch.from_pylist([{"n": n}]) for n in range(9)]


def square(batch):
    return pa.RecordBatch.from_pylist([{"n": n**2} for n in batch["n"].to_pylist()])


def test_one_worker_needs_no_other_process():
    results = LocalEngine(1).map(square, UNITS)
    assert sorted(n for batch in results for n in batch["n"].to_pylist()) == [n**2 for n in range(9)]


def test_nothing_to_do_is_no_error():
    assert list(LocalEngine(2).map(square, [])) == []


def test_an_engine_that_cannot_run_says_what_to_do():
    # nobody listens at this port; without the packages of a client it ends earlier, with the same remedy
    with pytest.raises(EngineMissing, match="unset LARMOR_ENGINE"):
        engine(Settings(engine="spark", spark_master="sc://127.0.0.1:1"))


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
