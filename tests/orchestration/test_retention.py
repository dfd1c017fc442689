"""What terms ask to be deleted is listed and planned by the clock, and nothing is deleted by it."""

import datetime as dt
import json

import dagster as dg
import pytest
from click.testing import CliRunner

from assets.resources import LakeResource
from lake.zones import Lake
from lineage.terms import terms
from orchestration.cli import cli
from orchestration.retention import RETENTION_JOB
from orchestration.schedules import SCHEDULES
from schemas.contract import Zone
from schemas.tables import VOLUMES
from tests import synthetic


@pytest.fixture
def ended(tmp_path):
    """A lake whose only licence ended long ago, its data to be destroyed."""
    lake = Lake.open(tmp_path / "lake", principal="tester")
    synthetic.know(lake, synthetic.licence())
    synthetic.land(lake, {"a": ["S1"]})
    synthetic.fill(lake, {"a": ["S1"]})
    terms.learn(lake, synthetic.licence(valid_until=dt.date(2021, 1, 1), at_end="destroy"))
    return lake


def test_what_is_due_is_listed_with_the_digits_that_its_plan_prints(ended):
    def larmor(*arguments):
        return CliRunner().invoke(cli, ["--root", str(ended.settings.root), *arguments], catch_exceptions=False).stdout

    (row,) = json.loads(larmor("withdraw", "--due", "--json"))
    assert (row["what"], row["why"], row["since"]) == ("--licence open-licence", "end", "2021-01-02")
    assert row["confirm"] == json.loads(larmor("withdraw", "--licence", "open-licence", "--json"))["confirm"]
    assert "--licence open-licence" in larmor("withdraw", "--due")


def test_the_nightly_job_plans_and_deletes_nothing(ended):
    rows = ended.table(VOLUMES).read(["volume"]).num_rows
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"lake": LakeResource(root=str(ended.settings.root))}
        done = RETENTION_JOB.execute_in_process(resources=resources, instance=instance)
    assert done.success
    assert len(ended.location(Zone.AUDIT, "withdrawals-due").list()) == 1
    assert ended.table(VOLUMES).read(["volume"]).num_rows == rows > 0


def test_the_schedule_is_there_and_off_until_somebody_turns_it_on():
    (schedule,) = [each for each in SCHEDULES if each.name == "retention"]
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
