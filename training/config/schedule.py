"""What every training has: steps, batches, optimizer, and how it runs and is watched.

Belongs here: fields that pre-training and fine-tuning share.
"""

import datetime as dt
import hashlib
import json
from typing import Any, Literal

from pydantic import Field, model_validator

from schemas.document import Document
from training.config.model import ModelConfig

Millimetres = tuple[float, float, float]

HOW = frozenset(
    {
        "workers", "micro_tokens", "save_every", "keep_last", "keep_every", "report_every", "probe_every", "timeout_s",
        "device_hour_price", "device_hour_price_on", "tensorboard", "mlflow",
    }
)  # fmt: skip
"""Fields that say how a training runs, not what is learned: one may be resumed with others of them."""


class Schedule(Document):
    """What every training has: steps, batches, optimizer, and how it runs and is watched."""

    model: ModelConfig
    """The encoder; a fine-tuning from a parent takes the parent's instead."""
    steps: int = Field(gt=0)
    """Optimizer steps."""
    batch_size: int = Field(gt=0)
    """Volumes a step over all processes; must divide by their number."""
    samples: int | None = Field(default=None, gt=0)
    """Volumes to serve in all; takes the place of `steps`, so that another batch size sees as much data."""
    crop_mm: Millimetres = (128.0, 128.0, 128.0)
    """Largest window taken from a volume; what is smaller is taken whole."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = Field(default=10, ge=0)
    """Steps of linear warm-up, followed by a cosine to zero."""
    warmup_samples: int | None = Field(default=None, ge=0)
    """Volumes of the warm-up; takes the place of `warmup_steps`."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Weight decay of AdamW, on matrices only."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of a running mean of the weights, which is then what the model keeps; 0: the last weights are kept."""
    seed: int = Field(default=0, ge=0)
    """Seed of every random number: order, crops, augmentation, masks, initial weights."""
    workers: int = Field(default=0, ge=0)
    """Loader processes a rank; 0 decodes in the training process."""
    precision: Literal["32", "bf16"] = "32"
    """Arithmetic: 32-bit floats, or bfloat16 where it is safe (autocast)."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """How processes share a model: each a whole copy (DDP), or each a shard of weights and optimizer (FSDP2)."""
    micro_tokens: int = Field(default=0, ge=0)
    """Most tokens a process computes at once; a step with more is computed in parts, with the same gradient. 0: no
    limit."""
    save_every: int = Field(default=50, gt=0)
    """Steps between resumable checkpoints."""
    keep_last: int = Field(default=2, ge=1)
    """Resumable checkpoints to keep: the newest, and those before it should the newest be unreadable."""
    keep_every: int = Field(default=0, ge=0)
    """Keep resumable checkpoints of multiples of so many steps too, until the training is done; 0: none."""
    report_every: int = Field(default=10, gt=0)
    """Steps between reports."""
    probe_every: int = Field(default=0, ge=0)
    """Steps between probes of the features on the validation split; 0: none."""
    timeout_s: int = Field(default=300, gt=0)
    """Seconds that a process waits for the others, or for a loader, before it gives up."""
    device_hour_price: float = Field(default=0.0, ge=0)
    """US dollars that an hour of one device (a GPU; on a machine without, a process) costs; 0: unknown."""
    device_hour_price_on: dt.date | None = None
    """Day of that price."""
    tensorboard: bool = True
    """Write curves for TensorBoard too, where it is installed."""
    mlflow: str | None = None
    """MLflow tracking URI to report to; None: none. Nothing is sent anywhere but there."""

    @model_validator(mode="before")
    @classmethod
    def _in_samples(cls, given: Any) -> Any:
        """Steps from samples, for whoever reads steps."""
        if not isinstance(given, dict) or not isinstance(size := given.get("batch_size"), int) or size < 1:
            return given
        filled = dict(given)
        for samples, steps in (("samples", "steps"), ("warmup_samples", "warmup_steps")):
            if isinstance(count := given.get(samples), int):
                filled[steps] = -(-count // size)
        return filled

    @model_validator(mode="after")
    def _whole(self) -> "Schedule":
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps: found {self.warmup_steps}, needed fewer than the {self.steps} steps")
        if min(self.crop_mm) <= 0:
            raise ValueError("crop_mm: found a window without extent, needed three lengths above 0 mm")
        if self.device_hour_price and self.device_hour_price_on is None:
            raise ValueError("device_hour_price_on: found none, needed the day of the price")
        return self

    @property
    def recipe(self) -> str:
        """SHA-256 of what is learned and how, whatever the number of workers and reports (`HOW`)."""
        content = json.dumps(self.model_dump(mode="json", exclude=set(HOW)), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()
