"""Several processes stop, resume and end together."""

from pathlib import Path

import pytest

from tests.training.running import toy
from training.errors import TrainingError
from training.launch import launch_local
from training.running.interruption import Stopped
from training.running.workspace import Workspace

MODULE = "tests.training.running.toy"


@pytest.fixture(autouse=True)
def findable(monkeypatch):
    """The small training is no installed package."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


def job(out, **config):
    return {"kind": "pretrain", "release": "toy", "name": out.name, "out": str(out), "config": config}


@pytest.mark.slow
def test_a_sharded_training_stops_as_one_and_goes_on_on_another_number_of_processes(
    tmp_path, train, config, monkeypatch
):
    reference = []
    train(config(ema=0.9), report=reference.append)
    wanted = {event["step"]: event["loss"] for event in reference if event["event"] == "step"}
    out = tmp_path / "sharded"
    monkeypatch.setenv("TOY_MISHAP", "stop")  # one process alone is told, in its sixth step
    told = []
    with pytest.raises(Stopped, match="saved step 6"):
        launch_local(job(out, ema=0.9, strategy="fsdp"), 2, told.append, timeout_s=300, module=MODULE)
    workspace = Workspace.beside(out)
    assert workspace.resumable.newest().is_dir(), "every process saved its shard"
    assert workspace.resumable.record(6)["exposure"] == toy.exposure(config())(6)
    monkeypatch.delenv("TOY_MISHAP")
    result = launch_local(job(out, ema=0.9, strategy="fsdp"), 1, told.append, timeout_s=300, module=MODULE)
    assert result.resumed_from == 6
    found = {event["step"]: event["loss"] for event in told if event["event"] == "step"}
    assert found == pytest.approx(wanted, rel=1e-4)
    assert result.exposure == toy.exposure(config())(8)
    assert result.manifest.hardware.startswith("1 x ")
    assert result.manifest.code_sha256


@pytest.mark.slow
def test_a_process_that_is_lost_ends_the_others_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_MISHAP", "rank")
    out = tmp_path / "lost"
    with pytest.raises(TrainingError, match=r"exit code 1 and no finished model(.|\n)*exitcode  : -9"):
        launch_local(job(out), 2, lambda _event: None, timeout_s=300, module=MODULE)
    assert Workspace.beside(out).resumable.steps() == [3]
