"""A table keeps its promises: one commit replaces a delivery, a crash leaves orphans and nothing else."""

import concurrent.futures
import stat

import deltalake
import duckdb
import polars
import pytest
from deltalake import DeltaTable

from lake.errors import TableMissing
from lake.tables.table import Conflict
from schemas.contract import Zone
from schemas.tables import LEDGER, QUARANTINE, SERIES, VOLUMES


def held(path, stage="received"):
    return {"stage": stage, "reason": "unreadable", "remedy": "r", "path": path, "sha256": "0", "instance": None}


def put(table, delivery, paths, stage="received"):
    partition = {"delivery": delivery, "stage": stage}
    return table.replace(partition, [table.write([held(p, stage) for p in paths], partition)])


def test_replacing_a_partition_leaves_the_others_alone(lake):
    table = lake.table(QUARANTINE)
    put(table, "a", ["1"])
    put(table, "b", ["2", "3"])
    put(table, "a", ["4"], "volumes")
    put(table, "a", ["5", "6"])
    found = sorted(f"{r['delivery']} {r['stage']} {r['path']}" for r in table.rows())
    assert found == ["a received 5", "a received 6", "a volumes 4", "b received 2", "b received 3"]
    assert {r["path"] for r in table.rows(["path"], {"delivery": "b"})} == {"2", "3"}
    table.replace({"delivery": "b", "stage": "received"}, [])
    assert table.partitions() == [{"delivery": "a", "stage": "received"}, {"delivery": "a", "stage": "volumes"}]


def test_a_part_that_was_never_committed_is_not_part_of_the_table(lake):
    table = lake.table(QUARANTINE)
    put(table, "a", ["1"])
    table.write([held("lost")], {"delivery": "a", "stage": "received"})
    assert [r["path"] for r in table.rows()] == ["1"]


def test_older_versions_can_be_read(lake):
    table = lake.table(QUARANTINE)
    first = put(table, "a", ["1"])
    put(table, "a", ["2"])
    assert table.read(version=first)["path"].to_pylist() == ["1"]


def test_others_open_the_table_without_this_project(lake):
    table = lake.table(QUARANTINE)
    put(table, "a", ["1", "2"])
    files = [str(f) for f in table.files()]
    assert duckdb.sql("select count(*) from read_parquet($f)", params={"f": files}).fetchone() == (2,)
    assert polars.read_delta(table.location.uri).height == 2
    query = deltalake.QueryBuilder().register("q", DeltaTable(table.location.uri))
    assert query.execute("select path from q").read_all().num_rows == 2
    assert DeltaTable(table.location.uri).metadata().description == QUARANTINE.meaning


def test_an_append_that_builds_on_an_old_version_is_a_conflict(lake):
    table = lake.table(LEDGER)
    row = {"sequence": 0, "time": "t", "type": "x", "event": "{}", "leaf": "0"}
    table.append([table.write([row], {})])
    version = table.version()
    table.append([table.write([row | {"sequence": 1}], {})], expected_version=version)
    with pytest.raises(Conflict):
        table.append([table.write([row | {"sequence": 1}], {})], expected_version=version)
    assert sorted(table.read()["sequence"].to_pylist()) == [0, 1]


def test_writers_of_different_deliveries_at_once_lose_nothing(lake):
    names = [f"d{i}" for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: put(lake.table(QUARANTINE), name, ["1", "2"]), names))
    assert sorted(p["delivery"] for p in lake.table(QUARANTINE).partitions()) == names


def test_a_table_that_is_not_there_says_what_makes_it(lake):
    assert lake.table(SERIES).version() == -1
    assert lake.table(SERIES).rows() == []
    with pytest.raises(TableMissing, match="materialize the asset curated/series"):
        lake.table(SERIES).read()


def test_parts_of_another_table_or_partition_are_refused(lake):
    part = lake.table(QUARANTINE).write([held("1")], {"delivery": "a", "stage": "s"})
    with pytest.raises(ValueError, match="needed its own"):
        lake.table(SERIES).replace({"delivery": "a"}, [part])
    with pytest.raises(ValueError, match="needed \\['delivery', 'stage'\\]"):
        lake.table(QUARANTINE).write([held("1")], {"delivery": "a"})


def test_restricted_files_are_for_their_owner_only(lake):
    put(lake.table(QUARANTINE), "a", ["1"])
    zone = lake.location(Zone.RESTRICTED).path
    assert stat.S_IMODE(zone.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in zone.rglob("*") if f.is_file()} == {0o600}
    assert {stat.S_IMODE(f.stat().st_mode) for f in zone.rglob("*") if f.is_dir()} == {0o700}


def test_a_ledger_never_gets_files_that_nobody_accounts_for(lake):
    assert LEDGER.sealed
    assert not VOLUMES.sealed
    table = lake.table(LEDGER)
    table.append([table.write([{"sequence": 0, "time": "t", "type": "x", "event": "{}", "leaf": "0"}], {})])
    configuration = DeltaTable(table.location.uri).metadata().configuration
    assert int(configuration["delta.checkpointInterval"]) > 10**6
