"""What a person at a terminal reads of a run."""

import dagster as dg
import pytest

from orchestration.progress import progress


def _run(severity):
    @dg.asset
    def volumes(context):
        context.log.info("3 of 3 units")

    @dg.asset_check(asset=volumes)
    def usual():
        return dg.AssetCheckResult(passed=False, severity=severity, description="2 of 3 stand out")

    @dg.asset_check(asset=volumes)
    def whole():
        return dg.AssetCheckResult(passed=True)

    job = dg.define_asset_job("all", selection=dg.AssetSelection.all())
    definitions = dg.Definitions([volumes], asset_checks=[usual, whole], jobs=[job], loggers={"progress": progress})
    definitions.resolve_job_def("all").execute_in_process(run_config={"loggers": {"progress": {}}})


@pytest.mark.parametrize(
    ("severity", "said"),
    [(dg.AssetCheckSeverity.WARN, "please look"), (dg.AssetCheckSeverity.ERROR, "failed")],
    ids=["a warning", "a failure"],
)
def test_a_check_says_what_it_found_and_whether_that_is_a_failure(severity, said, capfd):
    _run(severity)
    lines = [line.strip() for line in capfd.readouterr().err.splitlines()]
    assert f"volumes: check usual: {said}; 2 of 3 stand out" in lines
    assert not [line for line in lines if "check whole" in line]
    assert "volumes: 3 of 3 units" in lines
