"""Label values become classes and come back; what the scheme does not name is an error, not a class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config.evaluate import EvaluateConfig
from training.config.presets import configured
from training.data.labelled import Classes, LabelledDataset, chosen, classes_of
from training.data.tokens import Key
from training.errors import TrainingError
from training.evaluation.evaluate import by_subject, dice, estimate

CLASSES = Classes({0: "background", 3: "liver", 40: "tumour"})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0, 3, 40]), min_size=1))
def test_label_values_survive_the_way_to_classes_and_back(values):
    labels = np.array(values, np.uint8)
    np.testing.assert_array_equal(CLASSES.restore(CLASSES.index(labels)), labels)


def test_a_label_value_without_a_name_is_refused():
    with pytest.raises(TrainingError, match=r"label values \[7\] that the scheme does not name"):
        CLASSES.index(np.array([0, 7, 40]))


def test_two_meanings_of_one_value_are_refused(build_release):
    release = build_release(train=2, validation=0, contrasts=("T1",))
    first = sorted(release.maps.facts)[0]
    release.maps.facts[first] = {**release.maps.facts[first], "scheme": '{"1": "something else"}'}
    with pytest.raises(TrainingError, match="two meanings of label value 1"):
        classes_of(release.labels(), release.members("train"))


def test_few_labels_means_few_subjects_with_all_their_volumes(release):
    config = configured("tiny", "finetune", {"labels": 2})
    members = chosen(release, config)
    assert len(members) == 4
    assert len({member.subject for member in members}) == 2
    assert members == chosen(release, config)


def test_image_tokens_and_labels_of_a_sample_show_the_same_place(release):
    config = configured("tiny", "finetune", {"labels": 2, "augment": False, "crop_mm": (90, 90, 60)})
    members = chosen(release, config)
    dataset = LabelledDataset(release, members, classes_of(release.labels(), members), config)
    sample = dataset[Key(3, 1)]
    assert sample.image.shape == sample.labels.shape
    x, y, z = sample.tokens.index[0] * sample.tokens.patch
    assert sample.tokens.patches[0, 0, 0, 0] == sample.image[x, y, z]
    means = [sample.image[sample.labels == value].mean() for value in (0, 4)]
    assert means[0] < means[1], "labels lie on the tissue they name"


def test_dice_is_one_for_the_truth_and_undefined_where_a_class_is_in_neither():
    truth = np.zeros((4, 4, 4), np.uint8)
    truth[:2] = 3
    np.testing.assert_array_equal(dice(truth, truth, CLASSES), [1.0, np.nan])
    half = truth.copy()
    half[0] = 40
    np.testing.assert_allclose(dice(half, truth, CLASSES), [2 / 3, 0.0], rtol=1e-6)


def test_intervals_rest_on_subjects_not_on_their_volumes():
    scores = np.array([[0.8], [0.9], [0.5], [np.nan]])
    means = by_subject(scores, ["a", "a", "b", "c"])
    np.testing.assert_allclose(means[:2, 0], [0.85, 0.5])
    found = estimate(means[:, 0], EvaluateConfig())
    assert found["subjects"] == 2
    assert found["interval"][0] == pytest.approx(0.5)
    assert estimate(means[:1, 0], EvaluateConfig())["interval"] is None
