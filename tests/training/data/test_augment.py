"""Variations look like other scans of the same body, and are the same wherever and with whomever they are made."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from training.config.augment import AugmentConfig
from training.data.augment import Acquired, Change, augment, draw_change, draw_scale, normals

MAGNITUDE = Acquired((1.0, 1.0, 3.0), -1.5, magnitude=True)
EVERYTHING = AugmentConfig(
    **dict.fromkeys([name for name in AugmentConfig.model_fields if name.endswith("_chance")], 1), symmetric=("HEAD",)
)


def ball(shape=(24, 20, 12), inside=0.5, outside=-1.5):
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    values = torch.full(shape, outside)
    values[torch.from_numpy(sum(axis**2 for axis in axes) < 0.5)] = inside
    return values


def varied(change, values=None, valid=None, acquired=MAGNITUDE):
    values = ball() if values is None else values
    valid = torch.ones_like(values, dtype=torch.bool) if valid is None else valid
    return augment(values[None], valid[None], [change], [acquired])[0]


def test_nothing_changes_unless_it_is_asked_for():
    draw = np.random.default_rng(0)
    change = draw_change(AugmentConfig(), "HEAD", draw)
    assert replace(change, seed=0) == Change()
    assert draw_scale(AugmentConfig(), draw) == 1
    assert torch.equal(varied(change), ball())


def test_one_variation_does_not_shift_what_another_draws():
    config = AugmentConfig(noise_chance=1)
    alone = draw_change(config, "HEAD", np.random.default_rng(3))
    beside = draw_change(config.model_copy(update={"blur_chance": 1.0}), "HEAD", np.random.default_rng(3))
    assert replace(beside, blur=0.0) == alone
    assert beside.blur > 0


def test_sides_are_exchanged_only_in_parts_declared_symmetric():
    draws = [
        draw_change(EVERYTHING, part, np.random.default_rng(i)).flip for i in range(9) for part in ("HEAD", "LIVER")
    ]
    assert draws == [True, False] * 9
    with pytest.raises(ValidationError, match="symmetric: found no body part"):
        AugmentConfig(flip_chance=0.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_strengths_stay_inside_what_is_configured(seed):
    change = draw_change(EVERYTHING, "HEAD", np.random.default_rng(seed))
    config = EVERYTHING
    assert 0 <= change.noise <= config.noise
    assert 0 <= change.blur <= config.blur
    assert 2 <= change.thick[1] <= config.thick
    assert 0 <= change.missing[0] <= config.missing
    for value, most in (
        (change.gamma, config.gamma),
        (change.gain, config.gain),
        *((s, config.stretch) for s in change.stretch),
    ):
        assert 1 / most - 1e-9 <= value <= most + 1e-9
    assert 1 / config.scale - 1e-9 <= draw_scale(config, np.random.default_rng(seed)) <= config.scale + 1e-9


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4), st.integers(0, 3))
def test_a_window_does_not_depend_on_those_beside_it(seeds, which):
    config = EVERYTHING.model_copy(update={"noise_chance": 0.5, "blur_chance": 0.5, "thick_chance": 0.5})
    changes = [draw_change(config, "HEAD", np.random.default_rng(seed)) for seed in seeds]
    values = torch.stack([ball(inside=0.1 * i) for i in range(len(seeds))])
    valid = torch.ones_like(values, dtype=torch.bool)
    together = augment(values, valid, changes, [MAGNITUDE] * len(seeds))
    row = which % len(seeds)
    alone = augment(values[row : row + 1], valid[:1], changes[row : row + 1], [MAGNITUDE])[0]
    torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=0)
    assert together.min() >= -2
    assert together.max() <= 3


def test_noise_is_normal_independent_and_a_function_of_its_seed_alone():
    real, imaginary = normals([1, 2, 2**31 - 1], (40, 40, 40), torch.device("cpu"))
    for part in (*real, *imaginary):
        assert abs(float(part.mean())) < 0.02
        assert float(part.std()) == pytest.approx(1, abs=0.02)
        assert float(part.abs().max()) > 3.5
    flat = torch.stack([*real.flatten(1), *imaginary.flatten(1), real[0].flatten().roll(1)])
    assert torch.corrcoef(flat).triu(1).abs().max() < 0.02
    assert torch.equal(normals([2], (40, 40, 40), torch.device("cpu"))[0][0], real[1])


def test_noise_of_magnitude_images_lifts_air_as_rice_says_and_that_of_others_does_not():
    sigma = 0.1
    air = torch.full((40, 20, 12), -1.5)
    lifted = varied(Change(noise=sigma, seed=5), air)
    assert float(lifted.mean()) + 1.5 == pytest.approx(sigma * math.sqrt(math.pi / 2), rel=0.05)
    phase = replace(MAGNITUDE, magnitude=False)
    plain = varied(Change(noise=sigma, seed=5), air, acquired=phase)
    assert float(plain.mean()) + 1.5 == pytest.approx(0, abs=0.01)


def test_thick_slices_keep_the_mean_and_show_one_value_a_group():
    values = ball()
    thick = varied(Change(thick=(0, 4)), values)
    assert torch.allclose(thick[0:4], thick[:1].expand(4, -1, -1))
    assert float(thick.mean()) == pytest.approx(float(values.mean()), abs=1e-5)


def test_a_blur_keeps_a_constant_and_takes_in_nothing_unmeasured():
    values, valid = torch.full((16, 16, 9), 0.5), torch.ones(16, 16, 9, dtype=torch.bool)
    valid[:, :, 4] = False
    values[:, :, 4] = -1
    blurred = varied(Change(blur=2.0), values, valid)
    assert torch.allclose(blurred[valid], torch.tensor(0.5), atol=1e-5)
    step = ball()
    assert varied(Change(blur=2.0), step).std() < step.std()


def test_gamma_gain_and_bias_leave_no_signal_where_it_is():
    draw = np.random.default_rng(0)
    config = AugmentConfig(gamma_chance=1, gain_chance=1, bias_chance=1)
    changed = varied(draw_change(config, "HEAD", draw))
    assert torch.allclose(changed[0, 0], torch.tensor(-1.5))
    middle = changed[ball() > 0]
    assert middle.std() > 0.01, "a field varies inside the tissue"
