"""Pre-training, in fields.

Belongs here: what is learned without labels, and how samples for it are drawn.
"""

from typing import Literal

from pydantic import Field

from training.config.schedule import Schedule


class PretrainConfig(Schedule):
    """Self-supervised pre-training."""

    objective: str = "masked"
    """What is learned, a name of `training.objectives.objective.OBJECTIVES`."""
    mask_ratio: float = Field(default=0.6, gt=0, lt=1)
    """Share of tokens hidden from the encoder."""
    target: Literal["volume", "patch"] = "volume"
    """Intensities to predict: normalized over the volume, or each patch to zero mean and unit variance."""
