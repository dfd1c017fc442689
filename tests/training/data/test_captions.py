"""What is said of a volume: only what is known, in words that vary, the same whenever it is asked for."""

import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config.presets import configured
from training.data.captions import SAID, SENTENCE, Captions, compose, cut, numbered, sayings
from training.data.order import exposed, served
from training.data.pretraining import Needs, serve
from training.data.regions import Order
from training.data.tokens import Key
from training.data.views import WHOLE
from training.objectives.contrastive import draw_nothing

VOLUME = {
    "contrast": "T2", "body_part": "LOWER_LEG", "kind": "static", "spacing": [0.5, 0.5, 4.0], "echo_time": 102.0,
    "flip_angle": None,
}  # fmt: skip
SERIES = {
    "plane": "axial", "contrast_agent": "none", "fat_suppression": "suppressed", "repetition_time": 12000.0,
    "inversion_time": 0.0, "field_strength": 1.5, "echo_time": 99.0, "body_part": "unknown",
}  # fmt: skip


class Told:
    """A release with reports of some volumes."""

    def __init__(self, release, reports):
        self._release, self._reports = release, reports

    def __getattr__(self, name):
        return getattr(self._release, name)

    def texts(self, volumes):
        return {volume: self._reports[volume] for volume in volumes if volume in self._reports}

    def described(self, volumes):
        return {volume: {"plane": "axial"} for volume in volumes}


def test_a_caption_says_what_is_known_in_full_and_nothing_else():
    text = compose(sayings(VOLUME, SERIES), np.random.default_rng(0))
    for fact in ("T2", "lower leg", "axial", "102 ms", "12000 ms", "1.5 T", "4 mm", "0.5 mm"):
        assert fact in text
    for absent in ("unknown", "None", "TI ", "nversion", "FA ", "99"):
        assert absent not in text
    assert "T2" in text.split(".")[0]


def test_of_a_volume_of_which_nothing_is_known_nothing_is_said():
    assert sayings({"contrast": "unknown", "body_part": "unknown", "spacing": [0, 0, 0], "kind": "static"}) == []
    assert compose([], np.random.default_rng(0)) == ""
    assert numbered("") == 0


def test_wordings_vary_and_say_the_same(build_release):
    release = Told(build_release(train=1, validation=0, contrasts=("T1",)), {})
    (volume,) = release.volumes().facts
    config = configured("tiny", "pretrain", {"objective": "contrastive"})
    captions = Captions.of(release, [volume], config.contrastive, seed=3)
    found = [captions.at(volume, Key(step, 0)) for step in range(20)]
    assert len({caption.text for caption in found}) > 10
    assert len({caption.said for caption in found}) == 1
    assert pickle.loads(pickle.dumps(captions)).at(volume, Key(4, 0)) == found[4]


@pytest.mark.parametrize(
    "text",
    [
        "No fracture. Oedema of the marrow! Is there a tear?\nThe meniscus is intact.",
        "Δεν υπάρχει κάταγμα. Οίδημα του μυελού. Είναι ακέραιος.",
        "骨折はありません。骨髄に浮腫があります。半月板は正常です。",
        "لا يوجد كسر. وذمة في نخاع العظم. الغضروف سليم؟",
    ],
)
def test_sentences_are_left_out_whole_and_in_order_in_any_script(text):
    found = {cut(text, 0.0, 0.5, np.random.default_rng(seed)) for seed in range(40)}
    sentences = [part.strip() for part in SENTENCE.split(text) if part.strip()]
    assert len(sentences) >= 3
    subsets = {
        " ".join(kept) for count in range(1, len(sentences) + 1) for kept in itertools.combinations(sentences, count)
    }
    assert len(found) > 3
    assert found <= subsets
    assert cut(text, 1.0, 0.5, np.random.default_rng(0)) == text


def test_a_report_counts_before_a_caption_and_every_window_of_a_sample_has_its_text(build_release):
    release = build_release(train=2, validation=0, contrasts=("T1",))
    first, second = sorted(release.volumes().facts)
    told = Told(release, {first: "Διάγνωση: χωρίς ευρήματα."})
    config = configured("tiny", "pretrain", {"objective": "contrastive", "batch_size": 2})
    found = serve(config, told, Needs(WHOLE, draw_nothing, captioned=True))
    batch = found.collate([found.dataset[Key(0, slot)] for slot in range(2)])
    texts = dict(zip(batch.samples, batch.captions, strict=True))
    assert "Διάγνωση: χωρίς ευρήματα." in texts.values()
    assert any("T1" in text for text in texts.values())
    assert len(set(batch.targets[SAID].tolist())) == 2
    without = configured("tiny", "pretrain", {"objective": "contrastive", "contrastive.reports": False})
    captions = Captions.of(told, [first, second], without.contrastive, seed=0)
    assert not captions.reports


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(1, 6), st.integers(0, 3), st.integers(0, 25)
)
def test_an_order_by_groups_serves_everything_once_an_epoch_and_counts_it(groups, size, seed, steps):
    order, items = Order(groups, seed, size), [f"v{place}" for place in range(len(groups))]
    epochs = 2
    keys = [order.key(Key(*divmod(position, size))) for position in range(epochs * len(groups))]
    shown = [served(len(groups), seed, key.step * size + key.slot) for key in keys]
    for epoch in range(epochs):
        assert sorted(shown[epoch * len(groups) : (epoch + 1) * len(groups)]) == list(range(len(groups)))
    done = [order.key(Key(step, slot)) for step, slot in itertools.product(range(steps), range(size))]
    seen = Counter(items[served(len(groups), seed, key.step * size + key.slot)] for key in done)
    assert order.exposure(items, steps) == dict(sorted(seen.items()))
    if len(set(groups)) == 1:
        assert order.exposure(items, steps) == exposed(items, seed, steps * size)


def test_most_steps_are_of_one_group():
    groups = ["head"] * 40 + ["knee"] * 25 + ["liver"] * 12
    order, size = Order(groups, seed=1, batch_size=5), 5
    alike = 0
    for step in range(60):
        keys = [order.key(Key(step, slot)) for slot in range(size)]
        counts = Counter(groups[served(len(groups), 1, key.step * size + key.slot)] for key in keys)
        alike += max(counts.values()) == size
    assert alike > 45
    assert pickle.loads(pickle.dumps(order)).key(Key(7, 2)) == order.key(Key(7, 2))
