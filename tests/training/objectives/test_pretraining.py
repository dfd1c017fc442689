"""Pre-training with several objectives: resumed bit for bit after a kill, and on record with every part of its loss."""

import json

import pytest
import torch
from safetensors.torch import load_file

from training import checkpoint
from training.pretrain import pretrain

RUN = {
    "steps": 4, "warmup_steps": 1, "report_every": 1, "save_every": 2, "batch_size": 2, "crop_mm": (100, 100, 100),
    "tensorboard": False, "distillation__momentum": 0.5,
}  # fmt: skip


class Killed(Exception):
    """Ends a training as a kill would."""


@pytest.fixture(scope="module")
def config(configure):
    return configure({"masked": 1.0, "distillation": 1.0}, **RUN)


def until(event_name):
    def report(event):
        if event["event"] == event_name:
            raise Killed

    return report


def test_a_teacher_comes_back_bit_for_bit_after_a_kill(config, release, tmp_path):
    events = []
    pretrain(config, release, tmp_path / "whole" / "model", events.append)
    with pytest.raises(Killed):
        pretrain(config, release, tmp_path / "cut" / "model", until("saved"))
    again = []
    result = pretrain(config, release, tmp_path / "cut" / "model", again.append)
    assert result.resumed_from == 2
    whole, cut = (checkpoint.load(tmp_path / name / "model") for name in ("whole", "cut"))
    assert whole.weights.keys() == cut.weights.keys()
    assert all(torch.equal(whole.weights[name], cut.weights[name]) for name in whole.weights)
    losses = {event["step"]: event["loss"] for event in events if event["event"] == "step"}
    assert {e["step"]: e["loss"] for e in again if e["event"] == "step"} == {step: losses[step] for step in (3, 4)}
    told = json.loads((tmp_path / "whole" / "model" / "metrics.json").read_text())
    assert {"masked", "distillation", "distillation.views", "distillation.teacher_entropy"} <= told["curves"].keys()
    assert [step for step, _ in told["curves"]["masked"]] == [1, 2, 3, 4]
    assert whole.manifest.task == "masked+distillation"


def test_texts_and_regions_are_served_and_counted(configure, build_release, tmp_path):
    release = build_release(train=3, validation=0, contrasts=("T1", "T2"))
    for place, volume in enumerate(sorted(release.images.facts)):
        release.images.facts[volume] = {**release.images.facts[volume], "body_part": ("HEAD", "KNEE")[place % 2]}
    release.texts = lambda volumes: {volumes[0]: "頭部に異常なし。"}
    release.described = lambda volumes: {volume: {"plane": "axial"} for volume in volumes}
    config = configure("contrastive", **{**RUN, "steps": 3})
    result = pretrain(config, release, tmp_path / "model", lambda event: None)
    assert sum(result.exposure.values()) == 6
    assert set(result.exposure) == set(release.images.facts)
    kept = load_file(tmp_path / "model" / "text.safetensors")
    assert kept["image_projection.weight"].shape == (16, config.model.dim)
    assert any(name.startswith("text.transformer") for name in kept)
    assert {"contrastive", "contrastive.found_first", "contrastive.found_by_chance"} <= result.metrics["curves"].keys()
