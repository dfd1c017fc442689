"""Fine-tuning, in fields.

Belongs here: the task, the network around the encoder, what of a pre-trained encoder learns on, and how labelled
samples are drawn. Settings that only one task has are a document in that task's file.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from training.config.schedule import Millimetres, Schedule


class FinetuneConfig(Schedule):
    """Fine-tuning of one task on the volumes of a release."""

    task: str = "segmentation"
    """What is learned, a name of `training.tasks.TASKS`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Settings of the task, fields of the document in its file."""
    network: str = "vit"
    """The pre-trainable encoder with what the task puts on it (`vit`), or a network that the task knows by another
    name: `dynunet` of MONAI as the baseline of segmentation."""
    scratch: bool = False
    """Start from random weights: the baseline to compare with. Needed where no parent is given."""
    labels: int = Field(default=0, ge=0)
    """Labelled training subjects to use, chosen by the seed; 0: all."""
    adapt: Literal["full", "partial", "lora", "probe"] = "full"
    """What of a pre-trained encoder learns on: all, its last blocks, low-rank updates of its weights, or nothing."""
    blocks: int = Field(default=2, gt=0)
    """Blocks of the encoder that `adapt: partial` leaves free, counted from its end."""
    rank: int = Field(default=8, gt=0)
    """Rank of the updates of `adapt: lora`."""
    alpha: float = Field(default=16.0, gt=0)
    """Strength of the updates of `adapt: lora`, against their rank."""
    encoder_scale: float = Field(default=1.0, ge=0, le=1)
    """Learning rate of a pre-trained encoder against the rest; 0 keeps it frozen."""
    channels: tuple[int, int, int] = (16, 32, 96)
    """Channels of the decoder at voxel, middle and token resolution."""
    window_mm: Millimetres = (128.0, 128.0, 128.0)
    """Window of prediction; a volume that is larger is covered by several. May exceed the training crop a little, but
    networks that normalize over a window (`resenc`, `dynunet`) predict best in windows as large as the crop."""
    foreground: float = Field(default=0.7, ge=0, le=1)
    """Share of crops centred on a labelled voxel."""
    augment: bool = True
    """Vary gain, offset, gamma and noise of the training crops."""
    deform: float = Field(default=0.0, ge=0)
    """Rotate, scale and bend the training crops with their labels: 0 not, 1 as much as bodies differ; see
    `training.data.deform`."""

    @model_validator(mode="after")
    def _start(self) -> "FinetuneConfig":
        if self.network != "vit" and not self.scratch:
            raise ValueError(
                f"network: found {self.network} without scratch: true, needed both; it has no pre-trained weights"
            )
        if self.scratch and self.adapt != "full":
            raise ValueError(f"adapt: found {self.adapt} with scratch: true, needed full; random weights are not kept")
        return self
