"""Regions that overlap are learned each for itself, and no overlap is lost on the way to a label map and back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from schemas.document import DocumentError
from training.data.labelled import Classes
from training.data.tokens import Key
from training.errors import TrainingError
from training.evaluation.inference import open_model, predict
from training.finetune import finetune
from training.tasks.regions import joined, membership, named, parted, region_loss
from training.tasks.task import make_task

BRAIN = {"brain": ["grey matter", "white matter", "lesion"], "white": ["white matter", "lesion"], "lesion": ["lesion"]}


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4))))
def test_a_label_value_holds_every_set_of_regions(inside):
    values = joined(inside)
    np.testing.assert_array_equal(parted(values, len(inside)), inside)
    assert values.max() < len(named([str(number) for number in range(len(inside))]))


def test_a_label_value_is_named_by_its_regions():
    assert named(["tumour", "core"]) == ["background", "tumour", "core", "tumour + core"]


def test_a_class_may_be_part_of_several_regions_and_must_be_known():
    classes = Classes({0: "background", 3: "oedema", 7: "necrosis"})
    inside = membership({"tumour": ["oedema", "necrosis"], "core": ["necrosis"]}, classes)
    assert inside.tolist() == [[False, True, True], [False, False, True]]
    with pytest.raises(TrainingError, match="found cyst, needed classes of the release: background, oedema, necrosis"):
        membership({"core": ["cyst"]}, classes)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_regions_are_learned_apart(seed):
    draw = torch.Generator().manual_seed(seed)
    truth = torch.rand(3, 4, 4, 4, generator=draw) < 0.5
    right = (truth.float() * 2 - 1) * 40
    assert region_loss(right, truth) == pytest.approx(0, abs=1e-4)
    turned = right.clone()
    turned[1] *= -1
    assert region_loss(turned, truth) > 1
    truth[2] = False
    assert torch.isfinite(region_loss(right, truth)), "a region that a window does not hold"


def test_a_model_says_of_each_voxel_which_regions_it_is_in(tmp_path, release, settings):
    config = settings("regions", {"regions": BRAIN}, labels=2)
    finetune(config, release, tmp_path / "nested", lambda _: None)
    model = open_model(tmp_path / "nested")
    assert len(model.classes.names) == 8
    (member, *_) = release.members("validation")
    stored, row = release.images.arrays[member.volume], release.images.facts[member.volume]
    found = predict(model, stored, row)
    assert found.shape == stored.shape
    assert found.max() < 8


def test_what_is_learned_is_what_the_label_map_says(release, settings):
    task = make_task(settings("regions", {"regions": BRAIN}))
    served = task.serve(release)
    windows = served.collate([served.dataset[Key(0, 0)]])
    learner = task.learner(task.network(served.about), served.about)
    lesion = windows.labels[0] == 5
    brain, white, spot = learner.inside[:, windows.labels[0]]
    assert torch.equal(spot, lesion)
    assert (brain & white).sum() == white.sum() > spot.sum(), "one lies in the other"
    learner(windows).losses.sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in learner.network.parameters())


@pytest.mark.parametrize("regions", [{}, {"core": []}, {str(n): ["lesion"] for n in range(7)}])
def test_regions_of_nothing_and_too_many_are_refused(settings, regions):
    with pytest.raises(DocumentError, match="regions"):
        make_task(settings("regions", {"regions": regions}))
