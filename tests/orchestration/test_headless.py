"""A delivery run through Dagster: recorded, checked, and without a trace of a person in logs, storage or terminal."""

import json
import shutil

import dagster as dg
import pytest

from assets.partitions import DELIVERIES_NAME
from imaging.phantom import BodyPart, PhantomConfig, generate
from orchestration.definitions import build
from orchestration.demo import licence as phantom_licence
from orchestration.headless import RunFailed, failure, run_delivery, run_evidence, together, until
from orchestration.instance import instance
from orchestration.jobs import DELIVERY_ASSETS
from orchestration.sensors import landing, release_specs
from schemas.tables import IDENTIFIERS, INSTANCES, VOLUMES

NAME = "phantom-y"


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    config = PhantomConfig(NAME, seed=5, subjects=1, matrix=32, slices=8, labelled=1.0, body_parts=(BodyPart.HEAD,))
    generate(folder / NAME, folder / f"{NAME}.answers", config)
    return folder


def landed(lake, phantoms):
    shutil.copytree(phantoms / NAME, lake.landing / NAME)
    lake.licences.mkdir(parents=True)
    phantom_licence().write(lake.licences / "phantom-licence.yaml")
    return lake


def test_a_run_is_recorded_and_leaves_no_person_outside_the_restricted_zone(lake, phantoms, capfd):
    landed(lake, phantoms)
    made = run_delivery(lake.settings, NAME)
    assert [m.asset for m in made] == ["/".join(key) for key in DELIVERY_ASSETS]
    # pictures are for pages: a terminal would show their bytes
    assert "data:image" not in str(made)
    told = {m.asset: json.loads(json.dumps(m.metadata)) for m in made}
    assert sum(line["held"] for line in told["restricted/quarantine"]["reasons"]) > 0
    run_evidence(lake.settings)
    with instance(lake.settings) as opened:
        assert opened.get_dynamic_partitions(DELIVERIES_NAME) == [NAME]
        event = opened.get_latest_materialization_event(dg.AssetKey(["curated", "volumes"]))
        shown = event.asset_materialization.metadata
        assert shown["dagster/row_count"].value == lake.table(VOLUMES).read(["volume"]).num_rows
        assert "data:image/png;base64," in shown["preview"].value
    told = "".join(capfd.readouterr()).lower()
    phi = json.loads((phantoms / f"{NAME}.answers" / "phi.json").read_text())
    wanted = {entry["value"].lower() for entry in phi if entry["searchable"]}
    assert not [value for value in wanted if value in told]
    root = lake.settings.root
    outside = [
        f for f in root.rglob("*") if f.is_file() and f.relative_to(root).parts[0] not in ("restricted", "landing")
    ]
    assert any("dagster" in f.parts for f in outside)
    for file in outside:
        data = file.read_bytes().lower() + str(file.relative_to(root)).lower().encode()
        assert not [value for value in wanted if value.encode() in data or value.encode("utf-16-le") in data], (
            file.parent
        )


def test_a_residue_stops_everything_after_it(lake, phantoms, monkeypatch):
    landed(lake, phantoms)
    run_delivery(lake.settings, NAME, "received")
    table = lake.table(IDENTIFIERS)
    rows = table.rows()
    rows.append(rows[0] | {"kind": "name", "value": "Larmorium"})
    part = table.write(rows, {"delivery": NAME})
    monkeypatch.setattr("stages.received.receive", lambda *_: pytest.fail("not run again"))
    table.replace({"delivery": NAME}, [part])
    monkeypatch.setattr("deid.headers.headers.Deidentifier.clean", leaking("Larmorium"))
    from orchestration.headless import _run

    keys = [key for key in DELIVERY_ASSETS if key[-1] != "received"]
    with pytest.raises(RunFailed, match="no_residue"):
        _run(lake.settings, "delivery", keys, (DELIVERIES_NAME, NAME))
    assert lake.table(INSTANCES).read(["instance"]).num_rows
    assert not lake.table(VOLUMES).exists()


def leaking(name):
    from deid.headers.headers import Deidentifier

    clean = Deidentifier.clean

    def leak(self, *arguments):
        return clean(self, *arguments).changed({0x00204000: ("LT", name.encode())})

    return leak


def test_a_failure_names_the_step_and_the_remedy(lake, phantoms):
    landed(lake, phantoms)
    (lake.licences / "phantom-licence.yaml").unlink()
    with pytest.raises(RunFailed, match=r"restricted/received: licence phantom-licence"):
        run_delivery(lake.settings, NAME, "received")


def test_until_names_what_there_is():
    assert until(DELIVERY_ASSETS, "series")[-1] == ("curated", "series")
    assert until(DELIVERY_ASSETS, "curated/volumes")[-1] == ("curated", "volumes")
    assert until(DELIVERY_ASSETS, None) == list(DELIVERY_ASSETS)
    with pytest.raises(ValueError, match="received, instances, decisions"):
        until(DELIVERY_ASSETS, "volume")


def test_every_asset_can_be_the_last(lake):
    definitions = build(str(lake.settings.root))
    job = definitions.resolve_job_def("delivery")
    for key in DELIVERY_ASSETS:
        chosen = together(definitions, until(DELIVERY_ASSETS, key[-1]))
        assert set(job.get_subset(asset_selection=set(chosen)).asset_layer.selected_asset_keys) == set(chosen)
    made = together(definitions, until(DELIVERY_ASSETS, "instances"))
    assert dg.AssetKey(["audit", "decisions"]) in made


def test_landed_deliveries_become_partitions_and_one_run_once(lake):
    for name in ("a", "b", ".c.partial"):
        (lake.landing / name).mkdir(parents=True)
        (lake.landing / name / "delivery.yaml").touch()
    (lake.landing / "no-manifest-yet").mkdir()
    with dg.DagsterInstance.ephemeral() as opened:
        resources = {"lake": build(str(lake.settings.root)).resources["lake"]}
        with dg.build_sensor_context(instance=opened, resources=resources, definitions=build()) as context:
            result = landing(context)
            (request,) = result.run_requests
            assert request.run_config["ops"]["work_off"]["config"] == {"deliveries": ["a", "b"]}
            opened.add_dynamic_partitions(DELIVERIES_NAME, ["a", "b"])
            assert "1 of what lies there without delivery.yaml" in landing(context).skip_message
            (lake.landing / "no-manifest-yet").rmdir()
            assert landing(context).skip_message == "found no new delivery in landing"
            assert isinstance(release_specs(context), dg.SkipReason)


def test_telemetry_and_the_first_visit_pop_up_are_off(lake):
    with instance(lake.settings) as opened:
        assert opened.get_settings("telemetry")["enabled"] is False
        assert opened.nux_enabled is False


def test_a_run_that_was_stopped_in_a_step_says_so():
    @dg.op
    def interrupted() -> None:
        raise dg.DagsterExecutionInterruptedError

    @dg.job
    def stopped() -> None:
        interrupted()

    with dg.DagsterInstance.ephemeral() as memory:
        result = stopped.execute_in_process(instance=memory, raise_on_error=False)
    assert failure(result) == "interrupted: stopped; what was finished is kept, the same command goes on from there"
