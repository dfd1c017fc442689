"""A worse scan is worse as it says, is the same again, and its prediction comes back to the truth's grid."""

import numpy as np
import pytest

from training.config.evaluate import EvaluateConfig, Robustness
from training.data.volume import facts_of, normalize
from training.evaluation.robustness import disturbances, slice_axis

ASKED = EvaluateConfig(robustness=Robustness(noise=(0.1,), thickness=(3,), missing_slices=(0.25,)))


@pytest.fixture
def scan(release):
    volume = sorted(release.images.facts)[0]
    return release.images.arrays[volume], release.images.facts[volume]


@pytest.mark.parametrize("number", range(3))
def test_a_worse_scan_can_be_read_as_any_other_and_is_the_same_again(scan, number):
    stored, row = scan
    disturbance = disturbances(ASKED)[number]
    worse, changed = disturbance.change(stored, row)
    again, _ = disturbance.change(stored, row)
    np.testing.assert_array_equal(worse, again)
    facts = facts_of(changed["volume"], changed)
    values, tissue = normalize(worse, facts)
    assert values.shape == facts.shape == worse.shape
    assert np.isfinite(values).all()
    assert tissue.any()
    assert disturbance.back(np.zeros(worse.shape, np.uint8), row).shape == stored.shape


def test_thick_slices_keep_extent_and_place(scan):
    stored, row = scan
    _, changed = disturbances(ASKED)[1].change(stored, row)
    axis = slice_axis(row)
    assert axis == 2
    assert changed["spacing"][axis] == 3 * row["spacing"][axis]
    before, after = (np.array(r["affine"]).reshape(4, 4) for r in (row, changed))
    # the first thick slice lies in the middle of three
    np.testing.assert_allclose(after @ [0, 0, 0, 1], before @ [0, 0, 1, 1])


def test_a_prediction_on_thick_slices_comes_back_to_each_slice(scan):
    _, row = scan
    predicted = np.arange(4, dtype=np.uint8)[None, None].repeat(48, 0).repeat(48, 1)
    back = disturbances(ASKED)[1].back(predicted, row)
    assert back[0, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_missing_slices_are_told_to_be_missing_and_are_empty(scan):
    stored, row = scan
    worse, changed = disturbances(ASKED)[2].change(stored, row)
    assert len(changed["missing_slices"]) == 3
    assert not worse[:, :, changed["missing_slices"]].any()
    kept = [i for i in range(12) if i not in changed["missing_slices"]]
    np.testing.assert_array_equal(worse[:, :, kept], stored[:, :, kept])


def test_noise_is_of_the_level_that_is_said(scan):
    stored, row = scan
    worse, changed = disturbances(ASKED)[0].change(stored, row)
    air = worse[stored < 50]
    sigma = 0.1 * row["percentiles"][7]
    assert worse.min() >= 0, "a magnitude is never below zero"
    assert air.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.1)
    assert (changed["slope"], changed["intercept"]) == (1.0, 0.0)


def test_nothing_asked_is_nothing_done():
    none = Robustness(noise=(), thickness=(), missing_slices=(), missing_series=())
    assert disturbances(EvaluateConfig(robustness=none)) == []
