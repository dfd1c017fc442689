"""The log that is read and written by hand is the one that a Delta library reads and writes."""

import json
import multiprocessing
import shutil
from urllib.parse import unquote

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import TableDamaged
from lake.tables import log
from lake.tables.checkpoint import Unusual
from lake.tables.table import Conflict, LakeTable
from lake.zones import Lake
from schemas.contract import Column, Table, Zone
from tests.lake.conftest import labelled

NUMBERS = Table(
    "numbers",
    Zone.CURATED,
    "Numbers",
    (
        Column("delivery", pa.string(), "Delivery"),
        Column("stage", pa.string(), "Stage"),
        Column("number", pa.int64(), "A number"),
    ),
    key=("delivery", "number"),
    partition_by=("delivery", "stage"),
)
ODD = "a b%20ü+#'"


def put(table, delivery, numbers, stage="s"):
    partition = {"delivery": delivery, "stage": stage}
    return table.replace(partition, [table.write([{"number": n} for n in numbers], partition)])


def seen_by_library(table):
    """Rows as deltalake finds them: (delivery, stage, number)."""
    from deltalake import QueryBuilder

    session = QueryBuilder().register("t", DeltaTable(table.location.uri))
    rows = pa.RecordBatchReader.from_stream(session.execute("select delivery, stage, number from t")).read_all()
    return sorted(tuple(row.values()) for row in rows.to_pylist())


def seen(table):
    return sorted((r["delivery"], r["stage"], r["number"]) for r in table.rows())


@pytest.fixture
def table(lake) -> LakeTable:
    return lake.table(NUMBERS)


@pytest.mark.parametrize("checkpoint", [False, True], ids=["commits", "checkpoint"])
@pytest.mark.parametrize("delivery", ["d", ODD])
def test_a_library_and_we_read_and_replace_the_same_rows(table, delivery, checkpoint):
    put(table, delivery, [1, 2])
    put(table, "other", [3])
    if checkpoint:
        DeltaTable(table.location.uri).create_checkpoint()
    put(table, delivery, [4], stage="t")
    assert (
        seen(table)
        == seen_by_library(table)
        == sorted([(delivery, "s", 1), (delivery, "s", 2), (delivery, "t", 4), ("other", "s", 3)])
    )
    table.replace({"delivery": delivery}, [])
    assert seen(table) == seen_by_library(table) == [("other", "s", 3)]
    assert table.version() == DeltaTable(table.location.uri).version()


def test_what_a_library_commits_is_seen_and_replaced(table):
    put(table, "d", [1])
    part = table.write([{"number": 2}], {"delivery": "d", "stage": "s"})
    DeltaTable(table.location.uri).create_write_transaction(
        [part.action()], "append", NUMBERS.arrow_schema, partition_by=["delivery", "stage"]
    )
    assert [row[2] for row in seen(table)] == [1, 2]
    put(table, "d", [3])
    assert [row[2] for row in seen_by_library(table)] == [3]


def test_checkpoints_are_made_so_that_few_commits_are_read(table):
    for number in range(220):
        put(table, f"d{number % 7}", [number])
    made = [name for name in table.location.join(log.FOLDER).list() if name.endswith(".checkpoint.parquet")]
    assert len(made) == 2
    assert sorted(row[2] for row in seen(table)) == list(range(213, 220))
    assert seen(table) == seen_by_library(table)
    found = log.state(table.location)
    assert found.version - found.checkpoint < 110
    assert found.total == 7


@pytest.mark.parametrize(
    "action",
    [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["rowTracking"]}},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 5}},
    ],
)
def test_a_log_with_features_of_other_engines_is_left_to_a_library(table, action):
    put(table, "d", [1])
    table.location.join(log.FOLDER).create(log.name(table.version() + 1), json.dumps(action).encode())
    with pytest.raises(Unusual):
        log.state(table.location)


def test_a_log_that_lost_its_beginning_is_left_to_a_library(table):
    put(table, "d", [1])
    put(table, "d", [2])
    DeltaTable(table.location.uri).create_checkpoint()
    folder = table.location.join(log.FOLDER)
    for name in ("_last_checkpoint", log.name(0), log.name(1)):
        folder.delete(name)
    with pytest.raises(Unusual):
        log.newest(table.location)
    assert [row[2] for row in seen(table)] == [2]


def test_a_table_that_was_made_again_is_read_again(table):
    put(table, "d", [1])
    DeltaTable(table.location.uri).create_checkpoint()
    assert [row[2] for row in seen(table)] == [1]
    shutil.rmtree(table.location.path)
    put(table, "d", [2])
    DeltaTable(table.location.uri).create_checkpoint()
    assert [row[2] for row in seen(table)] == [2]


@pytest.mark.parametrize("left", [0, 1, 40, -2], ids=["nothing", "a byte", "some", "nearly all"])
def test_a_commit_that_is_not_whole_is_named_and_never_read_as_no_change(left, table):
    put(table, "d", [1])
    put(table, "d", [2])
    last = table.location.path / log.FOLDER / log.name(table.version())
    whole = last.read_bytes()
    last.write_bytes(whole[:left])
    with pytest.raises(TableDamaged, match=rf"numbers/_delta_log/{last.name}: .*; restore it"):
        table.rows()
    with pytest.raises(TableDamaged):
        put(table, "d", [3])
    last.write_bytes(whole)
    assert [row[2] for row in seen(table)] == [2]


@pytest.mark.parametrize("name", ["_last_checkpoint", f"{2:020}.checkpoint.parquet"])
def test_a_checkpoint_that_is_not_whole_is_named(name, table):
    put(table, "d", [1])
    put(table, "d", [2])
    DeltaTable(table.location.uri).create_checkpoint()
    file = table.location.path / log.FOLDER / name
    file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(TableDamaged, match=name):
        table.rows()


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.booleans()), max_size=12),
    asked=st.sampled_from(["a", "b", None]),
)
@settings(max_examples=25, deadline=None)
def test_files_are_those_of_a_library_after_any_replacements_and_checkpoints(tmp_path_factory, steps, asked):
    table = Lake.open(tmp_path_factory.mktemp("lake")).table(NUMBERS)
    put(table, "a", [0])
    for delivery, parts, checkpoint in steps:
        partition = {"delivery": delivery, "stage": "s"}
        table.replace(partition, [table.write([{"number": n}], partition) for n in range(parts)])
        if checkpoint:
            DeltaTable(table.location.uri).create_checkpoint()
    partition = {"delivery": asked} if asked else None
    found = log.state(table.location, partition)
    whole = log.state(table.location).files
    library = {unquote(path) for path in DeltaTable(table.location.uri).file_uris()}
    assert {str(table.location.path / path) for path in whole} == library
    assert len(whole) == len(library) == found.total
    assert set(found.files) == {path for path, file in whole.items() if asked in (None, file.partition["delivery"])}


def _write(root, delivery):
    table = Lake.open(root).table(NUMBERS)
    for number in range(12):
        put(table, delivery, [number])


def test_writers_at_once_lose_nothing_and_the_last_of_each_partition_stands(table):
    put(table, "a", [99])
    root = table.location.path.parent.parent
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(root, name)) for name in ("a", "a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert seen(table) == seen_by_library(table) == [("a", "s", 11), ("b", "s", 11)]
    assert table.version() == 1 + 36


def test_an_append_after_an_expected_version_refuses_another(table):
    put(table, "d", [1])
    part = table.write([{"number": 2}], {"delivery": "d", "stage": "s"})
    with pytest.raises(Conflict):
        table.append([part], expected_version=table.version() - 1)
    table.append([part], expected_version=table.version())
    assert [row[2] for row in seen(table)] == [1, 2]


def test_a_large_table_names_its_volumes_at_once_after_commits_that_left_the_index_behind(lake, monkeypatch):
    from lake.voxels import index
    from lake.voxels.volumes import Volumes
    from schemas.tables import LABELS

    monkeypatch.setattr(index, "_LAG", 1)
    for number in range(6):
        labelled(lake, f"d{number}", [f"l{number}"])
    kept = lake.table(LABELS).location.join(index.FOLDER).list()
    assert kept != [f"{lake.table(LABELS).version():020}.arrow"]
    assert Volumes(lake, LABELS).ids == [f"l{number}" for number in range(6)]
    labelled(lake, "d0", ["again"])
    kept = lake.table(LABELS).location.join(index.FOLDER).list()
    assert kept == [f"{lake.table(LABELS).version():020}.arrow"]
