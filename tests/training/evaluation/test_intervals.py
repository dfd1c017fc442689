"""Intervals rest on people: several volumes of one person are one observation, and what has no value is left out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config.evaluate import EvaluateConfig
from training.evaluation.intervals import Measure, among, by_subject, difference, estimate, mean_of, over_seeds

CONFIG = EvaluateConfig(bootstrap=200)


def test_volumes_of_one_person_count_once():
    values = np.array([0.8, 0.9, 0.5, np.nan])
    subjects = ["a", "a", "b", "c"]
    np.testing.assert_allclose(by_subject(values, subjects)[:2], [0.85, 0.5])
    found = estimate(mean_of(values, subjects), subjects, CONFIG)
    assert found["mean"] == pytest.approx(0.675)
    assert found["subjects"] == 2
    assert found["undefined"] == 1
    assert found["interval"][0] == pytest.approx(0.5)


@pytest.mark.parametrize("subjects", [["a"], ["a", "a"]])
def test_one_person_gives_a_value_and_no_interval(subjects):
    found = estimate(mean_of(np.full(len(subjects), 0.7), subjects), subjects, CONFIG)
    assert found["mean"] == pytest.approx(0.7)
    assert found["interval"] is None


def test_nothing_known_is_none_and_not_a_number_that_json_lacks():
    found = estimate(mean_of(np.array([np.nan, np.nan]), ["a", "b"]), ["a", "b"], CONFIG)
    assert found == {"mean": None, "interval": None, "subjects": 0, "undefined": 2}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_an_interval_holds_the_mean_and_is_the_same_again(values):
    subjects = [str(i) for i in range(len(values))]
    measure = mean_of(np.array(values), subjects)
    found = estimate(measure, subjects, CONFIG)
    low, high = found["interval"]
    assert low - 1e-9 <= found["mean"] <= high + 1e-9
    assert estimate(measure, subjects, CONFIG) == found


def test_a_statistic_of_a_set_is_resampled_by_person_with_all_its_items():
    drawn = []

    def statistic(places):
        drawn.append(sorted(places.tolist()))
        return float(len(places))

    estimate(Measure(statistic), ["a", "a", "b"], CONFIG)
    assert {tuple(places) for places in drawn} == {(0, 1, 2), (0, 0, 1, 1), (2, 2)}


def test_a_paired_difference_is_narrower_than_its_parts():
    draw = np.random.default_rng(0)
    hardness = draw.normal(0, 0.2, 30)
    subjects = [str(i) for i in range(30)]
    first, other = mean_of(hardness + 0.05, subjects), mean_of(hardness, subjects)
    found = difference(first, other, subjects, CONFIG)
    assert found["mean"] == pytest.approx(0.05)
    assert found["interval"][1] - found["interval"][0] < 1e-6


def test_a_measure_of_some_items_leaves_the_others_out():
    measure = among(Measure(lambda places: float(np.array([1.0, 3.0])[places].mean())), np.array([1, 3]), 4)
    found = estimate(measure, list("abcd"), CONFIG)
    assert found["mean"] == pytest.approx(2.0)
    assert found["subjects"] == 2
    assert found["undefined"] == 2
    assert math.isnan(measure.statistic(np.array([0, 2])))


def test_several_seeds_give_their_mean_and_the_spread_between_them():
    subjects = list("abc")
    seeds = [mean_of(np.array([v, v, v]), subjects) for v in (0.7, 0.8, 0.9)]
    found = over_seeds(seeds, subjects, CONFIG)
    assert found["mean"] == pytest.approx(0.8)
    assert found["between_seeds"] == pytest.approx(0.1)
    assert found["seeds"] == 3
