"""One volume as a training sees it: what its row says, the window to read, and normalized intensities.

Belongs here: arithmetic on one volume. Which volumes and windows a step takes is `training.data`, cutting a window into
tokens is `training.data.tokens`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.tokens import Shape, Tokens, choose_patch, tokenize

BLOCK = 8
"""Edge in voxels of an occupancy block of `curated/volumes`."""

LOW, HIGH = 1, 7
"""Places of the 1st and 99th percentile in the column `percentiles`; they become -1 and 1."""

RANGE = (-2.0, 3.0)
"""Normalized intensities are cut off here: beyond are coil flare and ringing at the head's rim."""


@dataclass(frozen=True)
class Facts:
    """What a row of `curated/volumes` says of a volume, without its voxels.

    Attributes:
        volume: its id.
        shape: voxels along x, y, z.
        steps: length of the fourth axis; 0 where there is none.
        spacing: voxel size in mm.
        slope: value = stored * slope + intercept.
        intercept: see slope.
        background: least value that is not background.
        low: value that becomes -1.
        high: value that becomes 1.
        occupancy: (ceil(x / 8), ceil(y / 8), ceil(z / 8)) blocks that hold tissue.
        missing: indices along `missing_axis` without a measurement.
        missing_axis: axis of the missing slices.
        body_part: what is shown, as its row says; unknown where it does not.
        part: magnitude, phase, real, imaginary or unknown.
    """

    volume: str
    shape: Shape
    steps: int
    spacing: tuple[float, float, float]
    slope: float
    intercept: float
    background: float
    low: float
    high: float
    occupancy: NDArray[np.bool_]
    missing: tuple[int, ...]
    missing_axis: int
    body_part: str = "unknown"
    part: str = "unknown"

    @property
    def scaling(self) -> tuple[float, float, float, float]:
        """Slope, intercept, low and gain: ((stored * slope + intercept) - low) * gain - 1 is normalized."""
        return self.slope, self.intercept, self.low, 2 / (self.high - self.low)

    def normalized(self, value: float) -> float:
        """The normalized intensity of a value, not cut off."""
        return (value - self.low) * 2 / (self.high - self.low) - 1


@dataclass(frozen=True)
class Window:
    """A box of voxels, and the step of the fourth axis.

    Attributes:
        start: first voxel along x, y, z.
        shape: voxels along x, y, z, inside the volume.
        step: place on the fourth axis; 0 where there is none.
    """

    start: Shape
    shape: Shape
    step: int = 0

    def reading(self, facts: Facts) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Start and shape as `lake.voxels.volumes.Volumes.crop` takes them, the fourth axis included."""
        return ((*self.start, self.step), (*self.shape, 1)) if facts.steps else (self.start, self.shape)


def facts_of(volume: str, row: Mapping[str, Any]) -> Facts:
    """Read a row of `curated/volumes`."""
    x, y, z, *rest = row["shape"]
    blocks = tuple(-(-n // BLOCK) for n in (x, y, z))
    bits = np.unpackbits(np.frombuffer(row["occupancy"] or b"", np.uint8))[: math.prod(blocks)]
    occupancy = bits.reshape(blocks).astype(bool) if bits.size == math.prod(blocks) else np.ones(blocks, bool)
    percentiles = row["percentiles"]
    spacing = row["spacing"]
    return Facts(
        volume=volume,
        shape=(x, y, z),
        steps=rest[0] if rest else 0,
        spacing=(spacing[0], spacing[1], spacing[2]),
        slope=float(row["slope"]),
        intercept=float(row["intercept"]),
        background=float(percentiles[0]),
        low=float(percentiles[LOW]),
        high=float(percentiles[HIGH]),
        occupancy=occupancy,
        missing=tuple(row["missing_slices"] or ()),
        missing_axis=int(row["missing_axis"]),
        body_part=row.get("body_part") or "unknown",
        part=row.get("part") or "unknown",
    )


def unusable(facts: Facts) -> str | None:
    """Why a volume cannot be learned from, or None."""
    if not (math.isfinite(facts.low) and math.isfinite(facts.high)) or facts.high <= facts.low:
        return "flat"
    if not facts.occupancy.any():
        return "empty"
    return None


def window(facts: Facts, crop_mm: Sequence[float], centre: Sequence[int] | NDArray[np.int64], step: int = 0) -> Window:
    """The window of at most `crop_mm` around a voxel, moved to lie inside the volume.

    Args:
        facts: the volume.
        crop_mm: largest extent along each axis.
        centre: (3,) voxel that the window holds, in its middle where the border allows.
        step: place on the fourth axis.
    """
    extent = [min(n, max(1, round(mm / size))) for n, mm, size in zip(facts.shape, crop_mm, facts.spacing, strict=True)]
    start = [int(min(max(c - size // 2, 0), n - size)) for c, size, n in zip(centre, extent, facts.shape, strict=True)]
    return Window((start[0], start[1], start[2]), (extent[0], extent[1], extent[2]), step)


def normalize(stored: NDArray[Any], facts: Facts) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Normalized intensities and which voxels are above the background.

    Args:
        stored: (x, y, z) or (x, y, z, 1) stored values.
        facts: the volume they are from.

    Returns:
        (x, y, z) intensities, -1 at the first and 1 at the 99th percentile of the tissue, cut off at `RANGE`; NaN stays
        NaN. (x, y, z) tissue.
    """
    slope, intercept, low, gain = map(np.float32, facts.scaling)
    values = stored.reshape(stored.shape[:3]).astype(np.float32) * slope + intercept
    return np.clip((values - low) * gain - 1, *RANGE, dtype=np.float32), values >= facts.background


def above(stored: NDArray[Any], facts: Facts) -> NDArray[np.bool_]:
    """Which stored values are above the background; integers are compared as they are, without a float of them."""
    if stored.dtype.kind not in "iu" or facts.slope <= 0:
        return stored.astype(np.float32) * np.float32(facts.slope) + np.float32(facts.intercept) >= facts.background
    # the least value of the tissue is one that was stored, so the rounding only takes off that of the arithmetic
    least = round((facts.background - facts.intercept) / facts.slope)
    limits = np.iinfo(stored.dtype)
    return np.asarray(stored >= min(max(least, limits.min), limits.max))


def measured(facts: Facts, place: Window) -> NDArray[np.bool_]:
    """(x, y, z) voxels of a window that are not in a missing slice."""
    result = np.ones(place.shape, dtype=bool)
    first = place.start[facts.missing_axis]
    for index in facts.missing:
        if 0 <= index - first < place.shape[facts.missing_axis]:
            np.moveaxis(result, facts.missing_axis, 0)[index - first] = False
    return result


def image_of(values: NDArray[np.float32], facts: Facts, place: Window) -> NDArray[np.float32]:
    """(x, y, z) normalized intensities with the lowest one where nothing was measured."""
    return np.where(measured(facts, place) & np.isfinite(values), values, -1).astype(np.float32)


def occupied(facts: Facts, place: Window) -> NDArray[np.bool_]:
    """(x, y, z) voxels of a window that lie in a block with tissue."""
    axes = [(np.arange(n) + s) // BLOCK for n, s in zip(place.shape, place.start, strict=True)]
    return facts.occupancy[np.ix_(*axes)]


def tokens_of(
    values: NDArray[np.float32], tissue: NDArray[np.bool_], facts: Facts, place: Window, patch: Shape
) -> Tokens:
    """Tokens of a normalized window: what is missing, not finite or background gives none."""
    valid = measured(facts, place) & np.isfinite(values)
    return tokenize(values, valid, tissue & occupied(facts, place), facts.spacing, patch)


def patch_of(facts: Facts, patch_mm: float, menu: Sequence[int]) -> Shape:
    """Voxel shape of the volume's patches."""
    return choose_patch(facts.spacing, patch_mm, menu)
