"""A step descends the mean loss of its samples, however they are shared out; what is kept is what was asked for."""

import math
import signal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.training.running.toy import Averager, Said
from training.config.presets import configured
from training.data.packing import shared_out
from training.errors import TrainingError
from training.running.average import RunningMean
from training.running.learner import Tally, share
from training.running.parts import needed


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_a_step_in_parts_descends_the_same_gradient(config, train):
    whole, _ = train(config(steps=3, warmup_steps=1), name="whole")
    parted, _ = train(config(steps=3, warmup_steps=1, micro_tokens=8), name="parted")
    assert max(whole.sizes) == 6
    assert max(parted.sizes) < 6, "it was computed in parts"
    assert int(parted.seen) == int(whole.seen) == 18
    torch.testing.assert_close(weights(parted), weights(whole), rtol=1e-5, atol=1e-6)


def test_samples_count_alike_where_a_module_gives_more_losses_than_asked_for(config, train):
    class Twice(Averager):
        def forward(self, windows):
            said = super().forward(windows)
            return Said(said.losses.repeat(2), said.computed, said.monitors)

    once, _ = train(config(steps=3, warmup_steps=1), name="once")
    torch.manual_seed(0)
    twice, _ = train(config(steps=3, warmup_steps=1), name="twice", module=Twice())
    torch.testing.assert_close(weights(twice), weights(once), rtol=1e-5, atol=1e-6)


def test_what_is_kept_is_the_running_mean_where_one_is_asked_for(config, train):
    last, _ = train(config(), name="last")
    mean, _ = train(config(ema=0.99), name="mean")
    torch.manual_seed(0)
    start = weights(Averager())
    assert 0 < (weights(mean) - start).norm() < (weights(last) - start).norm()


def test_a_running_mean_of_parameters_that_stay_is_these_parameters():
    parameters = [nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(2, 2))]
    mean = RunningMean(parameters, 0.9)
    wanted = [p.detach().clone() for p in parameters]
    for p in parameters:
        p.data.zero_()
    mean.update(parameters, 0)
    mean.put(parameters)
    for found, before in zip(parameters, wanted, strict=True):
        torch.testing.assert_close(found.detach(), 0.1 * before)


def test_a_loss_that_is_no_number_ends_the_training_before_it_is_saved(config, train, tmp_path):
    class Broken(Averager):
        def forward(self, windows):
            said = super().forward(windows)
            return said if int(self.seen) < 18 else Said(said.losses * math.nan, said.computed, {})

    with pytest.raises(TrainingError, match=r"not finite at or before step 3.*lower learning_rate"):
        train(config(), module=Broken())
    assert not list(tmp_path.rglob("*.ckpt"))


def test_the_learning_rate_rises_linearly_and_falls_as_a_cosine_to_zero(config):
    made = config(steps=100, warmup_steps=10)
    shares = [share(step, made) for step in range(100)]
    assert shares[:10] == pytest.approx([(n + 1) / 10 for n in range(10)])
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert share(55, made) == pytest.approx(0.5)
    assert share(100, made) == pytest.approx(0)


def test_a_schedule_in_samples_means_the_same_with_another_batch_size():
    for size, steps, warm in ((4, 250, 25), (8, 125, 13)):
        made = configured("tiny", "pretrain", {"batch_size": size, "samples": 1000, "warmup_samples": 100})
        assert (made.steps, made.warmup_steps) == (steps, warm)
        assert made.parse(made.model_dump(), "again") == made


def test_how_a_training_runs_is_no_part_of_what_it_is():
    base = configured("tiny", "pretrain", {})
    assert configured("tiny", "pretrain", {"workers": 3, "save_every": 7, "timeout_s": 9}).recipe == base.recipe
    assert configured("tiny", "pretrain", {"seed": 1}).recipe != base.recipe
    assert configured("tiny", "pretrain", {"model.patch_menu": [1, 2]}).recipe != base.recipe


def test_what_is_shown_is_a_mean_over_samples():
    tally = Tally()
    for value, count in ((1.0, 1), (4.0, 3)):
        tally.add(Said(torch.ones(count), 0, {"x": torch.tensor(value)}))
    assert tally.sums() == {"x": (13.0, 4)}
    assert tally.total() == 4


@settings(deadline=None)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(1, 200))
def test_parts_hold_every_sample_once_and_no_more_tokens_than_allowed(tokens, limit):
    parts = shared_out(tokens, needed(tokens, limit))
    assert sorted(place for part in parts for place in part) == list(range(len(tokens)))
    assert all(parts)
    assert all(len(part) == 1 or sum(tokens[i] for i in part) <= limit for part in parts)


def test_signals_are_whose_they_were_after_a_training(train, config):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    train(config(steps=2, warmup_steps=1), name="whole")
    assert {number: signal.getsignal(number) for number in before} == before
