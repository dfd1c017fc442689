"""Evaluation, in fields.

Belongs here: what is evaluated, on what, under which disturbances, and with which intervals.
"""

from typing import Any, Literal

from pydantic import Field, field_validator

from schemas.document import Document

Level = tuple[float, ...]

Baseline = Literal["scratch", "dynunet", "slices2d"]


class Robustness(Document):
    """Disturbances under which the evaluation is repeated; an empty list leaves one out."""

    noise: Level = (0.05, 0.1)
    """Rician noise: standard deviation in each channel, against the volume's 99th percentile."""
    thickness: tuple[int, ...] = (2,)
    """Thicker slices: this many neighbours along the axis of the slices become one."""
    missing_slices: Level = (0.2,)
    """Share of the slices that are not there."""
    missing_series: tuple[int, ...] = (1,)
    """Series of each study that are not there; of models that were pre-trained on studies."""

    @field_validator("noise", "missing_slices")
    @classmethod
    def _shares(cls, levels: Level) -> Level:
        if any(not 0 < level < 1 for level in levels):
            raise ValueError("found a level outside 0 to 1, needed shares above 0 and below 1")
        return levels

    @field_validator("thickness", "missing_series")
    @classmethod
    def _counts(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if any(level < 1 for level in levels):
            raise ValueError("found a count below 1, needed at least 1")
        return levels


class EvaluateConfig(Document):
    """Evaluation of checkpoints on one split."""

    split: Literal["train", "validation", "test"] = "validation"
    """Split to evaluate on; test is sealed and opened on the record only."""
    bootstrap: int = Field(default=2000, ge=100)
    """Resamples of subjects for the intervals."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals."""
    overlap: float = Field(default=0.25, ge=0, lt=1)
    """Overlap of neighbouring windows where a volume is larger than one."""
    seed: int = Field(default=0, ge=0)
    """Seed of the resamples, of disturbances, and of the volumes that probes are fitted on."""
    allow_seen: bool = False
    """Evaluate also where it is not proved that nothing of the split was trained on; the report then says so."""
    near_duplicate: float = Field(default=0.99, gt=0, le=1)
    """Correlation of two volumes' signatures from which they count as the same image."""
    tolerance_mm: float = Field(default=1.0, gt=0)
    """Distance up to which a predicted surface counts as right (normalized surface Dice)."""
    probes: tuple[str, ...] = ("body_part", "contrast", "plane")
    """What frozen features are asked for: columns of the release's series, or names of its diagnoses."""
    probe_volumes: int = Field(default=2000, ge=2)
    """Training volumes that probes are fitted on at most, chosen by the seed."""
    restoration_noise: Level = (0.05, 0.1, 0.15)
    """Rician noise that models of restoration are judged under, as in `robustness.noise`."""
    recall_at: tuple[int, ...] = (1, 5, 10)
    """Ranks at which retrieval is judged."""
    few_shot: tuple[int, ...] = ()
    """Labelled subjects to fine-tune a pre-trained checkpoint on, one training each, 0 for all; empty: none, because
    it takes long."""
    few_shot_encoder: tuple[Literal["frozen", "finetuned"], ...] = ("frozen", "finetuned")
    """Whether the encoder stays as it is in these trainings, or learns too."""
    baselines: tuple[Baseline, ...] = ()
    """Models to train from random weights with the same budget, and to compare with: the same network, MONAI's
    DynUNet, a network that sees slices only."""
    budget: dict[str, Any] = Field(default_factory=dict)
    """Fields of the fine-tuning of few-shot models and of their baselines that differ from the preset."""
    robustness: Robustness = Robustness()
    """Disturbances under which the evaluation is repeated."""
    strata: tuple[str, ...] = ("manufacturer", "model", "field_strength", "sex", "age")
    """Columns of the release's series by whose values results are told apart."""
    age_bands: tuple[int, ...] = (18, 40, 60, 80)
    """First year of each age band but the youngest."""
    smallest_stratum: int = Field(default=5, ge=2)
    """Subjects that a stratum needs for its numbers to be shown: those of fewer could speak of one person."""
    worst: int = Field(default=3, ge=1)
    """Worst cases to picture."""
