"""From a release to a foundation model, two fine-tuned models and their evaluation, and what each leaves behind."""

import json

import numpy as np
import pytest
import yaml

from training import checkpoint
from training.config.presets import configured
from training.errors import CheckpointError, TrainingError
from training.evaluation.evaluate import evaluate
from training.evaluation.inference import open_model, predict
from training.finetune import finetune
from training.pretrain import pretrain

STEPS = {"steps": 4, "warmup_steps": 1, "report_every": 2, "save_every": 2, "batch_size": 2, "crop_mm": (100, 100, 100)}


@pytest.fixture(scope="module")
def models(tmp_path_factory, release, small):
    """A folder with a pre-trained and two fine-tuned models, and the events of their training."""
    root, events = tmp_path_factory.mktemp("models"), []
    pretrain(configured("tiny", "pretrain", {**small, **STEPS}), release, root / "base", events.append)
    tuned = {**STEPS, "labels": 2, "channels": (4, 8, 8)}
    finetune(
        configured("tiny", "finetune", {**small, **tuned}),
        release, root / "tuned", events.append, parent=root / "base",
    )  # fmt: skip
    finetune(
        configured("tiny", "finetune", {**small, **tuned, "scratch": True, "network": "dynunet", "steps": 2}),
        release, root / "scratch", events.append,
    )  # fmt: skip
    return root, events


def test_progress_is_reported_from_start_to_finish(models):
    _, events = models
    assert [event["event"] for event in events[:6]] == ["start", "step", "saved", "step", "probe", "finished"]
    step = events[1]
    assert step["steps"] == 4
    assert all(np.isfinite(step[name]) for name in ("loss", "samples_per_s", "tokens_per_s", "data_wait", "padding"))
    json.dumps(events)


def test_a_checkpoint_says_where_it_comes_from_and_what_it_saw(models, release):
    root, _ = models
    base, tuned = checkpoint.load(root / "base"), checkpoint.load(root / "tuned")
    train = {member.volume for member in release.members("train")}
    assert sum(base.exposure["volumes"].values()) == 8
    assert set(base.exposure["volumes"]) <= train
    assert base.manifest.licences == release.manifest.licences
    assert base.manifest.share_models is False
    assert tuned.manifest.parent_weights_sha256 == base.manifest.weights_sha256
    assert tuned.exposure["ancestors"][0]["volumes"] == base.exposure["volumes"]
    assert tuned.seen() == {*tuned.exposure["volumes"], *base.exposure["volumes"]}
    assert len({volume.split("-")[0] for volume in tuned.exposure["volumes"]}) <= 2
    config = yaml.safe_load((root / "tuned/config.yaml").read_text())
    assert config["classes"][4] == "white matter"
    card = (root / "tuned/card.html").read_text()
    assert "fine-tuned from base" in card
    assert base.manifest.release_sha256 in card
    assert not list(root.glob(".runs/*/resume"))


def test_a_finished_training_is_not_done_again_and_not_overwritten_by_another(models, release, small):
    root, events = models
    before = len(events)
    config = configured("tiny", "pretrain", {**small, **STEPS})
    again = pretrain(config, release, root / "base", events.append)
    assert again.manifest == checkpoint.read_manifest(root / "base")
    assert [event["event"] for event in events[before:]] == ["finished"]
    with pytest.raises(CheckpointError, match="finished model of another configuration"):
        pretrain(config.model_copy(update={"seed": 1}), release, root / "base", events.append)


def test_a_prediction_lies_on_the_volume_s_grid_with_the_scheme_s_values(models, release):
    root, _ = models
    (member, *_) = release.members("validation")
    stored, row = release.images.arrays[member.volume], release.images.facts[member.volume]
    predicted = predict(open_model(root / "tuned"), stored, row)
    assert predicted.shape == stored.shape
    assert set(np.unique(predicted)) <= set(range(6))
    with pytest.raises(CheckpointError, match="needed one that was fine-tuned"):
        open_model(root / "base")


def test_an_evaluation_compares_checkpoints_on_the_same_unseen_subjects(models, release):
    root, events = models
    config = configured("tiny", "evaluate", {"bootstrap": 200})
    result = evaluate(config, release, [root / "tuned", root / "scratch"], root / "evaluation", events.append)
    metrics = json.loads((root / "evaluation/metrics.json").read_text())
    assert metrics["subjects"] == 3
    assert set(metrics["checkpoints"]) == {"tuned", "scratch"}
    low, high = metrics["checkpoints"]["tuned"]["mean_dice"]["interval"]
    assert low <= metrics["checkpoints"]["tuned"]["mean_dice"]["mean"] <= high
    assert result.metrics["differences"]["scratch"]["subjects"] == 3
    page = (root / "evaluation/evaluation.html").read_text()
    assert page.count("data:image/png;base64,") == 6
    assert 'src="http' not in page


def test_an_evaluation_on_what_was_trained_on_is_refused(models, release):
    root, events = models
    config = configured("tiny", "evaluate", {"split": "train", "bootstrap": 200})
    with pytest.raises(TrainingError, match="tuned or an ancestor was trained on"):
        evaluate(config, release, [root / "tuned"], root / "no", events.append)


@pytest.mark.parametrize("name", ["weights.safetensors", "config.yaml", "exposure.json"])
def test_a_changed_or_cut_checkpoint_is_not_loaded(models, tmp_path, name):
    root, _ = models
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (root / "base").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    checkpoint.load(copy)
    (copy / name).write_bytes((copy / name).read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="digest of the manifest"):
        checkpoint.load(copy)


def test_a_parent_is_needed_or_scratch_is_said(models, release, small, tmp_path):
    root, events = models
    config = configured("tiny", "finetune", {**small, **STEPS, "labels": 2})
    with pytest.raises(TrainingError, match="scratch: false and no parent"):
        finetune(config, release, tmp_path / "x", events.append)
    with pytest.raises(TrainingError, match="found a fine-tuned model, needed a pre-trained one"):
        finetune(config, release, tmp_path / "x", events.append, parent=root / "tuned")
    with pytest.raises(TrainingError, match="labels: found 6 labelled training subjects, needed 40"):
        finetune(config.model_copy(update={"labels": 40}), release, tmp_path / "x", events.append, parent=root / "base")
