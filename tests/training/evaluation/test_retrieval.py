"""Retrieval does better than chance when it does, and says what chance is."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluation.retrieval import at_random, by_image, by_label, by_text, hits

EVERY = np.arange


def test_the_own_person_s_other_images_are_not_to_be_found():
    features = np.array([[1, 0], [1, 0.01], [0.9, 0.1], [0, 1]], np.float32)
    queries = by_label(features, ["T1", "T1", "T2", "T1"], ["a", "a", "b", "c"])
    measures, levels = hits(queries, (1,))
    # nearest of another person: b (T2) for both of a; for b there is no other T2; c's nearest is b
    np.testing.assert_array_equal(measures["recall_at_1",].values, [0, 0, np.nan, 0])
    assert levels["gallery"] == pytest.approx((2 + 2 + 3 + 3) / 4)


def test_separate_features_find_their_label_at_once():
    features = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)
    measures, levels = hits(by_label(features, ["T1", "T1", "T2", "T2"], list("abcd")), (1, 5))
    assert measures["recall_at_1",].statistic(EVERY(4)) == 1
    assert levels["recall_at_1"] == pytest.approx(1 / 3)
    assert levels["recall_at_5"] == 1, "a gallery smaller than k is found whole"


def test_equal_texts_are_one_entry_of_the_gallery():
    images = np.eye(3, dtype=np.float32)
    texts = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    queries = by_text(images, texts, ["a head", "a head", "a knee"], list("abc"))
    assert queries.likeness.shape == (3, 2)
    measures, levels = hits(queries, (1,))
    assert measures["recall_at_1",].values[[0, 2]].tolist() == [1, 1]
    assert levels["recall_at_1"] == pytest.approx(0.5)


def test_a_text_asks_for_every_image_of_which_it_is_said():
    images = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    texts = np.array([[0, 1, 0], [0, 1, 0], [0.9, 0, 1]], np.float32)
    queries = by_image(images, texts, ["a head", "a head", "a knee"], list("abc"))
    assert queries.relevant.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    measures, levels = hits(queries, (1, 2))
    assert measures["recall_at_1",].values.tolist() == [1, 1, 1]
    assert levels["recall_at_1"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)
    assert levels["gallery"] == 3
    far = by_image(images[::-1], texts, ["a head", "a scan", "a knee"], list("abc"))
    assert hits(far, (1,))[0]["recall_at_1",].values.tolist() == [0, 1, 0], "the text asks, not the image"


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_chance_is_what_random_orders_give(count, relevant, k, seed):
    relevant = min(relevant, count)
    draw = np.random.default_rng(seed)
    right = np.arange(count) < relevant
    found = np.mean([right[draw.permutation(count)[:k]].any() for _ in range(2000)])
    assert at_random(count, relevant, k) == pytest.approx(found, abs=0.06)


def test_nothing_relevant_is_undefined_not_a_miss():
    measures, levels = hits(by_label(np.eye(2, dtype=np.float32), ["T1", "T2"], ["a", "b"]), (1,))
    assert math.isnan(measures["recall_at_1",].statistic(EVERY(2)))
    assert levels["recall_at_1"] is None
