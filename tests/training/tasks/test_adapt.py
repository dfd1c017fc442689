"""What of a pre-trained encoder learns on is what was asked for, and what is kept is a plain network."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.utils import parametrize

from training.config.presets import configured
from training.errors import TrainingError
from training.networks.encoder import make_encoder
from training.networks.lora import LowRank
from training.tasks.adapt import adapt, blocks_of, merged
from training.tasks.task import make_task

ABOUT = {"classes": {0: "background", 1: "part"}}
SHRUNK = {
    "tiny": {"model.dim": 48, "model.depth": 3, "model.heads": 2, "channels": (4, 8, 8)},
    "convnet": {"model.dim": 16, "model.stages": [1, 1]},
}


def made(preset, **fields):
    """A network of segmentation that started from a parent, its configuration, the parent's weights, the groups."""
    config = configured(preset, "finetune", {**SHRUNK[preset], "encoder_scale": 0.5, **fields})
    torch.manual_seed(1)
    weights = make_encoder(config.model).state_dict()
    network = make_task(config).network(ABOUT)
    return network, weights, adapt(network, weights, config)


def free(network):
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("preset", SHRUNK)
def test_full_frees_everything_at_the_encoder_s_rate(preset):
    network, weights, groups = made(preset)
    assert free(network) == {name for name, _ in network.named_parameters()}
    assert groups == {"network.encoder.": 0.5}
    assert all(torch.equal(network.encoder.state_dict()[name], value) for name, value in weights.items())


@pytest.mark.parametrize("preset", SHRUNK)
@pytest.mark.parametrize("fields", [{"adapt": "probe"}, {"encoder_scale": 0}, {"adapt": "lora", "encoder_scale": 0}])
def test_a_probe_frees_nothing_of_the_encoder(preset, fields):
    network, _, _ = made(preset, **fields)
    assert free(network)
    assert not any(name.startswith("encoder.") for name in free(network))


@pytest.mark.parametrize("preset", SHRUNK)
def test_partial_frees_the_last_blocks_and_what_comes_after(preset):
    network, _, _ = made(preset, adapt="partial", blocks=1)
    names = [name for name, _ in network.encoder.named_parameters()]
    freed = [name for name in names if f"encoder.{name}" in free(network)]
    assert 0 < len(freed) < len(names)
    assert names[-len(freed) :] == freed, "nothing before what is free is free"
    last = blocks_of(network.encoder)[-1]
    assert all(parameter.requires_grad for parameter in last.parameters())


def test_more_blocks_than_there_are_are_refused():
    with pytest.raises(TrainingError, match="blocks: found an encoder of 3, needed at least 4"):
        made("tiny", adapt="partial", blocks=4)


@pytest.mark.parametrize("preset", SHRUNK)
def test_low_rank_updates_start_as_the_parent_learn_alone_and_merge_into_a_plain_network(preset):
    network, weights, _ = made(preset, adapt="lora", rank=2)
    encoder = network.encoder
    layer = next(m for m in encoder.modules() if parametrize.is_parametrized(m, "weight"))
    before = layer.weight.detach().clone()
    assert all("parametrizations" in name for name in free(network) if name.startswith("encoder."))
    assert sum(p.numel() for p in encoder.parameters() if p.requires_grad) < sum(v.numel() for v in weights.values())
    layer.weight.sum().backward()
    with torch.no_grad():
        for update in (m for m in encoder.modules() if isinstance(m, LowRank)):
            update.up.normal_()
    learned = layer.weight.detach().clone()
    assert not torch.equal(learned, before)
    plain = merged(network).encoder.state_dict()
    assert plain.keys() == weights.keys(), "the checkpoint loads where nothing knows of the updates"
    assert torch.equal(layer.weight, learned), "what is kept is what was trained"
    assert any(torch.equal(before, value) for value in weights.values()), "an update is nothing at first"
    make_encoder(encoder.config).load_state_dict(plain)


def test_a_network_without_an_encoder_cannot_start_from_a_parent():
    config = configured("tiny", "finetune", SHRUNK["tiny"])
    with pytest.raises(TrainingError, match="found no encoder"):
        adapt(nn.Linear(2, 2), {}, config)


def test_random_weights_are_not_kept_and_a_baseline_has_no_parent():
    for fields, said in (
        ({"scratch": True, "adapt": "lora"}, "found lora with scratch: true"),
        ({"network": "dynunet"}, "found dynunet without scratch: true"),
    ):
        with pytest.raises((ValueError, ValidationError), match=said):
            configured("tiny", "finetune", fields)
