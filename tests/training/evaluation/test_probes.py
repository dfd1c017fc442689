"""Probes find what is in features and nothing where nothing is, and their strength is not chosen on what is scored."""

import numpy as np
import pytest

from training.errors import TrainingError
from training.evaluation.probes import Known, chance, held_out, linear, nearest


def clouds(count, seed=0, shift=2.0, width=8):
    """Features of two classes, a distance apart along one axis."""
    draw = np.random.default_rng(seed)
    values = np.arange(count) % 2
    features = draw.normal(0, 1, (count, width)).astype(np.float32)
    features[:, 3] += shift * (2 * values - 1)
    return Known(features, values, tuple(f"s{seed}-{i}" for i in range(count)), ("no", "yes"))


@pytest.mark.parametrize("probe", [linear, nearest])
def test_a_probe_answers_what_features_hold(probe):
    test = clouds(200, seed=2)
    answers = probe(clouds(60), clouds(30, seed=1)).answer(test.features)
    np.testing.assert_allclose(answers.sum(1), 1)
    assert (answers.argmax(1) == test.values).mean() > 0.9


def test_weak_evidence_gets_a_stronger_penalty():
    weak = linear(clouds(24, shift=0.0, width=20), clouds(40, seed=1, shift=0.0, width=20))
    strong = linear(clouds(200, shift=3.0), clouds(100, seed=1, shift=3.0))
    assert weak.strength > strong.strength


def test_a_rare_class_is_not_drowned():
    known = clouds(200, shift=0.5)
    kept = [i for i in range(200) if known.values[i] == 0 or i < 20]
    test = clouds(400, seed=2, shift=0.5)
    answers = linear(known.take(kept), clouds(60, seed=1, shift=0.5)).answer(test.features).argmax(1)
    recall = [(answers[test.values == c] == c).mean() for c in (0, 1)]
    assert min(recall) > 0.45


@pytest.mark.parametrize("probe", [linear, nearest])
def test_numbers_are_answered_by_numbers(probe):
    draw = np.random.default_rng(0)

    def known(count):
        features = draw.normal(0, 1, (count, 3)).astype(np.float32)
        return Known(features, 40 + 10 * features[:, 0].astype(np.float64), tuple(map(str, range(count))))

    test = known(50)
    error = np.abs(probe(known(300), known(60)).answer(test.features) - test.values).mean()
    assert error < 0.6 * chance(known(300), test)["mean_absolute_error"]


def test_people_held_out_are_not_fitted_on():
    known = Known(np.zeros((6, 2), np.float32), np.arange(6) % 2, ("a", "a", "b", "c", "d", "e"), ("no", "yes"))
    inside, outside = held_out(known)
    assert not set(inside.subjects) & set(outside.subjects)
    assert len(inside.subjects) + len(outside.subjects) == 6


def test_one_person_is_fitted_on_and_chosen_on():
    inside, outside = held_out(Known(np.zeros((2, 2), np.float32), np.array([0, 1]), ("a", "a"), ("no", "yes")))
    assert len(inside.values) == len(outside.values) == 2


def test_features_that_are_not_finite_are_told():
    known = clouds(10)
    known.features[0, 0] = np.nan
    with pytest.raises(TrainingError, match="features that are not finite"):
        linear(known, clouds(10))


def told(values, classes=("no", "yes", "both")):
    values = np.array(values)
    return Known(np.zeros((len(values), 1), np.float32), values, tuple(map(str, range(len(values)))), classes)


@pytest.mark.parametrize(
    ("known", "truth", "expected"),
    [
        ([0, 0, 1], [0, 0, 1, 1], {"auroc": 0.5, "balanced_accuracy": 0.5, "accuracy": 0.5}),
        ([0, 0, 1], [0, 1, 2, 2], {"auroc": 0.5, "balanced_accuracy": 1 / 3, "accuracy": 0.25}),
        ([0, 0, 1], [1, 1], {"auroc": None, "balanced_accuracy": 0.0, "accuracy": 0.0}),
        ([0, 0, 1], [0, 0], {"auroc": None, "balanced_accuracy": 1.0, "accuracy": 1.0}),
        ([0, 0, 1], [], {"auroc": None, "balanced_accuracy": None, "accuracy": None}),
    ],
)
def test_who_knows_no_features_says_the_commonest_class_of_all(known, truth, expected):
    assert chance(told(known), told(truth)) == pytest.approx(expected)


def test_who_knows_no_features_says_the_mean_of_all():
    """It is that of the training, so that it explains less than nothing of others."""
    found = chance(told([1.0, 3.0], ()), told([2.0, 6.0], ()))
    assert found == pytest.approx({"mean_absolute_error": 2.0, "r2": -1.0})
    assert chance(told([1.0, 3.0], ()), told([5.0, 5.0], ()))["r2"] is None
