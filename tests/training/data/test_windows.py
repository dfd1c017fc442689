"""What is served is a function of seed, step and slot: not of ranks, of loaders, or of a restart."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config.augment import AugmentConfig
from training.config.presets import configured
from training.data.order import EndlessSampler, exposure, served
from training.data.source import permitted, usable
from training.data.tokens import Key
from training.data.views import WHOLE, View
from training.data.volume import Window, image_of, normalize, tokens_of
from training.data.windows import WindowDataset, collate, gather
from training.errors import TrainingError
from training.objectives.masked import DrawMask, draw_mask
from training.objectives.objective import make

CHANCES = [name for name in AugmentConfig.model_fields if name.endswith("_chance") and name != "flip_chance"]


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


def dataset(release, views=WHOLE, augment=None, **changes):
    config = configured("tiny", "pretrain", changes)
    arrays = release.volumes()
    facts, _ = usable(arrays, sorted(m.volume for m in release.members("train")))
    varied = AugmentConfig(**augment) if augment else None
    return WindowDataset(
        arrays,
        facts,
        config.model,
        config.crop_mm,
        config.seed,
        config.batch_size,
        DrawMask(0.6),
        views,
        augment=varied,
    )


def patches(sample):
    return np.concatenate([p.numpy().ravel() for p in collate([sample]).tokens.patches])


def test_a_sample_is_the_same_whenever_and_wherever_it_is_asked_for(release):
    varied = {
        f"{name}_chance": 1 for name in ("scale", "stretch", "missing", "blur", "thick", "gamma", "bias", "noise")
    }
    served_here = dataset(release, augment=varied)
    elsewhere = pickle.loads(pickle.dumps(dataset(release, augment=varied)))
    first = served_here[Key(5, 2)]
    _ = served_here[Key(6, 0)]
    for again in (served_here[Key(5, 2)], elsewhere[Key(5, 2)]):
        np.testing.assert_array_equal(patches(first), patches(again))
        np.testing.assert_array_equal(first.cuts[0].extras["hidden"], again.cuts[0].extras["hidden"])
    other = patches(dataset(release, seed=1, augment=varied)[Key(5, 2)])
    assert not np.array_equal(patches(first), other)


def test_a_window_is_the_same_whatever_else_is_in_its_batch(release):
    chances = {
        f"{name}_chance": 0.5 for name in ("scale", "missing", "blur", "thick", "gamma", "bias", "gain", "noise")
    }
    served_here = dataset(release, (View("global", 2, (0.4, 1.0)),), chances)
    samples = [served_here[Key(0, slot)] for slot in range(6)]
    together = collate(samples)
    alone = [collate([sample]) for sample in samples]
    np.testing.assert_allclose(
        np.concatenate([p.numpy().ravel() for p in together.tokens.patches]),
        np.concatenate([p.numpy().ravel() for batch in alone for p in batch.tokens.patches]),
        atol=1e-5,
    )


@pytest.mark.parametrize("missing", [[], [0, 5, 6]])
def test_what_a_device_makes_is_what_the_volume_says(build_release, missing):
    release = build_release(train=1, validation=0, contrasts=("T1",), shape=(45, 44, 13))
    (volume,) = release.images.facts
    release.images.facts[volume] |= {"missing_slices": missing}
    served_here = dataset(release, crop_mm=(150, 90, 80))
    sample = served_here[Key(3, 1)]
    batch = collate([sample])
    (facts,) = usable(release.images, [volume])[0]
    (cut,) = sample.cuts
    place = Window(located(sample, release.images.arrays[volume]), cut.shape)
    values, tissue = normalize(release.images.crop(volume, place.start, place.shape), facts)
    expected = tokens_of(values, tissue, facts, place, cut.plan.patch)
    np.testing.assert_allclose(batch.tokens.patches[0], expected.patches, atol=1e-5)
    np.testing.assert_array_equal(batch.tokens.valid[0], expected.valid)
    np.testing.assert_allclose(batch.tokens.positions, expected.positions)
    np.testing.assert_allclose(batch.images[0], image_of(values, facts, place), atol=1e-5)


def located(sample, stored):
    """Where in a volume a sample's crop was read."""
    crop = sample.crop.stored.numpy()
    starts = np.ndindex(*(n - m + 1 for n, m in zip(stored.shape, crop.shape, strict=True)))
    boxes = ((s, tuple(slice(a, a + n) for a, n in zip(s, crop.shape, strict=True))) for s in starts)
    return next(start for start, box in boxes if np.array_equal(stored[box], crop))


def test_what_is_read_is_what_was_stored_without_the_air_around_it(build_release):
    release = build_release(train=1, validation=0, contrasts=("T1",))
    (volume,) = release.images.facts
    stored = np.pad(release.images.arrays[volume], ((40, 16), (0, 40), (0, 8)))
    release.images.arrays[volume] = stored
    blocks = [-(-n // 8) for n in stored.shape]
    padded = np.pad(stored > 150, [(0, b * 8 - n) for b, n in zip(blocks, stored.shape, strict=True)])
    occupied = padded.reshape(blocks[0], 8, blocks[1], 8, blocks[2], 8).any((1, 3, 5))
    release.images.facts[volume] |= {"shape": list(stored.shape), "occupancy": np.packbits(occupied.ravel()).tobytes()}
    sample = dataset(release, crop_mm=(900, 900, 900))[Key(0, 0)]
    assert sample.crop.stored.numpy().dtype == np.int16
    assert sample.crop.stored.numel() < 0.5 * stored.size
    assert (sample.crop.stored.numpy() > 150).sum() == (stored > 150).sum()


def test_a_mirrored_window_shows_the_mirrored_voxels_with_tokens_where_they_are_now(build_release):
    release = build_release(train=1, validation=0, contrasts=("T1",), shape=(44, 48, 12))
    plain, mirrored = (
        dataset(release, crop_mm=(900, 900, 900), augment={"flip_chance": chance, "symmetric": ("HEAD",)})[Key(0, 0)]
        for chance in (0, 1)
    )
    one, other = collate([plain]), collate([mirrored])
    torch.testing.assert_close(other.images[0], one.images[0].flip(0))
    first = other.tokens.index * torch.tensor(other.tokens.patches[0].shape[1:])
    torch.testing.assert_close(other.tokens.patches[0][:, 0, 0, 0], other.images[0][tuple(first.T)])


def test_no_token_is_computed_for_air_and_the_share_that_is_not_is_measured(release):
    served_here = dataset(release, (View("global", 2, (0.5, 1.0)), View("local", 2, (0.2, 0.4))))
    batch = gather([served_here[Key(0, slot)] for slot in range(4)])
    assert batch.useful() >= 0.95
    dark = replace(batch, crops=tuple(replace(crop, background=1.5) for crop in batch.crops))
    assert dark.useful() < 0.5


def test_views_lie_inside_the_crop_of_their_sample_and_stand_together(release):
    views = (View("global", 2, (0.5, 1.0)), View("local", 3, (0.2, 0.4)))
    served_here = dataset(release, views)
    samples = [served_here[Key(step, slot)] for step in range(3) for slot in range(2)]
    batch = collate(samples)
    assert batch.kinds == ("global", "global", "local", "local", "local") * 6
    assert batch.samples == tuple(place for place in range(6) for _ in range(5))
    for sample in samples:
        for cut in sample.cuts:
            ends = np.add(cut.start, cut.shape)
            assert min(cut.start) >= 0
            assert (ends <= sample.crop.stored.shape).all()
    local, whole = batch.of_kind("local"), batch.of_kind("global")
    assert max(t.numel() for t in local.images) < max(t.numel() for t in whole.images)
    assert len({image.shape for image in local.images}) > 1


def test_four_dimensional_volumes_serve_one_step_at_a_time(build_release):
    release = build_release(train=1, validation=0, contrasts=("T1",))
    (volume,) = release.images.facts
    stored = release.images.arrays[volume]
    release.images.arrays[volume] = np.stack([stored, stored // 2], -1)
    release.images.facts[volume] = {**release.images.facts[volume], "shape": [*stored.shape, 2], "kind": "diffusion"}
    served_here = dataset(release)
    means = {round(float(patches(served_here[Key(step, 0)]).max()), 1) for step in range(12)}
    assert len(means) > 1


def test_a_thin_slab_a_cube_and_a_series_in_time_enter_one_batch(build_release):
    slab = build_release(1, 0, ("T1",), shape=(320, 320, 20), spacing=(0.5, 0.5, 6.0))
    cube = build_release(1, 0, ("T2",), shape=(80, 96, 70), spacing=(1.0, 1.0, 1.0))
    series = build_release(1, 0, ("FLAIR",), shape=(48, 48, 30), spacing=(3.0, 3.0, 3.0))
    (volume,) = series.images.facts
    stored = series.images.arrays[volume]
    series.images.arrays[volume] = np.stack([stored, stored], -1)
    series.images.facts[volume] |= {"shape": [*stored.shape, 2]}
    for other in (cube, series):
        slab.images.facts |= other.images.facts
        slab.images.arrays |= other.images.arrays
        slab.all_members.extend(other.all_members)
    served_here = dataset(slab, crop_mm=(64, 64, 64), augment={"noise_chance": 1})
    batch = collate([served_here[Key(0, slot)] for slot in range(3)])
    assert sorted(p.shape[1:] for p in batch.tokens.patches) == [(4, 4, 4), (8, 8, 2), (8, 8, 8)]
    assert all(torch.isfinite(p).all() for p in batch.tokens.patches)
    config = configured("tiny", "pretrain", {"model.dim": 48, "model.heads": 2, "model.depth": 1})
    assert torch.isfinite(make(config)(replace(batch, kinds=())).losses).all()


def test_voxels_that_are_not_numbers_are_neither_shown_nor_mixed_into_others(build_release):
    release = build_release(train=1, validation=0, contrasts=("T1",))
    (volume,) = release.images.facts
    stored = release.images.arrays[volume].astype(np.float32)
    hurt = stored.copy()
    hurt[20:24, 20:24, 4:6] = np.nan
    hurt[30, 30, 6] = np.inf
    chances = {"blur_chance": 1, "thick_chance": 1, "noise_chance": 1, "bias_chance": 1, "gamma_chance": 1}
    for array in (stored, hurt):
        release.images.arrays[volume] = array
        batch = collate([dataset(release, augment=chances)[Key(0, 0)]])
        assert torch.isfinite(batch.images[0]).all()
        assert torch.isfinite(batch.tokens.patches[0]).all()
    missing = ~batch.tokens.valid[0]
    assert missing.any()
    assert float(batch.images[0].max()) <= 3


def test_a_volume_whose_map_does_not_fit_its_voxels_is_named_as_such(build_release):
    release = build_release(train=1, validation=0, contrasts=("T1",))
    (volume,) = release.images.facts
    release.images.arrays[volume] = np.full(release.images.arrays[volume].shape, np.nan, np.float32)
    with pytest.raises(TrainingError, match="window without a measured voxel"):
        dataset(release)[Key(0, 0)]


def test_flat_volumes_are_skipped_with_a_reason_and_no_volume_at_all_is_an_error(build_release):
    release = build_release(train=2, validation=0, contrasts=("T1",))
    first, second = sorted(release.images.facts)
    release.images.facts[first] = {**release.images.facts[first], "percentiles": [5.0] * 9}
    kept, skipped = usable(release.images, [first, second])
    assert ([facts.volume for facts in kept], skipped) == ([second], {first: "flat"})
    with pytest.raises(TrainingError, match="no volume to learn from"):
        usable(release.images, [first])


def test_a_volume_of_background_is_skipped_and_an_empty_split_is_an_error(build_release):
    release = build_release(train=2, validation=0, contrasts=("T1",))
    first, second = sorted(release.images.facts)
    release.images.facts[first] |= {"occupancy": bytes(len(release.images.facts[first]["occupancy"]))}
    kept, skipped = usable(release.images, [first, second])
    assert ([facts.volume for facts in kept], skipped) == ([second], {first: "empty"})
    release.images.facts[second] |= {"percentiles": [float("nan")] * 9}
    with pytest.raises(TrainingError, match="no volume to learn from among 2"):
        usable(release.images, [first, second])
    with pytest.raises(TrainingError, match="no volume to learn from among 0"):
        usable(release.images, [])


def test_terms_that_forbid_training_are_obeyed(build_release):
    release = build_release(train=1, validation=0)
    release.manifest = release.manifest.model_copy(update={"train_models": False})
    with pytest.raises(TrainingError, match="does not allow models to be trained"):
        permitted(release)
