"""What is served is a function of seed, step and slot: not of ranks, of loaders, or of a restart."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config.presets import configured
from training.data.order import EndlessSampler, exposure, served
from training.data.source import permitted, usable
from training.data.tokens import Key
from training.data.windows import WindowDataset
from training.errors import TrainingError
from training.objectives.masked import DrawMask, draw_mask


def keys(sampler, steps):
    return list(itertools.islice(iter(sampler), steps))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 7))
def test_ranks_together_serve_what_one_rank_serves_also_after_a_restart(world, per_rank, start):
    batch = world * per_rank
    alone = keys(EndlessSampler(batch), 10)[start:]
    ranks = [keys(EndlessSampler(batch, start, rank, world), 10 - start) for rank in range(world)]
    assert [sorted(itertools.chain(*parts)) for parts in zip(*ranks, strict=True)] == alone


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(TrainingError, match="batch_size: found 3 over 2"):
        EndlessSampler(3, world_size=2)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(0, 3), st.integers(1, 5), st.integers(1, 12))
def test_exposure_counts_are_those_of_what_was_served(count, seed, batch, steps):
    items = [f"v{i}" for i in range(count)]
    seen = [items[served(count, seed, position)] for position in range(batch * steps)]
    assert exposure(items, seed, batch, steps) == {item: seen.count(item) for item in sorted(set(seen))}
    assert max(seen.count(item) for item in items) - min(seen.count(item) for item in items) <= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 400), st.floats(0.05, 0.95), st.integers(0, 100))
def test_a_mask_hides_its_share_and_leaves_something_to_see(count, ratio, seed):
    hidden = draw_mask(count, ratio, np.random.default_rng(seed))
    assert 1 <= hidden.sum() <= count - 1
    assert abs(hidden.sum() - ratio * count) <= 1
    assert np.array_equal(hidden, draw_mask(count, ratio, np.random.default_rng(seed)))


def dataset(release, **changes):
    config = configured("tiny", "pretrain", changes)
    arrays = release.volumes()
    facts, _ = usable(arrays, sorted(m.volume for m in release.members("train")))
    return WindowDataset(arrays, facts, config.model, config.crop_mm, config.seed, config.batch_size, DrawMask(0.6))


def test_a_sample_is_the_same_whenever_and_wherever_it_is_asked_for(release):
    served_here, elsewhere = dataset(release), pickle.loads(pickle.dumps(dataset(release)))
    first = served_here[Key(5, 2)]
    _ = served_here[Key(6, 0)]
    for again in (served_here[Key(5, 2)], elsewhere[Key(5, 2)]):
        np.testing.assert_array_equal(first.tokens.patches, again.tokens.patches)
        np.testing.assert_array_equal(first.extras["hidden"], again.extras["hidden"])
    other = dataset(release, seed=1)[Key(5, 2)]
    assert first.tokens.patches.shape != other.tokens.patches.shape or not np.array_equal(
        first.tokens.patches, other.tokens.patches
    )


def test_four_dimensional_volumes_serve_one_step_at_a_time(build_release):
    release = build_release(train=1, validation=0, contrasts=("T1",))
    (volume,) = release.images.facts
    stored = release.images.arrays[volume]
    release.images.arrays[volume] = np.stack([stored, stored // 2], -1)
    release.images.facts[volume] = {**release.images.facts[volume], "shape": [*stored.shape, 2], "kind": "diffusion"}
    served_here = dataset(release)
    means = {round(float(served_here[Key(step, 0)].tokens.patches.max()), 1) for step in range(12)}
    assert len(means) > 1


def test_flat_volumes_are_skipped_with_a_reason_and_no_volume_at_all_is_an_error(build_release):
    release = build_release(train=2, validation=0, contrasts=("T1",))
    first, second = sorted(release.images.facts)
    release.images.facts[first] = {**release.images.facts[first], "percentiles": [5.0] * 9}
    kept, skipped = usable(release.images, [first, second])
    assert ([facts.volume for facts in kept], skipped) == ([second], {first: "flat"})
    with pytest.raises(TrainingError, match="no volume to learn from"):
        usable(release.images, [first])


def test_terms_that_forbid_training_are_obeyed(build_release):
    release = build_release(train=1, validation=0)
    release.manifest = release.manifest.model_copy(update={"train_models": False})
    with pytest.raises(TrainingError, match="does not allow models to be trained"):
        permitted(release)
