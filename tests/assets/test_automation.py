"""What Dagster does by itself when inputs were made anew: for those deliveries, once, and never after a leak."""

import datetime as dt

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.events import StepMaterializationData  # not public; what a step reports of an asset

from assets.automation import nightly
from assets.partitions import DELIVERIES_NAME
from orchestration.definitions import build
from orchestration.jobs import DELIVERY_ASSETS

VOLUMES, INSTANCES = ("curated", "volumes"), ("curated", "instances")
BEHIND_VOLUMES = {(*VOLUMES[:1], name) for name in ("series", "reports", "labels", "diagnoses")}
BEHIND_VOLUMES |= {("restricted", "quarantine")}


class Lake:
    """Definitions over an instance in memory, on which runs are reported; ticks of the sensor `following`."""

    def __init__(self, instance):
        self.instance, self.definitions, self._cursor = instance, build(), None
        specs = [spec for checks in self.definitions.asset_checks for spec in checks.check_specs if spec.blocking]
        self._blocking = {key: [s for s in specs if s.asset_key == key] for key in {s.asset_key for s in specs}}

    def arrive(self, *names):
        self.instance.add_dynamic_partitions(DELIVERIES_NAME, list(names))

    def run(self, *keys, delivery=None, failing=()):
        """One run that makes assets; their blocking checks pass, but for those named."""
        job = self.definitions.resolve_job_def("delivery" if delivery else "evidence")
        job = job.get_subset(asset_selection={dg.AssetKey(key) for key in keys})
        tags = {"dagster/partition": delivery} if delivery else {}
        run = self.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.SUCCESS)
        for key in map(dg.AssetKey, keys):
            made = StepMaterializationData(dg.AssetMaterialization(key, partition=delivery))
            self._tell(run, dg.DagsterEventType.ASSET_MATERIALIZATION, made)
            for spec in self._blocking.get(key, []):
                passed = spec.name not in failing
                wanted = dg.AssetRecordsFilter(key, asset_partitions=[delivery] if delivery else None)
                (found,) = self.instance.fetch_materializations(wanted, limit=1).records
                about = AssetCheckEvaluationTargetMaterializationData(
                    storage_id=found.storage_id, run_id=found.run_id, timestamp=found.timestamp
                )
                judged = dg.AssetCheckEvaluation(
                    asset_key=key, check_name=spec.name, passed=passed, metadata={},
                    target_materialization_data=about, partition=delivery, blocking=True,
                )  # fmt: skip
                self._tell(run, dg.DagsterEventType.ASSET_CHECK_EVALUATION, judged)

    def _tell(self, run, kind, data):
        event = dg.DagsterEvent(kind.value, run.job_name, event_specific_data=data)
        self.instance.report_dagster_event(event, run.run_id)

    def tick(self):
        """What is asked for now, as pairs of asset and partition."""
        found = dg.evaluate_automation_conditions(self.definitions, self.instance, cursor=self._cursor)
        self._cursor = found.cursor
        graph = self.definitions.resolve_asset_graph()
        return {
            (tuple(key.path), name)
            for key in graph.get_all_asset_keys()
            for name in found.get_requested_partitions(key)
        }


@pytest.fixture
def lake():
    with dg.DagsterInstance.ephemeral() as instance:
        made = Lake(instance)
        made.tick()
        yield made


def test_arriving_deliveries_are_asked_for_by_nobody_but_the_sensor_of_landing(lake):
    lake.arrive(*(f"delivery-{number:04}" for number in range(1000)))
    assert lake.tick() == set()
    lake.run(("restricted", "received"), delivery="delivery-0007")
    assert lake.tick() == set()


def test_a_run_of_a_whole_delivery_asks_for_nothing(lake):
    lake.arrive("a")
    lake.run(*DELIVERY_ASSETS, delivery="a")
    assert lake.tick() == set()
    assert lake.tick() == set()


def test_a_station_that_ran_by_itself_has_what_is_behind_it_follow_once_for_that_delivery(lake):
    lake.arrive("a", "b")
    lake.run(*DELIVERY_ASSETS, delivery="a")
    lake.run(*DELIVERY_ASSETS, delivery="b")
    lake.tick()
    lake.run(VOLUMES, delivery="a")
    assert lake.tick() == {(key, "a") for key in BEHIND_VOLUMES}
    # nothing came of it, as when a step failed for good: it is not asked for again
    assert [lake.tick() for _ in range(3)] == [set()] * 3
    lake.run(VOLUMES, delivery="a")
    assert lake.tick() == {(key, "a") for key in BEHIND_VOLUMES}


def test_nothing_goes_on_behind_a_leak(lake):
    lake.arrive("a", "b")
    lake.run(*DELIVERY_ASSETS, delivery="a")
    lake.run(*DELIVERY_ASSETS, delivery="b")
    lake.tick()
    for name, failing in (("a", ["no_residue"]), ("b", [])):
        lake.run(INSTANCES, ("audit", "decisions"), delivery=name, failing=failing)
    assert {partition for key, partition in lake.tick() if key == VOLUMES} == {"b"}


def test_the_report_follows_the_seal(lake):
    lake.run(("audit", "ledger"), ("audit", "audit_report"))
    lake.tick()
    lake.run(("audit", "ledger"))
    assert lake.tick() == {(("audit", "audit_report"), None)}


def test_what_costs_money_or_opens_a_sealed_test_set_is_never_started_by_itself(lake):
    following = {
        key.to_user_string()
        for spec in lake.definitions.resolve_all_asset_specs()
        for key in [spec.key]
        if spec.automation_condition
    }
    assert not [key for key in following if key.startswith("models/")]
    assert "curated/release" not in following
    assert not following & {"audit/tier_moves", "audit/ledger", "audit/scrub"}
    (sensor,) = [s for s in lake.definitions.sensors if s.name == "following"]
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED


def test_what_a_schedule_makes_every_night_warns_after_one_night_and_fails_after_three(lake):
    policies = {spec.key.to_user_string(): spec.freshness_policy for spec in lake.definitions.resolve_all_asset_specs()}
    kept = {key for key, policy in policies.items() if policy == nightly()}
    assert kept == {"audit/ledger", "audit/audit_report", "audit/scrub", "audit/tier_plan", "audit/tier_moves"}
    assert dt.timedelta(days=1) < nightly().warn_window.to_timedelta() < dt.timedelta(days=2)
    assert nightly().fail_window.to_timedelta() == dt.timedelta(days=3)
    scheduled = {
        key.to_user_string()
        for schedule in lake.definitions.schedules
        for key in lake.definitions.resolve_job_def(schedule.job_name).asset_layer.executable_asset_keys
    }
    assert scheduled == kept
