"""What is known of an acquisition changes features, what is not known changes nothing before it is learned."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.data.conditions import CATEGORIES, COLUMNS, conditions_of, forget
from training.data.tokens import pack, tokenize
from training.networks.conditions import ConditionEmbedding
from training.networks.vit import PackedViT

MODEL = ModelConfig(dim=48, depth=1, heads=2, decoder_dim=24, decoder_heads=2)
NOTHING = torch.full((2, len(COLUMNS)), math.nan)


@pytest.fixture
def learned():
    """An encoder whose conditions have learned something."""
    torch.manual_seed(0)
    encoder = PackedViT(MODEL)
    torch.nn.init.normal_(encoder.conditions.out.weight, std=0.1)
    return encoder


def windows(conditions=None):
    draw, full = np.random.default_rng(0), np.ones((8, 8, 8), bool)
    cut = [tokenize(draw.normal(size=(8, 8, 8)).astype(np.float32), full, full, (1, 1, 1), (4, 4, 4)) for _ in "ab"]
    return Windows((), pack(cut), conditions=conditions)


def told(**facts):
    return torch.from_numpy(np.stack([conditions_of(facts), conditions_of(facts)]))


def test_the_volume_counts_before_its_series_and_what_is_not_known_is_nan():
    volume = {"contrast": "T2", "echo_time": 30.0, "repetition_time": None, "part": "unknown"}
    series = {"contrast": "T1", "echo_time": 90.0, "repetition_time": 2000.0, "plane": "coronal", "field_strength": 3}
    found = dict(zip(COLUMNS, conditions_of(volume, series), strict=True))
    assert CATEGORIES["contrast"][int(found["contrast"])] == "T2"
    assert CATEGORIES["plane"][int(found["plane"])] == "coronal"
    assert (found["echo_time"], found["repetition_time"], found["field_strength"]) == (30, 2000, 3)
    assert all(math.isnan(found[name]) for name in ("part", "flip_angle", "dimensions", "inversion_time"))


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, None])
def test_a_number_that_means_nothing_is_not_known(value):
    assert np.isnan(conditions_of({"inversion_time": value, "contrast": "a site's own"})).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_forgetting_makes_nothing_up_and_goes_from_none_to_all(seed):
    row = conditions_of({"contrast": "T1", "echo_time": 3.0}, {"field_strength": 1.5})
    assert np.array_equal(forget(row, 0.0, np.random.default_rng(seed)), row, equal_nan=True)
    assert np.isnan(forget(row, 1.0, np.random.default_rng(seed))).all()
    half = forget(row, 0.5, np.random.default_rng(seed))
    assert np.array_equal(half, forget(row, 0.5, np.random.default_rng(seed)), equal_nan=True)
    assert np.array_equal(half[~np.isnan(half)], row[~np.isnan(half)])


def test_a_fresh_encoder_is_the_plain_one_whatever_it_is_told():
    torch.manual_seed(0)
    encoder = PackedViT(MODEL)
    plain = encoder(windows())
    assert torch.equal(encoder(windows(NOTHING)), plain)
    assert torch.equal(encoder(windows(told(contrast="T1", echo_time=80.0, plane="axial"))), plain)


def test_one_that_was_told_nothing_is_one_to_which_all_is_unknown(learned):
    torch.testing.assert_close(learned(windows(NOTHING)), learned(windows()))


def test_each_condition_tells_its_own_window_apart(learned):
    for facts in ({"contrast": "FLAIR"}, {"echo_time": 80.0}, {"plane": "sagittal"}, {"field_strength": 7.0}):
        half = torch.cat([told(**facts)[:1], NOTHING[:1]])
        changed, plain = learned(windows(half)).split(8), learned(windows()).split(8)
        assert not torch.allclose(changed[0], plain[0], atol=1e-4), facts
        torch.testing.assert_close(changed[1], plain[1])


def test_times_are_told_apart_by_ratio_and_answers_by_name():
    torch.manual_seed(0)
    embed = ConditionEmbedding(32)
    torch.nn.init.normal_(embed.out.weight, std=0.2)

    def distance(first, second):
        return (embed(told(**first)) - embed(told(**second))).norm().item()

    assert distance({"echo_time": 80.0}, {"echo_time": 81.0}) < distance({"echo_time": 80.0}, {"echo_time": 100.0})
    near = distance({"repetition_time": 4.0}, {"repetition_time": 4.4})
    far = distance({"repetition_time": 4000.0}, {"repetition_time": 4400.0})
    assert 1 / 3 < near / far < 3  # a tenth more each, a thousandfold apart in ms
    for known in CATEGORIES["contrast"][1:]:
        assert distance({"contrast": "T1"}, {"contrast": known}) > 0.01


def test_every_parameter_has_a_gradient_also_where_nothing_is_told(learned):
    learned(windows()).square().sum().backward()
    assert [name for name, value in learned.named_parameters() if value.grad is None] == []
    assert all(value.grad.isfinite().all() for value in learned.parameters())
