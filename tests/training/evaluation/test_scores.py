"""Metrics say what they should of known answers, and what has no answer is undefined, never 0 or infinite by chance."""

import math

import numpy as np
import pytest

from training.data.labelled import Classes
from training.errors import TrainingError
from training.evaluation.scores import classification, regression, restoration, segmentation, segmentation_measures

CLASSES = Classes({0: "background", 3: "liver", 40: "tumour"})
EVERY = np.arange(4)


def cube(shape, start, size, value=3):
    found = np.zeros(shape, np.uint8)
    found[tuple(slice(s, s + size) for s in start)] = value
    return found


def test_the_truth_itself_is_perfect_and_a_class_in_neither_is_undefined():
    truth = cube((12, 12, 12), (3, 3, 3), 5)
    found = segmentation(truth, truth, CLASSES, (1, 1, 1), 1.0)
    assert found["dice"][0] == found["surface_dice"][0] == 1
    assert found["hausdorff95"][0] == found["surface_distance"][0] == 0
    assert all(math.isnan(column[1]) for column in found.values())


def test_distances_are_millimetres_of_the_volume_s_own_voxels():
    truth, shifted = cube((16, 16, 16), (4, 4, 4), 6), cube((16, 16, 16), (4, 4, 6), 6)
    coarse = segmentation(shifted, truth, CLASSES, (1, 1, 3), 1.0)
    fine = segmentation(shifted, truth, CLASSES, (1, 1, 1), 1.0)
    assert fine["hausdorff95"][0] == pytest.approx(2)
    assert coarse["hausdorff95"][0] == pytest.approx(6)
    assert coarse["surface_dice"][0] < 1
    assert segmentation(shifted, truth, CLASSES, (1, 1, 3), 6.0)["surface_dice"][0] == pytest.approx(1)


@pytest.mark.parametrize("there", ["truth", "prediction"])
def test_a_class_in_one_of_both_is_zero_overlap_and_no_distance(there):
    labels, empty = cube((8, 8, 8), (2, 2, 2), 3), np.zeros((8, 8, 8), np.uint8)
    pair = (empty, labels) if there == "truth" else (labels, empty)
    found = segmentation(*pair, CLASSES, (1, 1, 1), 1.0)
    assert found["dice"][0] == found["surface_dice"][0] == 0
    assert math.isnan(found["hausdorff95"][0])
    assert math.isnan(found["surface_distance"][0])


def test_two_empty_maps_are_undefined_and_do_not_fail():
    empty = np.zeros((5, 1, 3), np.uint8)
    assert all(np.isnan(column).all() for column in segmentation(empty, empty, CLASSES, (1, 1, 1), 1.0).values())


def test_a_label_that_no_class_names_is_refused():
    with pytest.raises(TrainingError, match=r"label values \[7\] that the scheme does not name"):
        segmentation(cube((4, 4, 4), (0, 0, 0), 2, 7), np.zeros((4, 4, 4), np.uint8), CLASSES, (1, 1, 1), 1.0)


def test_the_mean_over_classes_leaves_out_what_is_undefined():
    values = {n: np.array([[0.5, np.nan], [1.0, 0.0]]) for n in ("dice", "surface_dice")}
    values |= {n: np.full((2, 2), np.nan) for n in ("hausdorff95", "surface_distance")}
    found = segmentation_measures(values, ["liver", "tumour"], ["a", "b"])
    np.testing.assert_allclose(found["mean_dice",].values, [0.5, 0.5])
    assert found["hausdorff95", "liver"].unit == "mm"


def test_classification_is_judged_by_class_not_by_how_common_it_is():
    truth = np.array([0, 0, 0, 1])
    always = np.array([[0.9, 0.1]] * 4)
    found = classification(always, truth)
    assert found["accuracy",].statistic(EVERY) == pytest.approx(0.75)
    assert found["balanced_accuracy",].statistic(EVERY) == pytest.approx(0.5)
    right = np.stack([1.0 - truth, truth], 1)
    assert classification(right, truth)["auroc",].statistic(EVERY) == pytest.approx(1)


def test_a_set_of_one_class_has_no_curve():
    found = classification(np.array([[0.9, 0.1]] * 2), np.array([0, 0]))
    assert math.isnan(found["auroc",].statistic(np.arange(2)))
    assert found["balanced_accuracy",].statistic(np.arange(2)) == 1


def test_the_mean_as_an_answer_explains_nothing():
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    found = regression(np.full(4, 2.5), truth, list("abcd"), "a")
    assert found["r2",].statistic(EVERY) == pytest.approx(0)
    assert found["mean_absolute_error",].statistic(EVERY) == pytest.approx(1)
    assert found["mean_absolute_error",].unit == "a"
    assert math.isnan(found["r2",].statistic(np.array([1, 1])))


@pytest.mark.parametrize("shape", [(20, 20, 20), (20, 20, 3), (20, 20, 1)])
def test_less_noise_is_a_better_restoration_also_of_thin_volumes(shape):
    draw = np.random.default_rng(0)
    truth = draw.random(shape).astype(np.float32)
    noise = draw.normal(0, 1, shape).astype(np.float32)
    worse, better = restoration(truth + 0.2 * noise, truth), restoration(truth + 0.02 * noise, truth)
    assert better["psnr"] == pytest.approx(worse["psnr"] + 20, abs=0.1)
    assert better["ssim"] > worse["ssim"]


def test_a_flat_truth_has_no_peak():
    flat = np.zeros((8, 8, 8), np.float32)
    assert all(math.isnan(value) for value in restoration(flat, flat).values())
