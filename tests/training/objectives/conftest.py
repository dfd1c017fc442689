"""Batches of synthetic heads as an objective gets them, and a few steps of descent on one."""

from dataclasses import replace

import pytest
import torch

from training.config.presets import configured
from training.data.captions import SAID
from training.data.source import usable
from training.data.tokens import Key
from training.data.windows import WindowDataset, collate
from training.objectives.objective import make

FEW = {
    "distillation.prototypes": 24, "distillation.hidden": 32, "distillation.bottleneck": 16, "contrastive.width": 16,
    "distillation.local_crops": 2, "contrastive.text_dim": 24, "contrastive.text_depth": 1, "contrastive.buckets": 512,
    "batch_size": 4,
}  # fmt: skip


@pytest.fixture(scope="session")
def configure(small):
    """Configuration of objectives small enough for a test."""

    def configured_small(objectives, **changes):
        changed = {name.replace("__", "."): value for name, value in changes.items()}
        wanted = objectives if isinstance(objectives, dict) else {objectives: 1.0}
        return configured("tiny", "pretrain", {**small, **FEW, "objectives": wanted, **changed})

    return configured_small


@pytest.fixture(scope="session")
def objective_of():
    """The objective of a configuration, the same each time."""

    def made(config):
        torch.manual_seed(config.seed)
        return make(config)

    return made


@pytest.fixture(scope="session")
def batch_of(release):
    """The windows of a step, as the objective's views and draws have them."""

    def batch(config, objective, step=0, source=release, samples=None):
        arrays = source.volumes()
        facts, _ = usable(arrays, sorted(m.volume for m in source.members("train")))
        dataset = WindowDataset(
            arrays, facts, config.model, config.crop_mm, config.seed, config.batch_size, objective.prepare,
            objective.views,
        )  # fmt: skip
        return collate([dataset[Key(step, slot)] for slot in range(samples or config.batch_size)])

    return batch


@pytest.fixture(scope="session")
def told():
    """A batch with a text for each sample."""

    def with_texts(windows, texts):
        captions = tuple(texts[sample] for sample in windows.samples)
        numbers = torch.tensor([1 + texts.index(text) if text else 0 for text in captions])
        return replace(windows, captions=captions, targets={SAID: numbers})

    return with_texts


@pytest.fixture(scope="session")
def descend():
    """Takes steps on one batch and gives the loss of each."""

    def steps(objective, windows, count=12, rate=2e-3):
        optimizer = torch.optim.AdamW([p for p in objective.parameters() if p.requires_grad], lr=rate)
        losses = []
        for _ in range(count):
            loss = objective(windows).losses.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        return losses

    return steps
