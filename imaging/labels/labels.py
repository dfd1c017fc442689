"""Label maps: which volume one belongs to, and its values as compact integers.

Belongs here: label maps on the grid of an image. Reading them from a file is `imaging.nifti.nifti`. A label is never
resampled to make it fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imaging.errors import ImagingError
from imaging.volumes.volume import Volume
from schemas.reasons import Reason

CORNER_TOLERANCE = 0.1
"""How far, in voxels, any corner of the label may lie from the image's: headers round, half a voxel is another grid."""

Candidate = tuple[str, ArrayLike, Sequence[int]]
"""Id, affine (4, 4) or 16 numbers, shape; a fourth axis is ignored."""


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Values of a label map.

    Attributes:
        array: (x, y, z) uint8, or uint16 where a value needs it.
        counts: voxels of each value that occurs, background included.
    """

    array: NDArray[np.uint8] | NDArray[np.uint16]
    counts: dict[int, int]


def fit(label: Volume, candidates: Sequence[Candidate]) -> str:
    """The volume that a label map was drawn on: the first of the candidates with the same grid.

    Args:
        label: the label map, in RAS+ axes.
        candidates: volumes it may belong to, most likely one first: several volumes of a series share a grid.

    Returns:
        The id of the candidate.

    Raises:
        ImagingError: LABEL_MISFIT where no candidate has the label's shape, or its place in space.
    """
    same_shape = [c for c in candidates if tuple(c[2][:3]) == label.shape[:3]]
    if not same_shape:
        raise _misfit(f"found a label of {label.shape[:3]} voxels and {len(candidates)} images, none of that shape")
    distances = [_corner_distance(label, affine) for _, affine, _ in same_shape]
    for (identity, _, _), distance in zip(same_shape, distances, strict=True):
        if distance <= CORNER_TOLERANCE:
            return identity
    raise _misfit(f"found a label whose corners lie {min(distances):.1f} voxels or more from those of any image")


def label_map(volume: Volume) -> LabelMap:
    """The values of a label map as compact integers.

    Raises:
        ImagingError: LABEL_MISFIT where the map has four axes, or values that are negative, above 65535 or no
            integers.
    """
    if volume.array.ndim != 3:
        raise _misfit("found a label map with a fourth axis")
    values = volume.array
    if volume.slope != 1.0 or volume.intercept != 0.0 or values.dtype.kind == "f":
        values = volume.array.astype(np.float64) * volume.slope + volume.intercept
        if not np.isfinite(values).all() or (values != np.rint(values)).any():
            raise _misfit("found label values that are no integers")
    low, high = values.min(), values.max()
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise _misfit("found label values outside 0 to 65535")
    small = high <= np.iinfo(np.uint8).max
    array: NDArray[Any] = values.astype(np.uint8 if small else np.uint16)
    counts = np.bincount(array.ravel())
    return LabelMap(array, {int(value): int(counts[value]) for value in np.flatnonzero(counts)})


def _corner_distance(label: Volume, affine: ArrayLike) -> float:
    """Largest distance of the label's corners from the image's, in the image's voxels."""
    other = np.asarray(affine, dtype=np.float64).reshape(4, 4)
    last = np.array(label.shape[:3]) - 1
    corners = np.array([(*(last * bits), 1.0) for bits in np.ndindex(2, 2, 2)])
    moved = np.linalg.solve(other, label.affine @ corners.T) - corners.T
    return float(np.abs(moved[:3]).max())


def _misfit(found: str) -> ImagingError:
    return ImagingError(Reason.LABEL_MISFIT, f"{found}, needed a map of integers on the grid of an image")
