"""The loss of segmentation, and the networks that a configuration names."""

import pytest
import torch

from training.config.presets import configured
from training.errors import TrainingError
from training.networks.dynunet import ConvolutionalBaseline
from training.networks.segmenter import TokenSegmenter, VoxelSegmenter
from training.tasks.segmentation import SegmentationLoss, network_for


def test_a_perfect_prediction_costs_nothing_and_a_wrong_one_more():
    labels = torch.zeros(6, 6, 6, dtype=torch.long)
    labels[2:4] = 1
    right = 50.0 * torch.nn.functional.one_hot(labels, 3).movedim(-1, 0).float()
    loss = SegmentationLoss()
    assert loss(right, labels) == pytest.approx(0, abs=1e-4)
    assert loss(-right, labels) > 1


def test_a_class_that_a_window_does_not_hold_is_not_asked_for():
    labels = torch.zeros(6, 6, 6, dtype=torch.long)
    labels[2:4] = 1
    logits = torch.randn(3, 6, 6, 6)
    two, three = SegmentationLoss()(logits[:2], labels), SegmentationLoss()(logits[[0, 1, 2]] * 0 + logits[:1], labels)
    assert torch.isfinite(torch.stack([two, three])).all()
    absent = torch.full((1, 6, 6, 6), -100.0)
    assert SegmentationLoss()(torch.cat([logits[:2], absent]), labels) == pytest.approx(two.item(), abs=1e-5)


@pytest.mark.parametrize(
    ("preset", "fields", "kind"),
    [
        ("tiny", {}, TokenSegmenter),
        ("convnet", {}, VoxelSegmenter),
        ("convnet", {"network": "dynunet", "scratch": True}, ConvolutionalBaseline),
    ],
)
def test_the_network_is_the_one_that_the_configuration_names(preset, fields, kind):
    assert isinstance(network_for(configured(preset, "finetune", fields), 3), kind)


def test_an_unknown_network_is_refused_with_the_names_there_are():
    with pytest.raises(TrainingError, match="found 'unet', needed vit or dynunet"):
        network_for(configured("tiny", "finetune", {"network": "unet", "scratch": True}), 3)
