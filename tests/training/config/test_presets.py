"""A wrong setting is refused before anything runs, by name and with the remedy."""

import pytest

from schemas.document import DocumentError
from training.config.finetune import FinetuneConfig
from training.config.model import ModelConfig
from training.config.presets import configured, load_preset, preset_names
from training.config.pretrain import PretrainConfig


def test_every_preset_that_ships_is_valid():
    assert preset_names() == ["base", "convnet", "large", "small", "tiny"]
    for name in preset_names():
        preset = load_preset(name)
        assert preset.pretrain.model == preset.finetune.model


def test_an_unknown_preset_lists_those_there_are():
    with pytest.raises(DocumentError, match="found no preset 'huge', needed one of base, convnet, large, small, tiny"):
        configured("huge", "pretrain")


def test_dotted_and_nested_overrides_reach_into_the_model_and_change_the_digest():
    dotted = configured("tiny", "pretrain", {"model.depth": 2, "steps": 40})
    nested = configured("tiny", "pretrain", {"model": {"depth": 2}, "steps": 40})
    assert dotted == nested
    assert dotted.model.dim == load_preset("tiny").pretrain.model.dim
    assert dotted.digest != configured("tiny", "pretrain", {"steps": 40}).digest


@pytest.mark.parametrize(
    ("kind", "overrides", "said"),
    [
        ("pretrain", {"stepps": 3}, "stepps"),
        ("pretrain", {"mask_ratio": 1.5}, "mask_ratio"),
        ("pretrain", {"steps": 5, "warmup_steps": 5}, "warmup_steps"),
        ("pretrain", {"model.heads": 7}, "128 channels over 7 heads"),
        ("pretrain", {"steps.more": 1}, "steps"),
        ("finetune", {"network": "dynunet"}, "dynunet without scratch"),
        ("evaluate", {"split": "everything"}, "split"),
        ("destroy", {}, "kind"),
    ],
)
def test_a_wrong_setting_is_named(kind, overrides, said):
    with pytest.raises(DocumentError, match=said):
        configured("tiny", kind, overrides)


@pytest.mark.parametrize("document", [ModelConfig, PretrainConfig, FinetuneConfig])
def test_a_configuration_survives_its_yaml(document, tmp_path):
    preset = load_preset("tiny")
    config = {ModelConfig: preset.pretrain.model, PretrainConfig: preset.pretrain, FinetuneConfig: preset.finetune}
    config[document].write(tmp_path / "config.yaml")
    assert document.read(tmp_path / "config.yaml") == config[document]
