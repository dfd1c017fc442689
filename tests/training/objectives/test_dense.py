"""Masked reconstruction for convolutions hides what it says it hides, and asks for that alone."""

import numpy as np
import pytest
import torch

from training.config.presets import configured
from training.data.batch import Windows
from training.data.tokens import pack, tokenize
from training.networks.encoder import make_encoder
from training.objectives.dense import DenseReconstruction, blanked

FIELDS = {"model.dim": 16, "model.stages": [1, 1]}
SHAPES, PATCHES = ((20, 16, 13), (16, 16, 3)), ((4, 4, 4), (8, 8, 1))


@pytest.fixture
def objective():
    torch.manual_seed(0)
    config = configured("convnet", "pretrain", FIELDS)
    return DenseReconstruction(config, make_encoder(config.model))


def batch(missing=()):
    """Two windows of other shapes and patches, every third token hidden, some slices not measured."""
    draw, images, tokens, extras = np.random.default_rng(0), [], [], []
    for shape, patch in zip(SHAPES, PATCHES, strict=True):
        image, valid = draw.normal(size=shape).astype(np.float32), np.ones(shape, bool)
        valid[..., list(missing)] = False
        images.append(torch.from_numpy(image))
        tokens.append(tokenize(image, valid, np.ones(shape, bool), (1, 1, 1), patch))
        extras.append({"hidden": np.arange(len(tokens[-1].patches)) % 3 == 0})
    return Windows(tuple(images), pack(tokens, (), extras))


def test_the_encoder_never_sees_what_is_hidden(objective, monkeypatch):
    windows, seen = batch(), []
    voxels = objective.encoder.voxels
    monkeypatch.setattr(objective.encoder, "voxels", lambda given: seen.extend(given.images) or voxels(given))
    objective(windows)
    for image, mask, shown in zip(windows.images, blanked(windows), seen, strict=True):
        assert 0.2 < mask.float().mean() < 0.5
        assert (shown[mask] == 0).all()
        torch.testing.assert_close(shown[~mask], image[~mask])


def test_the_loss_is_the_mean_square_over_hidden_voxels_that_were_measured(objective):
    windows = batch(missing=(1,))
    with torch.no_grad():
        for parameter in objective.predict.parameters():
            parameter.zero_()
    expected = [image[mask].square().mean() for image, mask in zip(windows.images, blanked(windows), strict=True)]
    torch.testing.assert_close(objective(windows).losses, torch.stack(expected))
    assert not any(mask[..., 1].any() for mask in blanked(windows))


def test_reconstruction_trains_the_way_back_to_the_voxels_too(objective):
    objective(batch()).losses.sum().backward()
    assert all(parameter.grad is not None for parameter in objective.encoder.parameters())
