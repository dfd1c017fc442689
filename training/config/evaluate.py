"""Evaluation, in fields.

Belongs here: what is evaluated, on what, and with which intervals.
"""

from typing import Literal

from pydantic import Field

from schemas.document import Document


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
