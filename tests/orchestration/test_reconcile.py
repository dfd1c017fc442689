"""Dagster's own database can be edited with one statement; whoever does so is found by the ledger."""

import json
import shutil
import sqlite3

import dagster as dg
import pytest

from assets.metadata import reported
from assets.told import told
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.reconcile import reconciled
from orchestration.instance import instance, prepare
from schemas.tables import SERIES
from stages.station import Outcome, recorded
from tests.orchestration.test_cli import larmor

DELIVERIES = dg.StaticPartitionsDefinition(["d-1", "d-2"])


@dg.asset(key=["curated", "series"], partitions_def=DELIVERIES)
def series(context: dg.AssetExecutionContext, root: dg.ResourceParam[str]) -> dg.MaterializeResult:
    """A station that commits an empty delivery and tells of it."""
    lake = Lake.open(root)
    version = lake.table(SERIES).replace({"delivery": context.partition_key}, [])
    outcome = Outcome(SERIES.path, version, 0, duplicates=3)
    recorded(lake, EventType.MATERIALIZED, "s", context.partition_key, outcome)
    return dg.MaterializeResult(metadata=reported(outcome))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A lake with two deliveries, run by Dagster."""
    root = tmp_path_factory.mktemp("made")
    lake = Lake.open(root)
    with instance(lake.settings) as opened:
        for name in ("d-1", "d-2"):
            assert dg.materialize([series], partition_key=name, instance=opened, resources={"root": str(root)}).success
    return root


@pytest.fixture
def lake(made, tmp_path):
    shutil.copytree(made, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def differences(lake):
    with instance(lake.settings) as opened:
        return reconciled(lake, told(opened))


def databases(lake):
    return sorted((prepare(lake.settings) / "history" / "runs").glob("*.db"))


def edited(path, statement, *values):
    with sqlite3.connect(path) as database:
        assert database.execute(statement, values).rowcount > 0
    database.close()


def test_what_was_run_agrees(lake):
    assert differences(lake) == []


def test_one_changed_number_is_found_wherever_dagster_keeps_it(lake):
    changed = 0
    for path in databases(lake):
        kept = path.read_bytes()
        for table, column in (("event_logs", "event"), ("asset_keys", "last_materialization")):
            with sqlite3.connect(path) as database:
                there = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
                query = f"SELECT count(*) FROM {table} WHERE {column} LIKE '%ASSET_MATERIALIZATION\"%'"
                rows = database.execute(query).fetchone()[0] if there else 0
            database.close()
            if rows:
                statement = f"UPDATE {table} SET {column} = replace({column}, '\"value\": 3}}', '\"value\": 4}}')"
                edited(path, statement)
                assert "says duplicates 4, entry" in str(differences(lake)), f"{path.name} {table}"
                path.write_bytes(kept)
                changed += 1
    assert changed >= 4  # two runs, the log of the assets, and the newest


def test_a_wiped_asset_and_a_deleted_run_are_found(lake):
    with instance(lake.settings) as opened:
        opened.wipe_assets([dg.AssetKey(["curated", "series"])])
        for run in opened.get_runs():
            opened.delete_run(run.run_id)
    found = differences(lake)
    assert len(found) == 2
    assert all("the orchestrator's log does not" in line for line in found)


def test_the_verb_tells_and_its_exit_code_says_so(lake, capsys, monkeypatch):
    root = lake.settings.root
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "reconcile", "--json")
    assert (code, json.loads(out)) == (0, {"ok": True, "differences": [], "notes": []})
    newest = lake.table(SERIES).location.path / "_delta_log" / f"{2:020}.json"
    newest.unlink()
    for arguments in ([], ["--without-dagster"]):
        code, out, _ = larmor(capsys, monkeypatch, "--root", root, "reconcile", *arguments)
        assert (code, "version 2, delivery d-2" in out, "removed" in out) == (1, True, True)
