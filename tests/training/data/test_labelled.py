"""Label values become classes and come back; what the scheme does not name is an error, not a class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config.presets import configured
from training.data.labelled import Classes, LabelledDataset, chosen, classes_of
from training.data.tokens import Key
from training.errors import TrainingError

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


BENT = {"labels": 2, "augment": False, "crop_mm": (90, 90, 60), "deform": 1.0}


def dataset_of(release, **fields):
    config = configured("tiny", "finetune", BENT | fields)
    members = chosen(release, config)
    return LabelledDataset(release, members, classes_of(release.labels(), members), config)


def test_a_bent_sample_s_image_tokens_and_labels_still_show_the_same_place(release):
    dataset, dark, bright = dataset_of(release), [], []
    for step in range(6):
        sample = dataset[Key(step, 0)]
        assert sample.image.shape == sample.labels.shape
        x, y, z = sample.tokens.index[0] * sample.tokens.patch
        assert (
            sample.tokens.patches[0, 0, 0, 0] == pytest.approx(sample.image[x, y, z])
            or not sample.tokens.valid[0].all()
        )
        dark.append(sample.image[sample.labels == 0].mean())
        bright.append(sample.image[sample.labels == 4].mean())
    assert np.nanmean(dark) + 0.5 < np.nanmean(bright), "labels lie on the tissue they name"


def test_a_sample_is_bent_by_its_key_alone(release):
    first, again, straight = dataset_of(release), dataset_of(release), dataset_of(release, deform=0.0)
    first[Key(0, 0)]
    np.testing.assert_array_equal(first[Key(3, 1)].image, again[Key(3, 1)].image)
    np.testing.assert_array_equal(first[Key(3, 1)].labels, again[Key(3, 1)].labels)
    assert not np.array_equal(first[Key(3, 1)].image, straight[Key(3, 1)].image)
    assert first[Key(3, 1)].image.shape == straight[Key(3, 1)].image.shape


def test_slices_that_are_missing_stay_without_tokens_and_dark_where_a_window_is_bent(build_release):
    release = build_release(train=1, validation=0, contrasts=("T1",))
    (row,) = release.images.facts.values()
    row["missing_slices"] = list(range(12))[1::2]
    sample = dataset_of(release, labels=1)[Key(0, 0)]
    assert (sample.image == -1).any(axis=(0, 1)).all(), "bent slices are missing in part everywhere"
    assert not sample.tokens.valid.all()
