"""A study is what was acquired of it: what is missing is absent, what is there is where it is in the patient."""

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.document import DocumentError
from training.config.model import ModelConfig
from training.config.presets import configured
from training.config.pretrain import StudyConfig
from training.data.order import EqualSteps, served
from training.data.plan import Plan
from training.data.source import usable
from training.data.study import ONE_BY_ONE, Gather, Known, Shown, Studies, StudyDataset, known
from training.data.tokens import Key
from training.data.windows import WindowDataset
from training.networks.vit import PackedViT
from training.objectives.masked import DrawMask
from training.objectives.objective import make

MODEL = ModelConfig(dim=48, depth=2, heads=2, patch_mm=16, decoder_dim=24, decoder_heads=2)
WHOLE = (400.0, 400.0, 400.0)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return PackedViT(MODEL).eval()


@pytest.fixture(scope="module")
def three(build_release):
    return build_release(train=2, validation=0, contrasts=("T1", "T2", "FLAIR"))


def volumes_of(release):
    return sorted(member.volume for member in release.members("train"))


def dataset(release, study=None, described=None):
    arrays = release.volumes()
    facts, _ = usable(arrays, volumes_of(release))
    windows = WindowDataset(arrays, facts, MODEL, WHOLE, 0, 1, DrawMask(0.6), steps=ONE_BY_ONE)
    found = known(arrays, [f.volume for f in facts], described or {})
    return StudyDataset(windows, found, study or StudyConfig(), 0, EqualSteps(2))


def names(sample):
    return [shown.sample.volume for shown in sample]


def features(encoder, sample, attend="study"):
    batch = Gather(attend).collate([sample])
    with torch.no_grad():
        return dict(zip(names(sample), encoder(batch).split(batch.tokens.lengths), strict=True))


def test_a_study_without_a_series_is_as_if_it_had_never_been_acquired(encoder, three, build_release):
    served_here = dataset(three, StudyConfig(series_dropout=0.4))
    samples = (served_here[Key(step, slot)] for step in range(40) for slot in range(2))
    sample = next(s for s in samples if [n[-2:] for n in names(s)] == ["t1", "t2"])
    never = dataset(build_release(train=2, validation=0, contrasts=("T1", "T2")), StudyConfig(series_dropout=0))
    other = next(s for s in (never[Key(0, 0)], never[Key(0, 1)]) if names(s) == names(sample))
    found, expected = features(encoder, sample), features(encoder, other)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-4)


def test_the_order_of_series_does_not_matter(encoder, three):
    sample = dataset(three, StudyConfig(series_dropout=0))[Key(0, 0)]
    found, turned = features(encoder, sample), features(encoder, sample[::-1])
    for name in found:
        torch.testing.assert_close(found[name], turned[name], rtol=1e-4, atol=1e-4)
    one, other = Gather("study").collate([sample]), Gather("study").collate([sample[::-1]])
    with torch.no_grad():
        torch.testing.assert_close(encoder.pooled_studies(one), encoder.pooled_studies(other), rtol=1e-4, atol=1e-4)


def test_series_see_one_another_only_where_they_are_to(encoder, three):
    sample = dataset(three, StudyConfig(series_dropout=0))[Key(0, 0)]
    assert len(sample) == 3
    first = names(sample)[0]
    for attend, differs in (("study", True), ("series", False)):
        together, alone = features(encoder, sample, attend)[first], features(encoder, sample[:1], attend)[first]
        assert torch.allclose(together, alone, rtol=1e-4, atol=1e-4) != differs
    batch = Gather("series").collate([sample])
    torch.testing.assert_close(encoder.pooled_studies(batch), encoder.pooled(batch))


def test_the_vector_of_a_study_is_that_of_the_series_that_are_there(encoder, three):
    two = dataset(three, StudyConfig(series_dropout=0))
    full, part = two[Key(0, 0)], two[Key(0, 1)][:1]
    with torch.no_grad():
        pooled = encoder.pooled_studies(Gather("study").collate([full, part]))
        assert pooled.shape == (2, MODEL.dim)
        for row, sample in zip(pooled, (full, part), strict=True):
            vectors = torch.stack([value.mean(0) for value in features(encoder, sample).values()])
            torch.testing.assert_close(row, vectors.mean(0), rtol=1e-4, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_tokens_are_where_they_are_in_the_patient_however_the_slices_were_laid(seed):
    draw = np.random.default_rng(seed)
    windows, truth = [], []
    for _ in range(2):
        axes, _ = np.linalg.qr(draw.normal(size=(3, 3)))
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = axes * draw.uniform(0.5, 6, 3), draw.normal(0, 200, 3)
        start, inner, shape, patch = (draw.integers(low, 9, 3) for low in (0, 0, 4, 1))
        index = draw.integers(0, 3, (5, 3))
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        local = ((index + 0.5) * patch - 0.5 * shape) * spacing
        plan = Plan(index, local.astype(np.float32), (3, 3, 3), tuple(patch))
        sample = SimpleNamespace(start=tuple(start))
        cut = SimpleNamespace(start=tuple(inner), shape=tuple(shape), plan=plan)
        windows.append((Shown(sample, affine, np.zeros(1, np.float32)), cut))
        centre = start + inner + (index + 0.5) * patch - 0.5  # of the token, in voxels of the volume
        truth.append(centre @ affine[:3, :3].T + affine[:3, 3])
    origin = np.mean([shown.centre(cut) for shown, cut in windows], axis=0)
    found = np.concatenate([shown.positions(cut, origin) for shown, cut in windows])
    np.testing.assert_allclose(found, np.concatenate(truth) - origin, atol=1e-2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=14), st.floats(0, 0.9), st.integers(1, 4), st.integers(0, 40))
def test_exposures_count_what_was_shown_and_a_study_always_shows_something(of, dropout, most, samples):
    names = [f"v{i}" for i in range(len(of))]
    studies = Studies([f"s{i}" for i in of], StudyConfig(series_dropout=dropout, most_series=most), seed=3)
    assert len(studies) == len(set(of))
    seen = [studies.at(position) for position in range(samples)]
    for shown in seen:
        assert 1 <= len(shown) <= most
        assert len({of[v] for v in shown}) == 1
    flat = [names[v] for shown in seen for v in shown]
    assert studies.exposure(names, samples) == {name: flat.count(name) for name in sorted(set(flat))}


def test_a_study_is_found_where_the_order_of_single_volumes_serves_its_series():
    studies = Studies(["a", "b", "a", "c", "b"], StudyConfig(), seed=7)
    for epoch in range(3):
        assert [served(5, 7, studies.place(volume, epoch)) for volume in range(5)] == list(range(5))


def test_a_sample_is_the_same_whenever_and_wherever_it_is_asked_for(three):
    config = StudyConfig(conditions=True)
    here, there = dataset(three, config), pickle.loads(pickle.dumps(dataset(three, config)))
    first = Gather("study")([here[Key(3, 1)], here[Key(3, 0)]])
    _ = here[Key(9, 0)]
    again = Gather("study")([there[Key(3, 1)], there[Key(3, 0)]])
    torch.testing.assert_close(first.frame.tokens.positions, again.frame.tokens.positions, rtol=0, atol=0)
    torch.testing.assert_close(first.frame.conditions, again.frame.conditions, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(first.frame.tokens.extras["hidden"], again.frame.tokens.extras["hidden"])


def test_conditions_are_told_only_where_they_are_to_be_and_withheld_as_often_as_asked(three):
    described = {volume: {"field_strength": 3.0, "plane": "axial"} for volume in volumes_of(three)}

    def told(**changes):
        served_here = dataset(three, StudyConfig(series_dropout=0, **changes), described=described)
        return torch.cat([Gather("series")([served_here[Key(step, 0)]]).frame.conditions for step in range(12)])

    assert told().isnan().all()
    everything = told(conditions=True, condition_dropout=0)
    assert (~everything.isnan()).sum(1).eq(4).all()  # contrast, part, plane and field
    part = told(conditions=True, condition_dropout=0.3)
    known_ = ~part.isnan()
    assert 0 < known_.sum() < (~everything.isnan()).sum()
    torch.testing.assert_close(part[known_], everything[known_])


@pytest.mark.parametrize("objective", ["masked", "distillation"])
@pytest.mark.parametrize("attend", ["series", "study"])
def test_objectives_learn_from_studies(three, objective, attend):
    small = {"model": MODEL.model_dump(mode="json"), "objective": objective, "distillation.prototypes": 16}
    config = configured("tiny", "pretrain", small)
    torch.manual_seed(0)
    learned = make(config)
    arrays, volumes = three.volumes(), volumes_of(three)
    facts, _ = usable(arrays, volumes)
    windows = WindowDataset(arrays, facts, MODEL, WHOLE, 0, 1, learned.prepare, learned.views, steps=ONE_BY_ONE)
    studies = StudyDataset(windows, known(arrays, volumes, {}), StudyConfig(series_dropout=0), 0, EqualSteps(2))
    batch = Gather(attend).collate([studies[Key(0, 0)], studies[Key(0, 1)]])
    outcome = learned(batch)
    assert outcome.losses.shape == (6,)
    assert outcome.losses.isfinite().all()
    outcome.losses.mean().backward()


@pytest.mark.parametrize("name", ["flip", "scale", "stretch"])
def test_series_that_see_one_another_are_not_moved_apart(name):
    moved = {f"augment.{name}_chance": 0.5, "augment.symmetric": ["HEAD"], "study.together": True}
    with pytest.raises(DocumentError, match="must lie where they are in the patient"):
        configured("tiny", "pretrain", moved)
    assert configured("tiny", "pretrain", {**moved, "study.attend": "series"}).study.together


def test_volumes_alone_are_studies_of_one(three):
    volumes = volumes_of(three)
    alone = known(three.volumes(), volumes, {}, alone=True)
    studies = Studies([volume.study for volume in alone], StudyConfig(series_dropout=0.9), seed=0)
    assert [len(studies.at(position)) for position in range(6)] == [1] * 6
    assert studies.exposure(volumes, 12) == dict.fromkeys(volumes, 2)
    assert isinstance(alone[0], Known)
    assert replace(alone[0], study="other").study == "other"
