"""Fine-tuning, in fields.

Belongs here: the task, the network around the encoder, and how labelled samples are drawn.
"""

from typing import Literal

from pydantic import Field, model_validator

from training.config.schedule import Millimetres, Schedule


class FinetuneConfig(Schedule):
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
