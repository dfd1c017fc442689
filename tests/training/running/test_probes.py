"""A glance at the features tells features that know something from features that collapsed."""

import numpy as np
import pytest
import torch

from training.config.presets import configured
from training.errors import TrainingError
from training.networks.encoder import make_encoder
from training.running.probes import FeatureProbe, effective_rank, told_by_neighbours


def test_the_effective_rank_counts_directions_and_is_one_for_features_that_are_all_alike():
    draw = np.random.default_rng(0)
    assert effective_rank(np.ones((20, 8)) * 3) == 1
    assert effective_rank(draw.normal(size=(2000, 8))) == pytest.approx(8, rel=0.02)
    line = np.outer(draw.normal(size=50), np.ones(8)) + 5
    assert effective_rank(line) == pytest.approx(1, abs=1e-3)


def test_neighbours_of_the_same_person_do_not_tell():
    features = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], float)
    values, subjects = ["a", "a", "b", "b"], ["p", "q", "p", "q"]
    assert told_by_neighbours(features, values, subjects) == 1
    # only the same person's other volume is like it
    assert told_by_neighbours(features, values, ["p", "p", "q", "q"]) == 0


class Objective(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.kept = encoder


def test_a_probe_looks_at_the_validation_split_and_leaves_the_training_as_it_was(release, small):
    config = configured("tiny", "pretrain", {**small, "crop_mm": (100, 100, 100)})
    module = Objective(make_encoder(config.model)).train()
    state, asked = torch.get_rng_state(), FeatureProbe(release, config)
    found = asked(module)
    # all are heads: nothing to tell body parts apart by; so few volumes have no rank that says anything
    assert set(found) == {"knn_contrast"}
    assert found == asked(module)
    assert torch.equal(torch.get_rng_state(), state)
    assert module.kept.training


def test_the_rank_of_features_is_told_where_there_are_enough_volumes(build_release, small):
    config = configured("tiny", "pretrain", {**small, "crop_mm": (100, 100, 100)})
    release = build_release(train=1, validation=5)
    found = FeatureProbe(release, config)(Objective(make_encoder(config.model)))
    assert 1 < found["effective_rank"] < 10


def test_a_release_without_validation_volumes_is_told(build_release, small):
    config = configured("tiny", "pretrain", small)
    with pytest.raises(TrainingError, match=r"probe_every: found no volume in the validation split"):
        FeatureProbe(build_release(train=1, validation=0), config)
