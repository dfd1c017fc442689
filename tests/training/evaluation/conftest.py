"""Checkpoints with random weights, written as a training would have: what they saw is what a test says."""

import pytest

from training import checkpoint
from training.config.presets import configured
from training.networks.encoder import make_encoder
from training.tasks.task import make_task


@pytest.fixture(scope="session")
def write_pretrained(small):
    """Writes a pre-trained checkpoint that was served some volumes of a release."""
    import torch

    def write(folder, release, served, seed=0, **changes):
        config = configured("tiny", "pretrain", {**small, "crop_mm": (200, 200, 120), "seed": seed, **changes})
        torch.manual_seed(seed)
        weights = make_encoder(config.model).state_dict()
        return written(folder, "pretrained", "masked", weights, config, {}, release, served, None)

    return write


@pytest.fixture(scope="session")
def write_finetuned(small):
    """Writes a fine-tuned checkpoint of a task."""
    import torch

    def write(folder, release, served, about, parent=None, **changes):
        more = {"channels": (4, 8, 8), "window_mm": (200, 200, 120), "scratch": parent is None, **changes}
        config = configured("tiny", "finetune", {**small, **more})
        torch.manual_seed(config.seed)
        task = make_task(config)
        weights = task.network(about).state_dict()
        return written(folder, "finetuned", config.task, weights, task.config, about, release, served, parent)

    return write


def written(folder, kind, task, weights, config, about, release, served, parent):
    """The folder of a checkpoint that is written now."""
    made = checkpoint.Made(
        kind=kind, task=task, weights=weights,
        config={"kind": kind, "identity": folder.name, "config": config.model_dump(mode="json"), **about},
        metrics={"curve": [[1, 1.0], [2, 0.5]], "parameters": 1, "subjects": 2},
        volumes=dict.fromkeys(served, 1), release=release.manifest, release_sha256=release.sha256,
        parent=checkpoint.load(parent) if parent else None, steps=2, world_size=1,
    )  # fmt: skip
    checkpoint.write(folder, made)
    return folder


def volumes_of(release, *splits):
    """Ids of the volumes of splits."""
    return [member.volume for member in release.all_members if member.split in splits]
