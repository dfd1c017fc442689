"""`larmor tiers` plans, moves and restores, and says what it did."""

import json
import sys

import pytest

from orchestration import cli
from schemas.tables import VOLUMES
from tests import synthetic

COLD, FROZEN = "S3 Glacier Instant Retrieval", "S3 Glacier Deep Archive"
POLICY = f"""
name: ours
title: t
method: rules
rules:
  - {{name: spare, when: {{tables: [curated/volumes], need: spare}}, tier: {FROZEN}, why: older versions only}}
  - {{name: rest, when: {{tables: [curated/volumes]}}, tier: {COLD}}}
"""


@pytest.fixture
def larmor(lake, tmp_path, capsys, monkeypatch):
    """Run a verb on a lake with one spare and one needed file of volumes; exit code, output, errors."""
    synthetic.know(lake, synthetic.licence())
    for subject in ("S1", "S2"):
        synthetic.put(lake, VOLUMES, "a", [synthetic.volume_row("a", subject)])
    (tmp_path / "ours.yaml").write_text(POLICY)
    monkeypatch.setenv("LARMOR_TIERING", str(tmp_path / "ours.yaml"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["larmor", "--root", str(lake.settings.root), "tiers", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        return (1, told.out, told.err + end.value.code) if isinstance(end.value.code, str) else (end.value.code, *told)

    return run


def test_a_lake_is_planned_moved_and_restored(larmor, tmp_path, monkeypatch):
    code, out, _ = larmor("plan")
    assert code == 0
    for words in ("rule spare: older versions only", COLD, "optimum", "Nothing was moved", "LARMOR_TIERS"):
        assert words in out
    code, _, err = larmor("move")
    assert code == 1
    assert "LARMOR_TIERS" in err
    folders = {name: str(tmp_path / name) for name in (COLD, FROZEN)}
    monkeypatch.setenv("LARMOR_TIERS", json.dumps(folders))
    planned = json.loads(larmor("plan", "--json", "--plot", str(tmp_path / "p.svg"))[1])
    assert [m["target"] for m in planned["moves"] if m["table"] == VOLUMES.path].count(FROZEN) == 1
    assert b"<svg" in (tmp_path / "p.svg").read_bytes()
    moved = json.loads(larmor("move", "--json")[1])
    assert moved["tables"][0]["moved"] == 2
    assert "Nothing was to move" in larmor("move")[1]
    back = json.loads(larmor("restore", VOLUMES.path, "--json")[1])
    assert (back["tables"][0]["moved"], back["faults"]) == (1, [])
