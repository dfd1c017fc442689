"""Pre-training, in fields.

Belongs here: what is learned without labels, and how samples for it are drawn.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from schemas.document import Document
from training.config.augment import AugmentConfig
from training.config.schedule import Schedule

Shares = tuple[float, float]


class DistillationConfig(Document):
    """Self-distillation: a student learns to say of its views what a teacher, its running average, says of others."""

    global_crops: int = Field(default=2, ge=1)
    """Large windows a sample, which student and teacher see."""
    local_crops: int = Field(default=4, ge=0)
    """Small windows a sample, which the student alone sees."""
    global_share: Shares = (0.5, 1.0)
    """Least and largest edge of a large window against the sample's crop, which `crop_mm` limits."""
    local_share: Shares = (0.25, 0.5)
    """Least and largest edge of a small window."""
    prototypes: int = Field(default=1024, ge=2)
    """Outputs of a head: what a view or a token can be said to be."""
    hidden: int = Field(default=512, gt=0)
    """Width of a head's inner layers."""
    bottleneck: int = Field(default=128, gt=0)
    """Width at which a head compares with its prototypes."""
    student_temperature: float = Field(default=0.1, gt=0)
    """Temperature of the student's answers."""
    teacher_temperature: tuple[float, float] = (0.04, 0.07)
    """Temperature of the teacher's answers, at the beginning and after `warmup_share` of the samples."""
    warmup_share: float = Field(default=0.3, gt=0, le=1)
    """Share of the samples over which the teacher's temperature rises."""
    momentum: float = Field(default=0.992, ge=0, lt=1)
    """Share of itself that the teacher keeps at a step, at the beginning; a cosine takes it to 1 at the last sample."""
    centering: Literal["sinkhorn", "mean"] = "sinkhorn"
    """How the teacher is kept from giving one answer to all: prototypes are shared out evenly, or the running mean of
    its answers is taken off."""
    masked_share: Shares = (0.1, 0.5)
    """Least and greatest share of a large window's tokens that are hidden from the student."""
    masked_windows: float = Field(default=0.5, ge=0, le=1)
    """Share of the large windows in which tokens are hidden."""
    patch_weight: float = Field(default=1.0, ge=0)
    """Weight of what hidden tokens are, beside what views are; encoders without a mask token have none of it."""
    spread_weight: float = Field(default=0.1, ge=0)
    """Weight of the regularizer that keeps features apart."""
    keep: Literal["teacher", "student"] = "teacher"
    """Which encoder the checkpoint holds where distillation is learned."""

    @model_validator(mode="after")
    def _in_limits(self) -> "DistillationConfig":
        if self.global_crops == 1 and self.local_crops == 0:
            raise ValueError(
                "global_crops and local_crops: found a single view a sample, needed at least two to compare"
            )
        for name in ("global_share", "local_share", "masked_share"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 1:
                raise ValueError(f"{name}: found {low} to {high}, needed a least and a largest share, above 0 to 1")
        if min(self.teacher_temperature) <= 0:
            raise ValueError("teacher_temperature: found one that is not above 0, needed two above 0")
        return self


class ContrastiveConfig(Document):
    """Image and text: windows and what is said of them come to lie together."""

    width: int = Field(default=128, gt=0)
    """Width of the space that images and texts share."""
    text_folder: Path | None = None
    """Local folder of a Hugging Face text model to use in place of our own; nothing is downloaded."""
    text_dim: int = Field(default=96, gt=0)
    """Width of our own text encoder."""
    text_depth: int = Field(default=2, ge=1)
    """Its transformer blocks."""
    text_heads: int = Field(default=2, gt=0)
    """Its attention heads."""
    buckets: int = Field(default=16384, gt=0)
    """Rows of its table of hashed word parts."""
    words: int = Field(default=256, gt=0)
    """Words of a text that are read; what follows is left out."""
    reports: bool = True
    """Whether the text of a study is its report where it has one; otherwise captions are composed for all."""
    sentence_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of a report's sentences that are left out of a text that is cut."""
    whole_share: float = Field(default=0.5, ge=0, le=1)
    """Share of texts that are given whole."""
    by_region: bool = True
    """Whether a step takes its volumes mostly from one body part, so that texts differ in more than that."""

    @model_validator(mode="after")
    def _divisible(self) -> "ContrastiveConfig":
        if self.text_dim % self.text_heads or (self.text_dim // self.text_heads) % 2:
            raise ValueError(
                f"text_dim and text_heads: found {self.text_dim} channels over {self.text_heads} heads, needed an even "
                f"number of channels a head; try {self.text_heads * 48}"
            )
        return self


class StudyConfig(Document):
    """Studies: series of one examination that are learned from together, and what is told of each."""

    together: bool = False
    """Whether a sample is a study, with a window (or several views) of each of its series, or a single volume."""
    attend: Literal["series", "study"] = "study"
    """Whether tokens attend to their own series, or to all series of their study, by where they are in the patient."""
    series_dropout: float = Field(default=0.2, ge=0, lt=1)
    """Chance of each series to be left out of a sample; one always stays."""
    most_series: int = Field(default=8, ge=1)
    """Series of a study that a sample shows at most."""
    conditions: bool = False
    """Whether the encoder is told how a series was acquired: contrast, times, field, plane, as far as it is known. An
    encoder that was told learns to make less of the intensities themselves: not for contrastive learning with captions
    composed of the same facts, nor for probes of them."""
    condition_dropout: float = Field(default=0.2, ge=0, le=1)
    """Chance of each of these facts, and of all of them together, to be withheld."""


class PretrainConfig(Schedule):
    """Self-supervised pre-training.

    `objective: NAME` is short for `objectives: {NAME: 1.0}`.
    """

    objectives: Mapping[str, float] = Field(default={"masked": 1.0}, min_length=1)
    """What is learned, and with which weight: names of `training.objectives.objective`."""
    mask_ratio: float = Field(default=0.6, gt=0, lt=1)
    """Masked reconstruction: share of tokens hidden from the encoder."""
    target: Literal["volume", "patch"] = "volume"
    """Masked reconstruction: intensities to predict, normalized over the volume, or each patch to zero mean and unit
    variance."""
    distillation: DistillationConfig = DistillationConfig()
    """Self-distillation."""
    contrastive: ContrastiveConfig = ContrastiveConfig()
    """Images with their reports or captions."""
    study: StudyConfig = StudyConfig()
    """Series of a study together."""
    augment: AugmentConfig = AugmentConfig()
    """How windows are varied; as it stands, not at all."""
    tokens_per_rank: int = Field(default=0, ge=0)
    """Most tokens that a process is planned to serve in a step: a step then takes volumes for as long as they fit, and
    `batch_size` only says how many that is about, for schedules in samples. 0: `batch_size` volumes a step."""
    ranks: int = Field(default=1, gt=0)
    """Processes that `tokens_per_rank` is meant for. Another number of them serves the same steps in the same order,
    dealt anew: fewer have more to do each, in parts if `micro_tokens` says so."""

    @model_validator(mode="before")
    @classmethod
    def _one_objective(cls, content: Any) -> Any:
        if not isinstance(content, Mapping) or "objective" not in content:
            return content
        rest = {name: value for name, value in content.items() if name != "objective"}
        if "objectives" in rest:
            raise ValueError("found objective and objectives, needed one of them; objective: NAME is short for one")
        return rest | {"objectives": {content["objective"]: 1.0}}

    @model_validator(mode="after")
    def _in_equal_steps(self) -> "PretrainConfig":
        by_region = "contrastive" in self.objectives and self.contrastive.by_region
        if by_region and (self.tokens_per_rank or self.study.together):
            raise ValueError(
                "contrastive.by_region: found it with tokens_per_rank or study.together, needed steps of batch_size "
                "single volumes; set contrastive.by_region: false"
            )
        return self

    @model_validator(mode="after")
    def _where_they_are(self) -> "PretrainConfig":
        moved = [name for name in ("flip", "scale", "stretch") if getattr(self.augment, f"{name}_chance")]
        if moved and self.study.together and self.study.attend == "study":
            raise ValueError(
                f"augment.{moved[0]}_chance: found it with study.attend: study, needed 0; series that see one another "
                "must lie where they are in the patient"
            )
        return self

    @model_validator(mode="after")
    def _in_one_part(self) -> "PretrainConfig":
        if self.micro_tokens and (apart := sorted({"contrastive", "distillation"} & self.objectives.keys())):
            # their losses compare the windows of a step with one another, and would compare those of a part
            raise ValueError(
                f"micro_tokens: found it with {', '.join(apart)}, needed 0; a step of these is computed as a whole"
            )
        return self

    @model_validator(mode="after")
    def _weighted(self) -> "PretrainConfig":
        if wrong := [name for name, weight in self.objectives.items() if not weight > 0]:
            raise ValueError(
                f"objectives: found a weight that is not above 0 of {', '.join(wrong)}, needed one above 0"
            )
        return self
