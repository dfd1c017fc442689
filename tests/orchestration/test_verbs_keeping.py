"""`larmor doctor scrub` and `larmor doctor backup`, and the asset that scrubs at night."""

import json
import shutil

import dagster as dg
import pytest
from click.testing import CliRunner

from lake.zones import Lake
from lineage.ledger import ledger
from orchestration.cli import cli
from orchestration.definitions import build
from schemas.tables import QUARANTINE


@pytest.fixture
def root(tmp_path):
    """A lake of one small table."""
    lake = Lake.open(tmp_path / "lake", principal="tester")
    row = {"stage": "s", "reason": "unreadable", "remedy": "r", "path": "p", "sha256": "0", "instance": None}
    partition = {"delivery": "a", "stage": "s"}
    table = lake.table(QUARANTINE)
    table.replace(partition, [table.write([row], partition)])
    ledger.append(lake, "materialized", {"table": "restricted/quarantine", "rows": 1})
    return lake.settings.root


def run(root, *words):
    return CliRunner().invoke(cli, ["--root", str(root), "doctor", *words], standalone_mode=False)


def damage(root):
    part = next((root / "restricted" / "quarantine").rglob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"\0")


def test_a_backup_is_made_listed_and_restored(root, tmp_path):
    place = str(tmp_path / "backups")
    assert "files" in run(root, "backup", place).output
    (listed,) = json.loads(run(root, "backup", place, "--list", "--json").output)
    assert listed["restricted"] is True
    told = run(tmp_path / "empty", "backup", place, "--restore", "--json")
    assert told.return_value == 0
    assert json.loads(told.output)["rows"]["restricted/quarantine"] == 1
    assert run(tmp_path / "empty", "scrub", "--all").return_value == 0


def test_a_damaged_file_ends_in_exit_code_1_and_the_remedy(root):
    assert run(root, "scrub", "--all").return_value == 0
    damage(root)
    told = run(root, "scrub", "--all")
    assert told.return_value == 1
    assert "restricted/quarantine/delivery=a" in told.output
    assert "LARMOR_MIRROR" in told.output


def test_the_asset_reports_and_its_check_fails_until_the_file_is_well_again(root, tmp_path):
    shutil.copytree(root, tmp_path / "copy")
    damage(root)
    definitions = build(str(root))
    job = definitions.resolve_job_def("scrub")
    everything = {"ops": {"audit__scrub": {"config": {"everything": True}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, run_config=everything)
        (check,) = result.get_asset_check_evaluations()
        assert not check.passed
        shutil.copytree(tmp_path / "copy", root, dirs_exist_ok=True)
        (check,) = job.execute_in_process(instance=instance, run_config=everything).get_asset_check_evaluations()
        assert check.passed
    schedule = next(s for s in definitions.schedules if s.name == "scrub")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
