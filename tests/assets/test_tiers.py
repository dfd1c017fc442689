"""Materialized in Dagster, the plan shows the money and the picture, and the moves are done and told."""

import dagster as dg
import pytest

from assets.resources import LakeResource
from assets.tiers import queued, tier_moves, tier_plan
from orchestration.definitions import build
from orchestration.jobs import TIERS_JOB
from schemas.tables import TIER_MOVES, VOLUMES
from tests import synthetic

COLD = "S3 Glacier Instant Retrieval"


@pytest.fixture
def filled(tmp_path, monkeypatch):
    from lake.zones import Lake

    root, cold = tmp_path / "lake", tmp_path / "cold"
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        f"name: all-cold\ntitle: t\nrules: [{{name: all, when: {{tables: ['curated/v*']}}, tier: {COLD}}}]\n"
    )
    monkeypatch.setenv("LARMOR_TIERS", f'{{"{COLD}": "{cold}"}}')
    monkeypatch.setenv("LARMOR_TIERING", str(policy))
    lake = Lake.open(root)
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1"]})
    return lake


def test_plan_and_moves_materialize_with_money_table_and_picture(filled):
    resources = {"lake": LakeResource(root=str(filled.settings.root))}
    result = dg.materialize([tier_plan, tier_moves], resources=resources)
    assert result.success
    told = result.asset_materializations_for_node("audit__tier_plan")[0].metadata
    for name in ("cost_month", "cost_month_after", "saved_month", "times_optimum", "of_first_class"):
        assert isinstance(told[name].value, float)
    assert "data:image/png" in told["plot"].value
    assert {"optimum", "break-even", "all-cold"} <= {r.data["way"] for r in told["ways"].records}
    moved = result.asset_materializations_for_node("audit__tier_moves")[0].metadata
    assert (moved["moved"].value, moved["failed"].value) == (1, 0)
    assert [row["table"] for row in filled.table(TIER_MOVES).rows()] == [VOLUMES.path]
    assert (filled.settings.tiers[COLD] / VOLUMES.path).is_dir()


def test_trainings_that_wait_are_known_to_the_plan():
    definitions = build()
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("release")
        for name, status in (("waits", dg.DagsterRunStatus.NOT_STARTED), ("done", dg.DagsterRunStatus.SUCCESS)):
            instance.create_run_for_job(job, status=status, tags={"dagster/partition": name})
        assert queued(instance) == ["waits"]


def test_the_schedule_is_off_until_somebody_turns_it_on():
    (schedule,) = [s for s in build().schedules if s.name == "tiers"]
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert schedule.job_name == TIERS_JOB.name
