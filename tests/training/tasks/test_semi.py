"""A mean teacher learns from volumes without labels, is counted as having seen them, and resumes where it was."""

from collections import Counter

import pytest
import torch

from training import checkpoint
from training.config.presets import configured
from training.data.tokens import Key
from training.data.unlabelled import CLEAN, LABELLED, VARIED
from training.errors import TrainingError
from training.finetune import finetune
from training.tasks.semi import MeanTeacher, agreement
from training.tasks.task import make_task

FIELDS = {
    "task": "semi", "scratch": True, "labels": 1, "batch_size": 4, "options": {"unlabelled": 3, "ramp_steps": 2},
    "model.dim": 16, "model.stages": [1, 1], "crop_mm": (64, 64, 60), "steps": 4, "warmup_steps": 1, "save_every": 2,
    "report_every": 1, "precision": "32", "tensorboard": False,
}  # fmt: skip


def config(**fields):
    return configured("convnet", "finetune", FIELDS | fields)


@pytest.fixture(scope="module")
def served(release):
    return make_task(config()).serve(release)


def batch_of(served, step):
    return served.collate([served.dataset[Key(step, slot)] for slot in range(4)])


def test_a_step_has_its_labelled_samples_and_each_other_place_twice(served):
    windows = batch_of(served, 3)
    assert windows.kinds == (LABELLED, CLEAN, VARIED, CLEAN, VARIED, CLEAN, VARIED)
    assert windows.samples == (0, 1, 1, 2, 2, 3, 3)
    assert windows.labels[0].shape == windows.images[0].shape
    assert all(labels.numel() == 0 for labels in windows.labels[1:])
    assert windows.images[1].shape == windows.images[2].shape
    assert not torch.equal(windows.images[1], windows.images[2])


def test_volumes_without_labels_count_as_seen_as_often_as_they_were_served(served, monkeypatch):
    arrays, read = served.dataset._arrays, Counter()

    def crop(volume, start, shape):
        read[volume] += 1
        return type(arrays).crop(arrays, volume, start, shape)

    monkeypatch.setattr(arrays, "crop", crop)
    for step in range(4):
        batch_of(served, step)
    assert served.exposure(4) == dict(read)
    assert sum(read.values()) == 16


def test_the_teacher_moves_once_a_step_and_learns_from_no_gradient(served):
    torch.manual_seed(0)
    task = make_task(config())
    learner = task.learner(task.network(served.about), served.about)
    assert isinstance(learner, MeanTeacher)
    assert not any(parameter.requires_grad for parameter in learner.teacher.parameters())
    with torch.no_grad():
        for parameter in learner.network.parameters():
            parameter.add_(1.0)
    windows = batch_of(served, 5)
    learner(windows).losses.sum().backward()
    kept = min(0.98, 6 / 15)
    first, second = next(learner.teacher.parameters()), next(learner.network.parameters())
    torch.testing.assert_close(second - first, torch.full_like(first, kept))
    assert first.grad is None
    before = first.clone()
    learner(windows.take([0]))
    torch.testing.assert_close(first, before)
    assert any(name.startswith("teacher.") for name in learner.state_dict())


def test_a_killed_training_goes_on_to_the_same_weights(release, tmp_path):
    def stop(event):
        if event["event"] == "saved":
            raise InterruptedError

    finetune(config(), release, tmp_path / "whole", lambda _event: None)
    with pytest.raises(InterruptedError):
        finetune(config(), release, tmp_path / "killed", stop)
    again = finetune(config(), release, tmp_path / "killed", lambda _event: None)
    assert again.resumed_from == 2
    whole, resumed = (checkpoint.load(tmp_path / name) for name in ("whole", "killed"))
    assert all(torch.equal(whole.weights[name], value) for name, value in resumed.weights.items())
    assert not any(name.startswith("teacher") for name in whole.weights), "the student is what is kept"
    train = {member.volume for member in release.members("train")}
    assert set(whole.exposure["volumes"]) == train, "also volumes whose labels were not used were seen"


def test_a_teacher_that_is_not_sure_says_nothing():
    unsure, logits = torch.full((3, 4, 4, 4), 1 / 3), torch.randn(3, 4, 4, 4)
    assert agreement(logits, unsure) == pytest.approx(agreement(logits.flip(0), unsure).item())
    sure = torch.nn.functional.one_hot(torch.randint(3, (4, 4, 4)), 3).movedim(-1, 0).float()
    assert agreement(sure * 50, sure) == pytest.approx(0, abs=1e-3)
    assert agreement(-sure * 50, sure) > 1


def test_a_step_needs_labels_and_the_release_volumes_without(release):
    with pytest.raises(TrainingError, match=r"options\.unlabelled: found 4 of 4 samples"):
        make_task(config(options={"unlabelled": 4}))
    with pytest.raises(TrainingError, match="needed volumes without"):
        make_task(config(labels=0)).serve(release)


def test_early_the_teacher_has_no_weight(served):
    torch.manual_seed(0)
    task = make_task(config())
    learner = task.learner(task.network(served.about), served.about)
    assert (learner(batch_of(served, 0)).losses[1:] == 0).all()
    assert (learner(batch_of(served, 2)).losses[1:] > 0).all()
