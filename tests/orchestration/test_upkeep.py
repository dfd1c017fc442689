"""Upkeep of tables from the command line: what was done, better files, less of them."""

import json

from lake.zones import Lake
from lineage.ledger.ledger import entries
from schemas.tables import LEDGER, QUARANTINE
from stages.upkeep.upkeep import optimized, vacuumed
from tests.orchestration.test_cli import larmor

HERE = {"delivery": "d-1", "stage": "s"}


def filled(root):
    table = Lake.open(root).table(QUARANTINE)
    for path in "abc":
        row = {"reason": "r", "remedy": "m", "path": path, "sha256": "0", "instance": None, "line": None}
        table.append([table.write([row], HERE)])
    return table


def test_a_table_is_put_together_and_its_history_tells(capsys, monkeypatch, tmp_path):
    table = filled(tmp_path)
    code, out, _ = larmor(capsys, monkeypatch, "--root", tmp_path, "doctor", "optimize", "--json")
    assert code == 0
    assert json.loads(out) == [{"table": "restricted/quarantine", "before": 3, "now": 1}]
    assert sorted(table.read()["path"].to_pylist()) == ["a", "b", "c"]
    code, out, _ = larmor(capsys, monkeypatch, "--root", tmp_path, "doctor", "history", "quarantine", "--last", "2")
    assert code == 0
    assert "OPTIMIZE" in out.splitlines()[1]
    code, out, _ = larmor(capsys, monkeypatch, "--root", tmp_path, "doctor", "vacuum", "--dry-run")
    assert (code, out.splitlines()[-1].split()) == (0, ["restricted/quarantine", "0"])


def test_upkeep_is_told_on_the_ledger_and_only_what_was_done(tmp_path, monkeypatch):
    table, lake = filled(tmp_path), Lake.open(tmp_path)
    assert optimized(lake, table) == (3, 1)
    assert optimized(lake, table) == (1, 1)
    assert vacuumed(lake, table) == []
    monkeypatch.setattr("lake.tables.upkeep.LEAST_HOURS", 0)
    assert len(vacuumed(lake, table, hours=0, dry_run=True)) == 3
    assert len(vacuumed(lake, table, hours=0)) == 3
    told = [json.loads(row["event"])["facts"] for row in entries(lake) if row["type"] == "maintained"]
    about = {"table": "restricted/quarantine", "version": 4}
    assert told == [about | {"action": "optimize", "files": 1}, about | {"action": "vacuum", "files": 3}]


def test_what_must_stay_stays(capsys, monkeypatch, tmp_path):
    filled(tmp_path)
    Lake.open(tmp_path).table(LEDGER).append([])
    code, _, err = larmor(capsys, monkeypatch, "--root", tmp_path, "doctor", "optimize", "ledger")
    assert code == 1
    assert "sealed" in err
    code, _, err = larmor(capsys, monkeypatch, "--root", tmp_path, "doctor", "vacuum", "--hours", "1")
    assert code == 2
    assert "24" in err
    code, _, err = larmor(capsys, monkeypatch, "--root", tmp_path, "doctor", "history", "nothing")
    assert (code, "needed one of" in err) == (2, True)
