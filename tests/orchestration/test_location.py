"""The code location loads the way each of Dagster's own commands loads it."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["dg", "check", "defs"], ["dagster", "definitions", "validate", "-w", "workspace.yaml"]],
    ids=["dg", "workspace.yaml"],
)
def test_definitions_are_valid_for_dagsters_commands(command):
    told = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_import_names_are_ours():
    from orchestration.doctor import _rooms

    finding = _rooms()
    assert finding.ok, finding.found


def test_the_lock_holds_versions_and_hashes_only():
    lock = (PROJECT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
    pinned = [line for line in lock.splitlines() if "==" in line and not line.startswith(" ")]
    assert len(pinned) > 150
    assert not [line for line in pinned if line.startswith("deid==")]
    assert lock.count("--hash=sha256:") >= len(pinned)
