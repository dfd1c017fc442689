"""The presets that ship, and the way from a preset and overrides to a configuration.

Belongs here: reading, never a field.
"""

from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal, overload

import yaml

from schemas.document import Document, DocumentError
from training.config.evaluate import EvaluateConfig
from training.config.finetune import FinetuneConfig
from training.config.pretrain import PretrainConfig

KINDS = ("pretrain", "finetune", "evaluate")


class Preset(Document):
    """One size of model with recipes that go with it."""

    pretrain: PretrainConfig
    """Recipe of pre-training."""
    finetune: FinetuneConfig
    """Recipe of fine-tuning."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """Recipe of evaluation."""


def preset_names() -> list[str]:
    """Names of the presets that ship."""
    folder = resources.files("training") / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_preset(name: str) -> Preset:
    """The preset of this name.

    Raises:
        DocumentError: if there is none; the message lists those that ship.
    """
    return Preset.parse(_preset(name), f"preset {name}")


def _preset(name: str) -> dict[str, Any]:
    if name not in (names := preset_names()):
        raise DocumentError(f"found no preset {name!r}, needed one of {', '.join(names)}")
    text = (resources.files("training") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    raw: dict[str, Any] = yaml.safe_load(text)
    model = raw.pop("model")
    for kind in ("pretrain", "finetune"):
        raw[kind] = {"model": dict(model), **raw[kind]}
    return raw


@overload
def configured(preset: str, kind: Literal["pretrain"], overrides: Mapping[str, Any] = ...) -> PretrainConfig: ...
@overload
def configured(preset: str, kind: Literal["finetune"], overrides: Mapping[str, Any] = ...) -> FinetuneConfig: ...
@overload
def configured(preset: str, kind: Literal["evaluate"], overrides: Mapping[str, Any] = ...) -> EvaluateConfig: ...
def configured(
    preset: str, kind: str, overrides: Mapping[str, Any] | None = None
) -> PretrainConfig | FinetuneConfig | EvaluateConfig:
    """A preset's configuration of one kind, with overrides.

    Args:
        preset: name of the preset.
        kind: pretrain, finetune or evaluate.
        overrides: field to value; `model.depth` reaches into the model, and so does a nested mapping.

    Raises:
        DocumentError: if the preset or a field does not exist, or a value is out of its limits.
    """
    documents: dict[str, type[PretrainConfig | FinetuneConfig | EvaluateConfig]] = {
        "pretrain": PretrainConfig,
        "finetune": FinetuneConfig,
        "evaluate": EvaluateConfig,
    }
    if kind not in documents:
        raise DocumentError(f"found kind {kind!r}, needed one of {', '.join(documents)}")
    content = dict(_preset(preset).get(kind, {}))
    for key, value in (overrides or {}).items():
        _assign(content, key.split("."), value)
    return documents[kind].parse(content, f"preset {preset}, {kind}")


def _assign(content: dict[str, Any], path: list[str], value: Any) -> None:
    first, rest = path[0], path[1:]
    if rest:
        inner = content.setdefault(first, {})
        if not isinstance(inner, dict):
            raise DocumentError(f"found no section {first!r} to override, needed a field of the configuration")
        _assign(inner, rest, value)
    elif isinstance(value, Mapping) and isinstance(content.get(first), dict):
        for key, item in value.items():
            _assign(content[first], [key], item)
    else:
        content[first] = value
