"""A killed training starts where it was saved; two trainings never write one folder."""

import json
import multiprocessing

import pytest

from training.errors import BusyError, TrainingError
from training.running import workspace as module
from training.running.workspace import Workspace, identity


def test_the_newest_checkpoint_is_resumed_and_old_ones_go(tmp_path):
    workspace = Workspace.beside(tmp_path / "model")
    workspace.folder.mkdir(parents=True)
    assert workspace.claim("a", replace=False) is None
    for step in (5, 10, 15):
        workspace.resumable.save(step, lambda path, step=step: path.write_text(str(step)))
        workspace.resumable.prune(keep_last=2)
    resumed = workspace.claim("a", replace=False)
    assert resumed == workspace.resumable.place(15)
    assert resumed.read_text() == "15"
    assert workspace.resumable.steps() == [10, 15]


def test_a_save_that_was_cut_short_is_not_resumed(tmp_path):
    workspace = Workspace.beside(tmp_path / "model")
    workspace.claim("a", replace=False)
    workspace.resumable.save(5, lambda path: path.write_text("5"))

    def die(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workspace.resumable.save(10, die)
    assert workspace.claim("a", replace=False) == workspace.resumable.place(5)


def test_another_training_is_not_resumed_but_refused_or_replaced(tmp_path):
    workspace = Workspace.beside(tmp_path / "model")
    workspace.claim(identity("pretrain", "c", "r", None), replace=False)
    workspace.resumable.save(5, lambda path: path.write_text("5"))
    with pytest.raises(TrainingError, match=r"unfinished training of another.*replace: true"):
        workspace.claim(identity("pretrain", "c2", "r", None), replace=False)
    assert workspace.claim(identity("pretrain", "c2", "r", None), replace=True) is None
    assert workspace.resumable.newest() is None


def test_a_training_that_was_refused_before_it_saved_anything_is_in_nobodys_way(tmp_path):
    workspace = Workspace.beside(tmp_path / "model")
    workspace.claim(identity("finetune", "labels: 4", "r", None), replace=False)
    assert workspace.claim(identity("finetune", "labels: 0", "r", None), replace=False) is None


def test_progress_is_rewound_to_the_step_that_is_resumed_and_a_torn_line_is_no_obstacle(tmp_path):
    workspace = Workspace.beside(tmp_path / "model")
    workspace.claim("a", replace=False)
    for step in (1, 2, 3):
        workspace.note({"event": "step", "step": step})
    with workspace.progress.open("a") as handle:
        handle.write('{"event": "st')
    workspace.rewind(2)
    workspace.note({"event": "step", "step": 3, "again": True})
    assert [event["step"] for event in workspace.steps()] == [1, 2, 3]
    assert json.loads(workspace.progress.read_text().splitlines()[-1])["again"]


def _hold(folder, held, release):
    with Workspace(folder).locked():
        held.set()
        release.wait(30)


def test_a_second_training_in_a_folder_is_refused_until_the_first_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_PATIENCE_S", 0.2)
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, held, release))
    holder.start()
    assert held.wait(30)
    with pytest.raises(BusyError, match=f"in use by process {holder.pid}"), Workspace(tmp_path).locked():
        pass
    holder.kill()
    holder.join(30)
    with Workspace(tmp_path).locked():
        pass
