"""What a training can be told, each field documented and checked, and the presets that ship.

Belongs here: fields, their limits, and the way from a preset and overrides to a configuration. What the fields do is
in the modules that read them. A configuration is a document: strict, immutable, and known by its digest.
"""

from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal, overload

import yaml
from pydantic import Field, model_validator

from schemas.document import Document, DocumentError

PatchMenu = tuple[int, ...]
Millimetres = tuple[float, float, float]
KINDS = ("pretrain", "finetune", "evaluate")


class ModelConfig(Document):
    """The packed 3D vision transformer."""

    dim: int = Field(gt=0)
    """Width of a token."""
    depth: int = Field(gt=0)
    """Transformer blocks of the encoder."""
    heads: int = Field(gt=0)
    """Attention heads; the width must divide by them, with at least 6 even channels a head for three rotary axes."""
    mlp_ratio: float = Field(default=4.0, gt=0)
    """Width of the block's inner layer against `dim`, counted as in a plain MLP (SwiGLU takes two thirds of it)."""
    patch_mm: float = Field(default=8.0, gt=0)
    """Edge of a patch that the voxel shape is chosen to come near."""
    patch_menu: PatchMenu = (1, 2, 4, 8, 16)
    """Voxels that a patch may have along an axis."""
    kernel: tuple[int, int, int] = (8, 8, 8)
    """Voxels of the learned patch kernel, from which those of other patch shapes are resized."""
    decoder_dim: int = Field(default=96, gt=0)
    """Width of the light decoder of masked reconstruction."""
    decoder_depth: int = Field(default=1, ge=0)
    """Blocks of that decoder."""
    decoder_heads: int = Field(default=2, gt=0)
    """Attention heads of that decoder."""

    @model_validator(mode="after")
    def _divisible(self) -> "ModelConfig":
        for width, heads, name in (
            (self.dim, self.heads, "dim and heads"),
            (self.decoder_dim, self.decoder_heads, "decoder_dim and decoder_heads"),
        ):
            if width % heads or (width // heads) % 2 or width // heads < 6:
                raise ValueError(
                    f"{name}: found {width} channels over {heads} heads, needed an even number of at least 6 channels "
                    f"a head; try {heads} * 48 = {heads * 48}"
                )
        if not self.patch_menu or min(self.patch_menu) < 1 or min(self.kernel) < 1:
            raise ValueError("patch_menu and kernel: found a size below one voxel, needed sizes of at least 1")
        return self


class _Schedule(Document):
    """What every training has: steps, batches, optimizer, and how it is watched."""

    model: ModelConfig
    """The encoder; a fine-tuning from a parent takes the parent's instead."""
    steps: int = Field(gt=0)
    """Optimizer steps."""
    batch_size: int = Field(gt=0)
    """Volumes a step over all processes; must divide by their number."""
    crop_mm: Millimetres = (128.0, 128.0, 128.0)
    """Largest window taken from a volume; what is smaller is taken whole."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = Field(default=10, ge=0)
    """Steps of linear warm-up, followed by a cosine to zero."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Weight decay of AdamW, on matrices only."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    seed: int = Field(default=0, ge=0)
    """Seed of every random number: order, crops, augmentation, masks, initial weights."""
    workers: int = Field(default=0, ge=0)
    """Loader processes a rank; 0 decodes in the training process."""
    precision: Literal["32", "bf16"] = "32"
    """Arithmetic: 32-bit floats, or bfloat16 where it is safe (autocast)."""
    save_every: int = Field(default=50, gt=0)
    """Steps between resumable checkpoints."""
    report_every: int = Field(default=10, gt=0)
    """Steps between reports."""
    timeout_s: int = Field(default=300, gt=0)
    """Seconds that a process waits for the others before it gives up."""

    @model_validator(mode="after")
    def _whole(self) -> "_Schedule":
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps: found {self.warmup_steps}, needed fewer than the {self.steps} steps")
        if min(self.crop_mm) <= 0:
            raise ValueError("crop_mm: found a window without extent, needed three lengths above 0 mm")
        return self


class PretrainConfig(_Schedule):
    """Self-supervised pre-training."""

    objective: str = "masked"
    """What is learned, a name of `training.objective.OBJECTIVES`."""
    mask_ratio: float = Field(default=0.6, gt=0, lt=1)
    """Share of tokens hidden from the encoder."""
    target: Literal["volume", "patch"] = "volume"
    """Intensities to predict: normalized over the volume, or each patch to zero mean and unit variance."""


class FinetuneConfig(_Schedule):
    """Fine-tuning of one task on labelled volumes."""

    task: Literal["segmentation"] = "segmentation"
    """What is learned."""
    network: Literal["vit", "dynunet"] = "vit"
    """The pre-trainable transformer with a convolutional decoder, or MONAI's DynUNet as the baseline."""
    scratch: bool = False
    """Start from random weights: the baseline to compare with. Needed where no parent is given."""
    labels: int = Field(default=0, ge=0)
    """Labelled training subjects to use, chosen by the seed; 0: all."""
    encoder_scale: float = Field(default=1.0, ge=0, le=1)
    """Learning rate of a pre-trained encoder against the rest; 0 keeps it frozen."""
    channels: tuple[int, int, int] = (16, 32, 96)
    """Channels of the decoder at voxel, middle and token resolution."""
    window_mm: Millimetres = (128.0, 128.0, 128.0)
    """Window of prediction; a volume that is larger is covered by several. May exceed the training crop a little."""
    foreground: float = Field(default=0.7, ge=0, le=1)
    """Share of crops centred on a labelled voxel."""
    augment: bool = True
    """Vary gain, offset, gamma and noise of the training crops."""

    @model_validator(mode="after")
    def _baseline(self) -> "FinetuneConfig":
        if self.network == "dynunet" and not self.scratch:
            raise ValueError("network: found dynunet without scratch: true, needed both; it has no pre-trained weights")
        return self


class EvaluateConfig(Document):
    """Evaluation of fine-tuned checkpoints on one split."""

    split: Literal["train", "validation", "test"] = "validation"
    """Split to evaluate on; test is sealed and opened on the record only."""
    bootstrap: int = Field(default=2000, ge=100)
    """Resamples of subjects for the intervals."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals."""
    overlap: float = Field(default=0.25, ge=0, lt=1)
    """Overlap of neighbouring windows where a volume is larger than one."""
    seed: int = Field(default=0, ge=0)
    """Seed of the resamples."""
    allow_seen: bool = False
    """Evaluate also volumes that a checkpoint or its ancestors were trained on; the report then says so."""


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
