"""The order of a training away from home: nothing starts that may not, nothing is trained twice, nothing is lost."""

import json

import dagster as dg
import pytest

from lake.zones import Lake
from lineage.ledger.ledger import entries
from lineage.terms.terms import learn
from orchestration.launchers import away
from orchestration.launchers.backend import LaunchError, Lines, Phase, State, Unreachable
from schemas.licence import Licence
from tests.orchestration.launchers.test_pipes import CLOSED, OPENED, message


class Place:
    """A backend that trains at once, or does what it is told to."""

    def __init__(self, root, phase=Phase.DONE, lines=(OPENED, CLOSED)):
        self.root, self.phase, self.lines, self.did = root, phase, lines, []

    def submit(self, job):
        self.did.append("submit")
        self.job = job
        return f"{len(self.did)}:x"

    def poll(self, handle):
        if isinstance(self.phase, Exception):
            raise self.phase
        return State(self.phase, "a reason")

    def logs(self, handle, cursor):
        return Lines(self.lines if cursor is None else (), "read")

    def cancel(self, handle):
        self.did.append("cancel")

    def collect(self, job, name, target):
        self.did.append(f"collect {name}")

    def clear(self, job):
        self.did.append("clear")


@pytest.fixture
def place(root, slurm_document, tmp_path, monkeypatch):
    """That backend in the place of the configured one, and no process of torch in the place of the record."""
    document = tmp_path / "slurm.yaml"
    slurm_document().write(document)
    monkeypatch.setenv("LARMOR_LAUNCHER", "slurm")
    monkeypatch.setenv("LARMOR_LAUNCHING", str(document))
    found = Place(root)
    monkeypatch.setattr(away, "backend_of", lambda *_: found)
    monkeypatch.setattr(away, "here", lambda *_, **__: found.did.append("record") or {"steps": 4})
    monkeypatch.setattr("orchestration.launchers.pipes._LATE", 1)
    return found


def said(result):
    """Why a run failed."""
    (event,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    return event.step_failure_data.user_failure_data.description


def remembered(root):
    """Jobs that the next run would find again."""
    folder = root / "scratch" / "launched"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_model_is_collected_recorded_and_only_then_forgotten(place, root, materialize):
    assert materialize().success
    assert place.did == ["submit", "collect synthetic-tiny", "clear", "record"]
    assert remembered(root) == []
    assert place.job.labels["decision"]
    assert place.job.labels["asset"] == "models.pretrained"


def test_terms_that_no_longer_allow_training_stop_it_before_anything_is_submitted(place, root, materialize):
    licence = Licence(
        id="synthetic", title="Synthetic", licensor="Example", valid_from="2020-01-01", deliveries=["*"],
        purposes=["model-training"], train_models=False, share_models=False, export=False, attribution="Example",
        contact="data@example.org",
    )  # fmt: skip
    learn(Lake.open(root), licence)
    result = materialize()
    assert "train_models" in said(result)
    assert place.did == []
    refused = [json.loads(e["event"])["facts"] for e in entries(Lake.open(root)) if e["type"] == "refused"]
    assert [facts["action"] for facts in refused] == ["train"]


def test_what_may_cost_too_much_is_not_submitted(place, tmp_path, slurm_document, materialize):
    price = {"per_hour": 2.0, "currency": "USD", "date": "2026-01-01", "source": "a bill"}
    slurm_document(price=price, most=1.0).write(tmp_path / "slurm.yaml")
    assert "may cost 48.00 USD" in said(materialize())
    assert place.did == []


def test_a_model_that_is_there_is_not_trained_again(place, root, materialize):
    (root / "models" / "synthetic-tiny").mkdir(parents=True)
    (root / "models" / "synthetic-tiny" / "manifest.json").write_text("{}")
    assert materialize().success
    assert place.did == ["record"]


def test_a_run_whose_process_was_lost_finds_its_job_again(place, root, materialize):
    place.phase = Unreachable("the controller did not answer")

    def lost(*_, **__):
        raise Unreachable("the process was killed here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestration.launchers.pipes.PipesLauncherClient._watched", lost)
        place.phase = Phase.RUNNING
        assert "the next run finds it again" in said(materialize())
    assert remembered(root) == ["synthetic-tiny.slurm.json"]
    place.phase = Phase.DONE
    assert materialize().success
    assert place.did == ["submit", "collect synthetic-tiny", "clear", "record"]


def test_another_training_of_the_same_name_is_not_started_beside_one_that_runs(place, root, materialize):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestration.launchers.pipes.PipesLauncherClient._watched", lambda *_: raised())
        place.phase = Phase.RUNNING
        materialize()
        assert "training another model of this name" in said(materialize(steps="8"))
    assert place.did == ["submit"]


def raised():
    raise Unreachable("gone")


def test_a_job_that_says_what_is_wrong_is_not_tried_again_and_a_lost_one_is(place, root, materialize):
    wrong = message("report_custom_message", payload={"reason": "found no volume to learn from, needed one"})
    place.phase, place.lines = Phase.FAILED, (OPENED, wrong, CLOSED)
    result = materialize()
    assert said(result) == "found no volume to learn from, needed one"
    assert place.did == ["submit"]
    place.lines = (OPENED, CLOSED)
    result = materialize()
    assert place.did == ["submit"] * 3, "the lost one was submitted twice"
    assert remembered(root) == []
    assert "record" not in place.did


def test_a_launcher_without_a_document_says_where_it_is_described(place, monkeypatch, materialize):
    monkeypatch.delenv("LARMOR_LAUNCHING")
    assert "docs/how-to/train-on-slurm.md" in said(materialize())


def test_a_model_that_lies_elsewhere_comes_whole_or_not_at_all(tmp_path, job):
    class Breaks:
        def collect(self, _job, _name, target):
            target.mkdir(parents=True)
            (target / "weights").write_bytes(b"half")
            raise LaunchError("the bucket is gone")

    folder = tmp_path / "models" / "brain"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("the old one")
    with pytest.raises(LaunchError):
        away._brought(Breaks(), job(), "brain", folder)
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_at_home_nothing_is_launched(root, materialize, monkeypatch):
    monkeypatch.setattr("assets.training.here", lambda *_, **__: {"steps": dg.MetadataValue.int(4)})
    result = materialize()
    (event,) = result.asset_materializations_for_node("models__pretrained")
    assert event.metadata["decision"].value
    assert not (root / "scratch").exists()
