"""How training windows are varied, in fields.

Belongs here: chances and strengths. What a variation does is `training.data.augment`. Everything is off unless asked
for: what helps depends on the objective, and a mirrored organ or a squeezed contrast can be wrong for a task.
"""

from pydantic import Field, model_validator

from schemas.document import Document


class AugmentConfig(Document):
    """Variations of a window, each with a chance a window (`..._chance`) and a greatest strength."""

    flip_chance: float = Field(default=0.0, ge=0, le=1)
    """Mirror left and right, in volumes of a body part that `symmetric` names; no other axis is ever mirrored."""
    symmetric: tuple[str, ...] = ()
    """Body parts, as the volumes' rows name them, whose two sides may be taken for one another. Empty: none. Leave out
    parts with an organ on one side, and every part where a label or report tells sides."""
    scale_chance: float = Field(default=0.0, ge=0, le=1)
    """Take the voxels of a sample, all its windows alike, for larger or smaller ones than they are."""
    scale: float = Field(default=1.2, ge=1, le=2)
    """Greatest ratio of the assumed to the true voxel size, or of the true to the assumed."""
    stretch_chance: float = Field(default=0.0, ge=0, le=1)
    """Stretch the tokens' positions along each axis by a ratio of its own, voxels as they are."""
    stretch: float = Field(default=1.1, ge=1, le=2)
    """Greatest ratio of that stretch, or of its inverse."""
    missing_chance: float = Field(default=0.0, ge=0, le=1)
    """Leave out a run of slices along the axis of the thickest, as if they had not been delivered."""
    missing: float = Field(default=0.3, gt=0, lt=1)
    """Greatest share of the window's slices in that run."""
    blur_chance: float = Field(default=0.0, ge=0, le=1)
    """Blur by a Gaussian, as a scan with fewer samples in k-space is."""
    blur: float = Field(default=1.5, gt=0)
    """Greatest standard deviation of it in mm."""
    thick_chance: float = Field(default=0.0, ge=0, le=1)
    """Show groups of slices along one axis as their mean, as thick slices would."""
    thick: int = Field(default=4, ge=2)
    """Most slices of a group."""
    gamma_chance: float = Field(default=0.0, ge=0, le=1)
    """Bend the contrast by a power."""
    gamma: float = Field(default=1.4, ge=1)
    """Greatest exponent, or its inverse."""
    bias_chance: float = Field(default=0.0, ge=0, le=1)
    """Multiply by a smooth field, as surface coils do."""
    bias: float = Field(default=0.3, gt=0)
    """Strength of it: standard deviation of the coefficients of the polynomial in its exponent."""
    gain_chance: float = Field(default=0.0, ge=0, le=1)
    """Multiply by a number."""
    gain: float = Field(default=1.2, ge=1)
    """Greatest factor, or its inverse."""
    noise_chance: float = Field(default=0.0, ge=0, le=1)
    """Add noise: Rician to magnitude images, Gaussian to others."""
    noise: float = Field(default=0.15, gt=0)
    """Greatest standard deviation of it, where 2 is the distance of the 1st and 99th percentile."""

    @model_validator(mode="after")
    def _declared(self) -> "AugmentConfig":
        if self.flip_chance and not self.symmetric:
            raise ValueError("symmetric: found no body part, needed one for flip_chance; name what may be mirrored")
        return self
