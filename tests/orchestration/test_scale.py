"""Many deliveries: few runs, a result for each of them, and none that stops or holds up the others."""

import dagster as dg
import pytest

from assets.failures import OURS
from assets.partitions import DELIVERIES, DELIVERIES_NAME
from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.stores.storage import Location
from orchestration.batch import batch_config, deliveries_job
from orchestration.definitions import build
from orchestration.demo import licence as phantom_licence
from orchestration.jobs import DELIVERY_ASSETS
from orchestration.sensors import landing
from schemas.tables import SERIES

NAMES = ["phantom-0", "phantom-1", "phantom-2"]
BROKEN = "phantom-1"


def wait(lake, number, first=0):
    for place in range(first, first + number):
        (lake.landing / f"delivery-{place:04}").mkdir(parents=True)
        (lake.landing / f"delivery-{place:04}" / "delivery.yaml").touch()


class Daemon:
    """Does with a sensor's result what Dagster's daemon does, without running anything."""

    def __init__(self, lake, instance):
        self.instance = instance
        self.definitions = build(str(lake.settings.root))
        self.runs = []

    def tick(self):
        """Ask the sensor once; the runs that it asked for."""
        resources = {"lake": self.definitions.resources["lake"]}
        with dg.build_sensor_context(
            instance=self.instance, resources=resources, definitions=self.definitions
        ) as context:
            result = landing(context)
        if isinstance(result, dg.SkipReason):
            return []
        for request in result.dynamic_partitions_requests:
            self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        job = self.definitions.resolve_job_def(deliveries_job.name)
        made = [
            self.instance.create_run_for_job(job, run_config=r.run_config, tags=r.tags) for r in result.run_requests
        ]
        self.runs += made
        return made

    def listed(self):
        """The deliveries of all runs asked for."""
        return [name for run in self.runs for name in run.run_config["ops"]["work_off"]["config"]["deliveries"]]


@pytest.fixture
def daemon(lake):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(lake, instance)


def test_300_waiting_deliveries_need_few_runs_each_delivery_in_one(lake, daemon):
    wait(lake, 300)
    while daemon.tick():
        pass
    assert len(daemon.runs) <= 5
    assert sorted(daemon.listed()) == sorted(daemon.instance.get_dynamic_partitions(DELIVERIES_NAME))
    assert len(set(daemon.listed())) == len(daemon.listed()) == 300
    wait(lake, 1, first=300)
    daemon.tick()
    assert daemon.listed()[-1] == "delivery-0300"


def test_10000_deliveries_that_arrive_together_are_a_few_runs_at_a_time(lake, daemon, monkeypatch):
    asked = []
    exists = Location.exists
    monkeypatch.setattr(Location, "exists", lambda self, name: asked.append(name) or exists(self, name))
    wait(lake, 10_000)
    assert len(daemon.tick()) == 4
    assert daemon.tick() == []
    assert len(daemon.listed()) == 400
    # on S3 each question is a request: those that have no room are not asked about
    assert len([name for name in asked if name.endswith("delivery.yaml")]) == 400


def test_more_than_fits_waits_in_landing_until_a_run_has_ended(lake, daemon):
    wait(lake, 450)
    first = daemon.tick()
    assert len(daemon.listed()) == 400
    assert daemon.tick() == []
    daemon.instance.report_run_failed(first[0])
    assert len(daemon.tick()) == 1
    assert len(daemon.listed()) == 450


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch")
    for seed, name in enumerate(NAMES):
        config = PhantomConfig(name, seed=seed, subjects=1, matrix=32, slices=8, body_parts=(BodyPart.KNEE,))
        generate(folder / name, folder / f"{name}.answers", config)
    return folder


@pytest.fixture
def landed(lake, phantoms):
    lake.landing.mkdir(parents=True)
    for name in NAMES:
        (lake.landing / name).symlink_to(phantoms / name) if name != BROKEN else (lake.landing / name).mkdir()
    lake.licences.mkdir(parents=True)
    phantom_licence().write(lake.licences / "phantom-licence.yaml")
    text = (phantoms / BROKEN / "delivery.yaml").read_text().replace("phantom-licence", "no-such-licence")
    (lake.landing / BROKEN / "delivery.yaml").write_text(text)
    return lake


def statuses(instance, key):
    found = instance.get_status_by_partition(dg.AssetKey(list(key)), NAMES, DELIVERIES)
    return {name: status.value for name, status in found.items()}


def test_a_broken_delivery_stops_none_of_its_run_and_shows_as_failed(landed):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(DELIVERIES_NAME, NAMES)
        job = build(str(landed.settings.root)).resolve_job_def(deliveries_job.name)
        result = job.execute_in_process(instance=instance, run_config=batch_config(NAMES), raise_on_error=False)
        assert not result.success
        (failed,) = [event for event in result.all_events if event.is_step_failure]
        told = failed.step_failure_data.user_failure_data
        assert set(told.metadata) - {OURS} == {BROKEN}
        assert "no-such-licence" in told.metadata[BROKEN].text
        assert told.description.startswith("1 of 3 deliveries failed")
        wanted = {name: "FAILED" if name == BROKEN else "MATERIALIZED" for name in NAMES}
        for key in DELIVERY_ASSETS:
            assert statuses(instance, key) == wanted, key
        for key in DELIVERY_ASSETS:
            seen = instance.fetch_observations(dg.AssetKey(list(key)), limit=9).records
            told = {record.partition_key: record.asset_observation.metadata["failed"].text for record in seen}
            assert set(told) == {BROKEN}, "of a run that many share, the partition itself says what failed"
            assert told[BROKEN].startswith("restricted/received: ")
            assert "put the document of the licence there" in told[BROKEN]
        for name in set(NAMES) - {BROKEN}:
            (record,) = instance.fetch_materializations(
                dg.AssetRecordsFilter(dg.AssetKey(["curated", "series"]), asset_partitions=[name]), limit=9
            ).records
            rows = landed.table(SERIES).read(["series"], {"delivery": name}).num_rows
            assert record.asset_materialization.metadata["dagster/row_count"].value == rows > 0
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        told = [entry.dagster_event for entry in instance.all_logs(result.run_id, of_type=kind)]
        checked = [event.asset_check_evaluation_data for event in told]
        assert {check.partition for check in checked} == set(NAMES) - {BROKEN}
        assert {"no_residue", "reconciled", "accounted"} <= {check.check_name for check in checked}
        # checks are about what was just made: automation goes on behind them, and the UI shows them as passed
        keys = [dg.AssetCheckKey(dg.AssetKey(["curated", "instances"]), "no_residue")]
        infos = instance.event_log_storage.get_asset_check_partition_info(keys)
        assert {info.partition_key: info.is_current for info in infos} == dict.fromkeys(set(NAMES) - {BROKEN}, True)
        assert instance.get_runs_count() == 1
