"""What every training has: steps, batches, optimizer, and how it is watched.

Belongs here: fields that pre-training and fine-tuning share.
"""

from typing import Literal

from pydantic import Field, model_validator

from schemas.document import Document
from training.config.model import ModelConfig

Millimetres = tuple[float, float, float]


class Schedule(Document):
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
    def _whole(self) -> "Schedule":
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps: found {self.warmup_steps}, needed fewer than the {self.steps} steps")
        if min(self.crop_mm) <= 0:
            raise ValueError("crop_mm: found a window without extent, needed three lengths above 0 mm")
        return self
