"""The same promises on both engines: every unit gives its result once, and what goes wrong is told as what it is."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from lake.engines.engine import UnitFailed, WorkerLost

UNITS = [pa.RecordBatch.from_pylist([{"n": n}]) for n in range(9)]


class Held(ValueError):
    """An error that Larmor's callers know by its class."""


class Odd(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def square(batch):
    return pa.RecordBatch.from_pylist([{"n": n**2} for n in batch["n"].to_pylist()])


def die_on_seven(batch):
    if 7 in batch["n"].to_pylist():
        os._exit(9)
    return batch


def die_once(batch):
    mark = Path(batch["mark"][0].as_py())
    if batch["n"][0].as_py() == 4 and not mark.exists():
        mark.touch()
        os._exit(9)
    return batch


def fail_on_seven(batch):
    if 7 in batch["n"].to_pylist():
        raise Held("seven")
    return batch


def fail_oddly(batch):
    raise Odd(1, 2)


def shipped(batch):
    """Reads data files of packages in the three ways that the rooms do."""
    from deid.policy import load_policy
    from deid.text.vocabulary import __file__ as vocabulary
    from imaging.kinds.rules import load_rules
    from lake.tiering.tiers import price_book

    facts = {
        "policy": load_policy("safe_harbor").digest, "rules": str(load_rules(None).digests), "file": vocabulary,
        "prices": str(price_book().classes[0].name),
    }  # fmt: skip
    return pa.RecordBatch.from_pylist([facts])


def test_each_unit_gives_one_result(engine):
    results = list(engine.map(square, UNITS * 3))
    assert sorted(n for batch in results for n in batch["n"].to_pylist()) == sorted([n**2 for n in range(9)] * 3)


def test_nothing_to_do_is_no_error(engine):
    assert list(engine.map(square, [])) == []


def test_an_error_of_the_work_is_the_callers_with_its_own_class(engine):
    with pytest.raises(Held, match="seven"):
        list(engine.map(fail_on_seven, UNITS))


def test_a_unit_that_kills_its_worker_every_time_is_told_in_one_sentence(engine, capfd):
    with pytest.raises(WorkerLost, match="died on every try") as told:
        list(engine.map(die_on_seven, UNITS))
    assert "\n" not in str(told.value)
    assert told.value.__cause__ is None
    assert "Exception" not in capfd.readouterr().err


def test_a_worker_that_dies_once_costs_no_result(engine, tmp_path):
    units = [pa.RecordBatch.from_pylist([{"n": n, "mark": str(tmp_path / "died")}]) for n in range(9)]
    results = list(engine.map(die_once, units))
    assert (tmp_path / "died").exists()
    assert sorted(n for batch in results for n in batch["n"].to_pylist()) == list(range(9))


def test_stopping_early_leaves_the_engine_usable(engine):
    results = engine.map(square, UNITS * 5)
    next(results)
    results.close()
    assert len(list(engine.map(square, UNITS))) == 9


@pytest.mark.spark
def test_an_error_that_cannot_travel_is_named(spark_engine):
    with pytest.raises(UnitFailed, match="Odd"):
        list(spark_engine.map(fail_oddly, UNITS[:1]))


@pytest.mark.spark
def test_executors_get_larmors_code_with_its_data_files(spark_engine):
    here = shipped(UNITS[0]).to_pylist()[0]
    there = next(spark_engine.map(shipped, UNITS[:1])).to_pylist()[0]
    assert there["file"] != here["file"]
    assert "larmor-" in there["file"]
    assert {**there, "file": ""} == {**here, "file": ""}


@pytest.mark.spark
def test_spark_says_nothing_and_listens_to_nobody_else(spark_engine):
    conf = spark_engine.spark.sparkContext.getConf()
    assert conf.get("spark.driver.bindAddress") == "127.0.0.1"
    assert conf.get("spark.ui.enabled") == "false"
    assert spark_engine.slots == 2


@pytest.mark.spark
def test_a_process_has_one_session(spark_engine):
    from lake.engines.engine import engine
    from lake.settings import Settings

    assert engine(Settings(engine="spark")).spark is spark_engine.spark
