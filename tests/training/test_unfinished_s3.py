"""A training whose machine is gone goes on elsewhere from what lies in the zone, whole, and never with another's."""

import json

import pytest

from lake.stores.aws import StoreError
from lake.zones import Lake
from schemas.contract import Zone
from training.errors import CheckpointError, TrainingError
from training.running.workspace import Workspace
from training.shelf import desk, put_up
from training.unfinished import making

pytestmark = pytest.mark.s3

SHARDS = {".metadata": b"m", "__0_0.distcp": b"0" * 9_000_000, "__1_0.distcp": b"1"}


@pytest.fixture
def machine(tmp_path, faults, monkeypatch):
    """Machines whose lakes share the models zone in a bucket and nothing else."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    return lambda name: Lake.open(tmp_path / name, models="s3://lake/models")


def write(path):
    """Half a checkpoint as one file, the other half as shards."""
    if "step-000000005" in path.name:
        path.write_bytes(b"five")
        return
    for name, data in SHARDS.items():
        path.mkdir(exist_ok=True)
        (path / name).write_bytes(data)


def train(lake, steps, *, identity="a", replace=False, finish=False):
    """Train the model `m` to these steps, saving each; what it was told, and the step it began at."""
    events, folder = [], desk(lake, "m")
    with making(lake, folder, events.append) as told:
        workspace = Workspace.beside(folder)
        resumed = workspace.claim(identity, replace=replace)
        for step in steps:
            workspace.note({"event": "step", "step": step})
            workspace.resumable.save(step, write, {"volume": step})
            workspace.resumable.prune(keep_last=2)
            told({"event": "saved", "step": step})
        if not finish:
            raise KeyboardInterrupt
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text("{}")
        workspace.clear()
    return events, resumed


def killed(lake, steps, **more):
    with pytest.raises(KeyboardInterrupt):
        train(lake, steps, **more)


def there(lake):
    return lake.location(Zone.MODELS, ".runs", "m").walk()


def test_another_machine_goes_on_from_the_newest_step_and_its_report(machine):
    first, second = machine("first"), machine("second")
    killed(first, [5, 10, 15])
    workspace = Workspace.beside(desk(second, "m"))
    _, resumed = train(second, [20], finish=True)
    assert resumed == workspace.resumable.place(15)
    assert [event["step"] for event in workspace.steps()] == [5, 10, 15, 20]
    assert there(second) == [], "a finished model has no leftovers in the zone"
    assert second.location(Zone.MODELS, "m").walk() == ["manifest.json"]


def test_shards_and_records_come_over_byte_for_byte(machine):
    first, second = machine("first"), machine("second")
    killed(first, [5, 10])
    killed(second, [])
    one, other = (Workspace.beside(desk(lake, "m")).resumable for lake in (first, second))
    assert other.steps() == [10], "one is enough to go on"
    assert other.record(10) == one.record(10)
    assert {p.name: p.read_bytes() for p in other.place(10).iterdir()} == SHARDS


def test_what_was_pruned_here_goes_there(machine):
    first = machine("first")
    killed(first, [5, 10, 15])
    assert not [name for name in there(first) if "step-000000005" in name]
    assert [name for name in there(first) if "step-000000010" in name]


def test_a_copy_that_was_cut_short_is_not_resumed(machine, faults):
    first, second = machine("first"), machine("second")
    killed(first, [5])
    faults.add("failed", "PUT", "step-000000010.json", times=8)
    killed(first, [10])
    assert train(second, [], finish=True)[1] == Workspace.beside(desk(second, "m")).resumable.place(5)


def test_a_damaged_copy_gives_way_to_the_one_before_and_none_whole_is_said(machine):
    first, second = machine("first"), machine("second")
    killed(first, [5, 10])
    zone = first.location(Zone.MODELS, ".runs", "m", "resume")
    zone.write_bytes("step-000000010.ckpt/__1_0.distcp", b"flipped")
    killed(second, [])
    assert Workspace.beside(desk(second, "m")).resumable.steps() == [5]
    zone.write_bytes("step-000000005.ckpt", b"flipped")
    with pytest.raises(CheckpointError, match=r"2 resumable checkpoints at s3://lake/models.* none"):
        train(machine("third"), [])
    assert train(first, [15], finish=True)[1] == Workspace.beside(desk(first, "m")).resumable.place(10)


@pytest.mark.parametrize("kind", ["throttled", "lost", "failed"])
def test_a_store_that_stumbles_loses_no_save(machine, faults, kind):
    first, second = machine("first"), machine("second")
    faults.add(kind, "PUT", ".runs", times=3)
    killed(first, [5])
    assert kind in faults.met
    faults.add("cut" if kind == "failed" else kind, "GET", "step-", times=2)
    assert train(second, [], finish=True)[1] == Workspace.beside(desk(second, "m")).resumable.place(5)


def test_credentials_that_run_out_stop_no_training_and_the_next_save_is_copied(machine, faults):
    first = machine("first")
    faults.add("expired", "PUT", "step-000000005", times=1)
    events, _ = train(first, [5, 10], finish=True)
    (left,) = [event for event in events if event["event"] == "not_copied"]
    assert left["step"] == 5
    assert "expired AWS credentials" in left["reason"]
    assert [event["step"] for event in events if event["event"] == "saved"] == [5, 10]


def test_a_desk_that_is_further_than_the_zone_goes_on_from_itself(machine, faults):
    first = machine("first")
    killed(first, [5])
    faults.add("denied", "PUT", ".runs", times=1)
    killed(first, [10])
    assert train(first, [], finish=True)[1] == Workspace.beside(desk(first, "m")).resumable.place(10)


def test_another_training_is_refused_or_takes_the_place(machine):
    first, second = machine("first"), machine("second")
    killed(first, [5, 10])
    with pytest.raises(TrainingError, match="another configuration, release or parent"):
        train(second, [], identity="b")
    killed(second, [5], identity="b", replace=True)
    assert json.loads(first.location(Zone.MODELS, ".runs", "m").read_bytes("run.json")) == {"identity": "b"}
    assert not [name for name in there(first) if "step-000000010" in name]
    # the first machine's steps are of a training that was given up
    assert train(first, [], identity="b", finish=True)[1] == Workspace.beside(desk(first, "m")).resumable.place(5)


def test_a_model_that_another_machine_finished_is_there_and_nothing_is_resumed(machine):
    first, second = machine("first"), machine("second")
    train(first, [5], finish=True)
    with making(second, desk(second, "m"), print):
        assert (desk(second, "m") / "manifest.json").is_file()
        assert not Workspace.beside(desk(second, "m")).resumable.steps()


def test_what_resuming_needs_stays_until_the_model_is_in_the_zone(machine, faults):
    first = machine("first")
    faults.add("failed", "PUT", "models/m/manifest.json", times=8)
    with pytest.raises(StoreError):
        train(first, [5], finish=True)
    assert "resume/step-000000005.json" in there(first)
    put_up(first, desk(first, "m"))
    with making(first, desk(first, "m"), print):
        pass
    assert there(first) == []


def test_nothing_is_copied_where_the_zone_is_a_folder(tmp_path):
    lake = Lake.open(tmp_path / "near")
    train(lake, [5], finish=True)
    assert Workspace.beside(desk(lake, "m")).folder.is_dir()
    assert not (tmp_path / "near" / "scratch").exists()
