"""A training that is stopped, killed or out of room goes on as if nothing had happened, or says what it needs."""

import errno
import os
import signal

import pytest
import torch

from tests.training.running import toy
from training.errors import CheckpointError, TrainingError
from training.running.curves import picture, table
from training.running.interruption import Stopped
from training.running.session import summary, totals
from training.running.workspace import Workspace


def states(module):
    return torch.cat([value.detach().double().flatten() for value in module.state_dict().values()])


def stopping(at):
    """A report that tells this process to stop after a step."""

    def report(event):
        if event["event"] == "step" and event["step"] == at:
            os.kill(os.getpid(), signal.SIGTERM)

    return report


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9, "micro_tokens": 8}], ids=["plain", "mean and parts"])
def test_told_to_stop_it_saves_and_goes_on_bit_for_bit(config, train, changes, tmp_path):
    through, _ = train(config(**changes), name="through")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match="saved step 5 of 8"):  # told between two steps, it finishes the next one
        train(config(**changes), name="cut", report=stopping(4))
    assert signal.getsignal(signal.SIGTERM) == before
    cut, events = Workspace.beside(tmp_path / "cut"), []
    assert cut.resumable.steps() == [3, 5]
    assert [event["step"] for event in cut.steps()] == [1, 2, 3, 4, 5]
    resumed, _ = train(config(**changes), name="cut", resume=cut.resumable.newest(), report=events.append)
    assert events[0] == {"event": "resumed", "step": 5, "steps": 8}
    assert torch.equal(states(resumed), states(through)), "buffers too"
    assert [event["step"] for event in cut.steps()] == list(range(1, 9))


def test_each_resumable_checkpoint_says_which_volumes_it_was_trained_on(config, train):
    made = config(steps=8, save_every=2, keep_last=2, keep_every=4)
    served = toy.exposure(made)
    _, workspace = train(config(steps=7, save_every=2, keep_last=1, keep_every=4), exposure=served)
    assert workspace.resumable.steps() == [4, 6]
    for step in (4, 6):
        record = workspace.resumable.record(step)
        assert record["exposure"] == served(step)
        assert sum(record["exposure"].values()) == step * 6


def test_with_no_room_left_the_checkpoint_before_stays_and_the_error_says_so(config, train, monkeypatch):
    def full(event):
        if event["event"] == "saved":
            monkeypatch.setattr("lightning.pytorch.Trainer.save_checkpoint", no_room)

    def no_room(_trainer, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(TrainingError, match=r"no way to save step 6 .*No space left.*that of step 3 stays.*Free some"):
        train(config(), report=full)
    monkeypatch.undo()
    _, workspace = train(config(steps=4))
    assert not list(workspace.folder.rglob("*.part"))


def test_a_truncated_checkpoint_is_passed_over_for_the_one_before_and_told_when_there_is_none(config, train):
    _, workspace = train(config(steps=7, save_every=2))
    resumable = workspace.resumable
    assert resumable.newest() == resumable.place(6)
    whole = resumable.place(6).read_bytes()
    resumable.place(6).write_bytes(whole[:-100])
    assert resumable.newest() == resumable.place(4)
    resumable.place(4).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"2 resumable checkpoints .*none of them whole"):
        resumable.newest()


@pytest.mark.filterwarnings("ignore")
def test_a_loader_process_that_is_lost_ends_the_training_with_a_reason(config, train, monkeypatch):
    monkeypatch.setenv("TOY_MISHAP", "loader")
    with pytest.raises(TrainingError, match=r"a loader process gone.*out of memory"):
        train(config(workers=1))


@pytest.mark.parametrize("broken", [ConnectionResetError, EOFError])
def test_a_loader_process_that_is_lost_while_it_hands_over_is_told_as_such(config, train, monkeypatch, broken):
    def gone(*_):
        raise broken

    monkeypatch.setattr("torch.utils.data.dataloader._MultiProcessingDataLoaderIter._try_get_data", gone)
    with pytest.raises(TrainingError, match="a loader process gone"):
        train(config(workers=1))


def test_an_error_in_a_loader_process_is_told_as_it_was_said(config, train):
    class Wrong(toy.Numbers):
        def __getitem__(self, key):
            raise TrainingError("found a wrong label, needed a right one")

    with pytest.raises(TrainingError, match=r"^found a wrong label, needed a right one$"):
        train(config(workers=1), dataset=Wrong())


def test_probes_and_alarms_are_reported_once(config, train):
    class Alarmed(toy.Averager):
        def alarms(self, monitors):
            return ["entropy: fell"] if monitors["size"] == 6 else ["never"]

    events = []
    _, workspace = train(
        config(probe_every=4), module=Alarmed(), report=events.append, probe=lambda _m: {"effective_rank": 1.0}
    )
    assert [e["step"] for e in events if e["event"] == "probe"] == [4, 8]
    assert [e["reason"] for e in events if e["event"] == "alarm"] == [
        "entropy: fell", "collapse: the features' effective rank is below 2",
    ]  # fmt: skip
    told = summary(workspace)
    assert told["probe"] == {"effective_rank": 1.0}
    assert len(told["alarms"]) == 2


def test_every_report_measures_and_the_summary_adds_up(config, train):
    _, workspace = train(config(device_hour_price=3.6, device_hour_price_on="2026-01-01"))
    steps = workspace.steps()
    told, used = summary(workspace), totals(workspace)
    assert told["device_hours"] == pytest.approx(sum(step["seconds"] for step in steps) / 3600)
    assert used.cost == pytest.approx(3.6 * told["device_hours"])
    assert "CPU" in used.hardware or "NVIDIA" in used.hardware
    assert told["final_loss"] == steps[-1]["loss"]
    for step in steps:
        assert step["samples"] == 6
        assert step["mfu"] > 0
        assert step["memory_gib"] > 0
        assert 0 <= step["data_wait"] <= 1
        assert step["monitors"] == {"size": 6.0}


def test_curves_are_a_table_with_a_line_a_step_and_a_picture():
    events = [{"event": "step", "step": s, "steps": 3, "loss": 1 / s, "monitors": {"x": s}} for s in (1, 2, 3)]
    events.append({"event": "probe", "step": 2, "probe": {"effective_rank": 4.0}})
    lines = table(events).splitlines()
    assert lines[0] == "step,loss,monitors.x,probe.effective_rank"
    assert lines[1:] == ["1,1.0,1.0,", "2,0.5,2.0,4.0", f"3,{1 / 3},3.0,"]
    assert picture(events).startswith(b"\x89PNG")
    assert picture(events[:1]) is None


def test_a_sink_that_is_not_installed_is_told_before_anything_is_trained(config, train, monkeypatch):
    monkeypatch.setattr("training.running.sinks.find_spec", lambda _name: None)
    with pytest.raises(TrainingError, match=r"mlflow: found no package mlflow.*pip install"):
        train(config(mlflow="file:///nowhere"))
