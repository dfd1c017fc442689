"""The same operations on both engines give the same rows, versions and changes; what may not be done is refused."""

import threading

import numpy as np
import pyarrow.parquet as pq
import pytest

from lake.engines.local import LocalEngine
from lake.engines.spark_tables import CommitUnsafe, SparkTables
from lake.engines.tables import DeltaTables
from lake.stores.storage import Location
from lake.tables.compaction import intact, optimize
from lake.tables.protocol import opened
from lake.tables.rewrite import Sealed, merge, stored
from lake.tables.table import LakeTable
from lake.tables.upkeep import pinned, vacuum
from lake.voxels.volumes import Volumes
from schemas.tables import ACCESS, LABELS, LEDGER, QUARANTINE
from tests.lake.conftest import label_row, labelled

HERE = {"delivery": "d-1", "stage": "s"}
QUOTED = "it's \\ one"


def row(path, delivery="d-1", reason="r", line=None):
    return {
        "delivery": delivery, "stage": "s", "reason": reason, "remedy": QUOTED, "path": path, "sha256": "0",
        "instance": None, "line": line,
    }  # fmt: skip


def paths(table):
    return sorted(table["path"].to_pylist())


def told(changes):
    return sorted((c["version"], c["change"], c["path"], c["reason"]) for c in changes.to_pylist())


def test_a_table_through_its_life(lake, tables):
    table = lake.table(QUARANTINE)
    tables.replace(table, HERE, [table.write([row("a"), row("b", line=2)], HERE)])
    tables.append(table, [table.write([row("c")], HERE)])
    merged = tables.merge(table, [row("b", reason="new", line=2), row("z", delivery="d-2")])
    assert merged == 3
    found = tables.select(table).to_pylist()
    assert sorted((r["delivery"], r["path"], r["reason"], r["line"]) for r in found) == [
        ("d-1", "a", "r", None), ("d-1", "b", "new", 2), ("d-1", "c", "r", None), ("d-2", "z", "r", None),
    ]  # fmt: skip
    # columns, conditions, partition and version together
    assert paths(tables.select(table, ["path"], [("path", ">", "a"), ("remedy", "=", QUOTED)], HERE)) == ["b", "c"]
    assert tables.select(table, ["path"], [("path", "in", ["a", "c"])], version=1).to_pylist() == [{"path": "a"}]
    assert tables.select(table, ["line"], [("line", ">=", 2)]).to_pylist() == [{"line": 2}]
    assert tables.delete(table, [("path", "in", ["a", "nobody"])]) == 4
    changes = tables.changes(table, columns=["path", "reason"])
    assert told(changes) == [
        (1, "insert", "a", "r"), (1, "insert", "b", "r"), (2, "insert", "c", "r"),
        (3, "delete", "b", "r"), (3, "insert", "b", "new"), (3, "insert", "z", "r"), (4, "delete", "a", "r"),
    ]  # fmt: skip
    assert told(tables.changes(table, 2, 3, ["path", "reason"])) == told(changes)[3:6]
    assert tables.changes(table, 4).num_rows == 0
    before = tables.select(table).sort_by("path").to_pylist()
    version = tables.optimize(table)
    assert version == 5
    assert tables.select(table).sort_by("path").to_pylist() == before
    assert tables.changes(table, 4).num_rows == 0
    assert len(table.names({"delivery": "d-1"})) == 1
    count = tables.query("SELECT count(*) AS n FROM q WHERE delivery = 'd-1'", {"q": table})
    assert count.to_pylist() == [{"n": 2}]
    assert [commit.version for commit in tables.history(table)] == [5, 4, 3, 2, 1, 0]
    assert table.read().num_rows == 3


def test_merging_into_a_table_that_is_not_there_makes_it(lake, tables):
    table = lake.table(QUARANTINE)
    tables.merge(table, [row("a")])
    assert paths(table.read()) == ["a"]


def test_a_merge_of_bad_rows_changes_nothing(lake, tables):
    table = lake.table(QUARANTINE)
    table.append([table.write([row("a")], HERE)])
    with pytest.raises(ValueError, match="same key"):
        tables.merge(table, [row("b"), row("b")])
    with pytest.raises(ValueError, match="'remedy'"):
        tables.merge(table, [row("b") | {"remedy": None}])
    with pytest.raises(ValueError, match="partition of every row"):
        tables.merge(table, [row("b") | {"delivery": None}])
    assert (table.version(), paths(table.read())) == (1, ["a"])


def test_a_sealed_table_is_only_appended_to(lake, tables):
    table = lake.table(LEDGER)
    for operation in (
        lambda: tables.merge(table, []),
        lambda: tables.delete(table, [("sequence", "=", 1)]),
        lambda: tables.optimize(table),
        lambda: tables.z_order(table, ["sequence"]),
        lambda: tables.vacuum(table, hours=0, nobody_writes=True),
    ):
        with pytest.raises(Sealed, match="audit/ledger"):
            operation()


def test_close_rows_lie_together_after_a_z_order(lake, tables):
    table = lake.table(ACCESS)
    facts = {
        f.name: 1 if "int" in str(f.type) else "x" for f in ACCESS.arrow_schema if not f.nullable
    }  # fmt: skip
    for number in range(3):
        rows = [facts | {"time": f"2026-01-0{number + 1}T0{n}:00:00Z", "principal": f"p{n}"} for n in range(3)]
        table.append([table.write(rows, {})])
    before = table.read().sort_by([("time", "ascending")]).to_pylist()
    tables.z_order(table, ["principal", "time"])
    assert table.read().sort_by([("time", "ascending")]).to_pylist() == before
    assert len(table.names()) == 1
    with pytest.raises(ValueError, match="voxels"):
        tables.z_order(lake.table(LABELS), ["label"])


@pytest.mark.spark
def test_a_table_goes_back_and_forth_between_the_engines(lake, spark_engine):
    table = lake.table(QUARANTINE)
    one, other = DeltaTables(LocalEngine(1)), SparkTables(spark_engine)
    for turn, engine in enumerate([one, other, one, other]):
        engine.merge(table, [row("shared", reason=f"turn {turn}"), row(f"own {turn}")])
    table.replace({"delivery": "d-2", "stage": "s"}, [table.write([row("e")], {"delivery": "d-2", "stage": "s"})])
    other.delete(table, [("path", "=", "own 0")])
    one.delete(table, [("path", "=", "own 1")])
    other.optimize(table)
    one.append(table, [table.write([row("last")], HERE)])
    here, there = (e.select(table).sort_by([("path", "ascending")]).to_pylist() for e in (one, other))
    assert here == there
    assert [r["path"] for r in here] == ["e", "last", "own 2", "own 3", "shared"]
    assert next(r["reason"] for r in here if r["path"] == "shared") == "turn 3"
    columns = ["path", "reason"]
    assert told(one.changes(table, columns=columns)) == told(other.changes(table, columns=columns))
    for version in range(1, table.version() + 1):
        assert one.select(table, version=version).num_rows == other.select(table, version=version).num_rows


@pytest.mark.spark
def test_voxels_that_spark_wrote_get_their_layout_back(lake, spark_engine):
    arrays = labelled(lake, "d-1", ["a", "b", "c"])
    table = lake.table(LABELS)
    where = table.location.uri
    spark_engine.spark.read.format("delta").load(where).coalesce(1).write.format("delta").mode("overwrite").save(where)
    [file] = stored(table, opened(table.location, LABELS.path))
    assert not intact(table, file)
    before = table.version()
    after = optimize(table, spark_engine)
    assert after == before + 1
    [file] = stored(table, opened(table.location, LABELS.path))
    assert intact(table, file)
    volumes = Volumes(lake, LABELS)
    for name, array in arrays.items():
        assert np.array_equal(volumes.array(name), array)
    # readers of changes see nothing, and a second time there is nothing to do
    assert DeltaTables(spark_engine).changes(table, before, columns=["label"]).num_rows == 0
    assert optimize(table, spark_engine) == after


def test_voxels_keep_their_layout_in_a_merge_and_a_deletion(lake, tables):
    arrays = labelled(lake, "d-1", ["a", "b", "c"])
    table = lake.table(LABELS)
    changed = np.zeros((70, 40, 33), np.uint8)
    tables.merge(table, [label_row("b", changed) | {"delivery": "d-1"}])
    tables.delete(table, [("label", "=", "c")])
    assert all(intact(table, file) for file in stored(table, opened(table.location, LABELS.path)))
    volumes = Volumes(lake, LABELS)
    assert sorted(volumes.ids) == ["a", "b"]
    assert np.array_equal(volumes.array("a"), arrays["a"])
    assert np.array_equal(volumes.array("b"), changed)


@pytest.mark.spark
def test_sparks_own_commit_is_refused_on_s3(spark_engine):
    table = LakeTable(QUARANTINE, Location("s3://lake/quarantine"))
    engine = SparkTables(spark_engine)
    for operation in (
        lambda: engine.merge(table, [row("a")]),
        lambda: engine.delete(table, [("path", "=", "a")]),
        lambda: engine.optimize(table),
        lambda: engine.z_order(table, ["path"]),
    ):
        with pytest.raises(CommitUnsafe, match="loses commits"):
            operation()
    with pytest.raises(ValueError, match="no question"):
        engine.query("DELETE FROM q", {})


def test_a_clean_up_keeps_what_a_release_needs(lake):
    table = lake.table(QUARANTINE)
    for reason in ("one", "two", "three"):
        table.replace(HERE, [table.write([row("a", reason=reason)], HERE)])
    orphan = table.write([row("a")], HERE)
    with pytest.raises(ValueError, match="24"):
        vacuum(table, hours=0)
    would = vacuum(table, keep=[1], hours=0, nobody_writes=True, dry_run=True)
    assert orphan.path in would
    assert vacuum(table, keep=[1], hours=0, nobody_writes=True) == would
    assert not (table.location.path / orphan.path).exists()
    assert [r["reason"] for r in table.read(version=1).to_pylist()] == ["one"]
    assert [r["reason"] for r in table.read().to_pylist()] == ["three"]
    with pytest.raises(OSError, match=r".+"):
        table.read(version=2)
    assert pinned(lake) == {}


def test_merges_at_the_same_time_lose_nothing(lake):
    table = lake.table(QUARANTINE)
    table.append([])
    failures = []

    def many(name):
        try:
            for number in range(5):
                merge(table, [row(f"{name}{number}"), row("both", reason=name)])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=many, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert paths(table.read()) == sorted([f"{n}{i}" for n in "ab" for i in range(5)] + ["both"])


def test_only_files_that_hold_a_deleted_row_are_rewritten(lake):
    table = lake.table(QUARANTINE)
    table.append([table.write([row("a"), row("b")], HERE), table.write([row("c")], HERE)])
    [kept] = [n for n in table.names() if pq.read_metadata(table.location.path / n).num_rows == 1]
    DeltaTables(LocalEngine(1)).delete(table, [("path", "=", "a")])
    assert kept in table.names()
    assert paths(table.read()) == ["b", "c"]
