"""Where the voxels of a series are: slice order, spacing, gaps, the affine to patient space, canonical axes.

Belongs here: arithmetic on positions and orientations. Reading them from DICOM is `imaging.headers.reading`, deciding
which slices belong together is `imaging.volumes.series`, moving voxels is `imaging.volumes.normalize`. Coordinates are
DICOM's LPS millimetres until `LPS_TO_RAS` turns them into the RAS+ millimetres that the lake stores.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import nibabel.orientations
import numpy as np
from numpy.typing import ArrayLike, NDArray

from imaging.errors import ImagingError
from schemas.reasons import Reason

POSITION_TOLERANCE_MM = 0.01
"""Positions closer than this are the same slice: scanners write them with 1e-3 to 1e-5 mm of rounding."""

GAP_TOLERANCE = 0.05
"""Relative spread of slice distances still called regular; dcm2niix warns from the same order on."""

LINE_TOLERANCE_MM = 0.1
"""How far a slice's corner may lie off the line through the first and last one; more is no stack of one grid."""

COSINE_TOLERANCE = 2e-3
"""How far direction cosines may be from unit length and from a right angle (written with 3 to 16 digits)."""

MAX_MISSING_SHARE = 0.5
"""Stacks with more places empty than this are rather two stacks, or positions that mean something else."""

MIN_SLAB = 3
"""Slices of a slab, on average: fewer are no slabs, but one stack of varying distances."""

GAP_DIGITS = 3
"""Decimals of a gap: positions are not written finer."""

TILT_TOLERANCE_DEGREES = 0.1
"""Stacks leaning less than this count as upright: the corner then moves less than 2 per mille of the distance."""

MIN_AXIS_RATIO = 1e-6
"""Axes whose extents differ by more than this ratio are no three axes of an image, but a defect."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

Affine = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A regular stack of slices.

    Attributes:
        affine: (4, 4) from voxel index (column, row, slice) to RAS+ millimetres; leaning where the stack leans.
        order: (n,) indices that sort the given slices along the stack.
        index: (n,) place of each sorted slice in the stack; a number left out is a missing slice.
        depth: slices of the whole stack, missing ones counted.
        tilt: degrees between the stacking direction and the slice normal (gantry tilt); 0 below the tolerance.
    """

    affine: Affine
    order: NDArray[np.int64]
    index: NDArray[np.int64]
    depth: int
    tilt: float = 0.0

    @property
    def missing(self) -> NDArray[np.int64]:
        """(m,) places in the stack that no slice fills."""
        return np.setdiff1d(np.arange(self.depth), self.index)

    def gap(self, thickness: float | None) -> float | None:
        """Millimetres along the normal between a slice of this thickness and the next; None where there is none."""
        if self.depth < 2 or not thickness or thickness <= 0:
            return None
        distance = float(np.linalg.norm(self.affine[:3, 2]) * np.cos(np.radians(self.tilt)))
        return round(distance - thickness, GAP_DIGITS) + 0.0


def stack(
    positions: ArrayLike, orientation: ArrayLike, pixel_spacing: tuple[float, float], thickness: float | None = None
) -> Grid:
    """Order slices along their common normal and give the stack's grid.

    Args:
        positions: (n, 3) Image Position (Patient) of each slice, LPS mm.
        orientation: (6,) Image Orientation (Patient): direction cosines of a row, then of a column.
        pixel_spacing: (between rows, between columns) in mm, DICOM's order.
        thickness: extent of a single slice in mm; not used where two positions say it.

    Returns:
        The grid. Missing slices are counted, nothing is filled in.

    Raises:
        ImagingError: GEOMETRY_INCONSISTENT where orientation or spacing describe no plane, slices repeat a position,
            lie off one line, or their distances are no multiples of one spacing.

    Source: DICOM PS3.3 C.7.6.2.1.1 (plane equation).
    """
    positions = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    row, column, normal = directions(orientation)
    if not np.isfinite(positions).all() or not all(np.isfinite(s) and s > 0 for s in pixel_spacing):
        raise _inconsistent("found positions or pixel spacings that are not finite or not positive", "usable ones")
    distance = positions @ normal
    order = np.argsort(distance, kind="stable").astype(np.int64)
    ordered = positions[order]
    index = _places(distance[order])
    if index[-1]:
        step = (ordered[-1] - ordered[0]) / index[-1]
        off_line = np.abs(ordered - ordered[0] - index[:, None] * step).max()
        if off_line > max(LINE_TOLERANCE_MM, GAP_TOLERANCE * np.linalg.norm(step)):
            raise _inconsistent(f"found slices up to {off_line:.2f} mm off one line", "one straight stack")
    else:
        step = normal * (thickness if thickness and thickness > 0 and np.isfinite(thickness) else 1.0)
    tilt = float(np.degrees(np.arccos(np.clip(step @ normal / np.linalg.norm(step), -1.0, 1.0))))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * pixel_spacing[1], column * pixel_spacing[0], step
    affine[:3, 3] = ordered[0]
    tilt = tilt if tilt > TILT_TOLERANCE_DEGREES else 0.0
    return Grid(LPS_TO_RAS @ affine, order, index, int(index[-1]) + 1, tilt)


def slabs(distance: ArrayLike) -> NDArray[np.int64] | None:
    """Runs of equally spaced slices in a stack whose slices are not.

    Args:
        distance: (n,) along the normal, mm, ascending.

    Returns:
        (n,) number of the run that each slice belongs to; None where there is one, or where runs are so short that they
        rather are one stack of varying distances.
    """
    steps = np.diff(np.asarray(distance, dtype=np.float64))
    run = np.zeros(len(steps) + 1, dtype=np.int64)
    fresh = True
    for k, step in enumerate(steps):
        apart = not fresh and abs(step - steps[k - 1]) > GAP_TOLERANCE * min(step, steps[k - 1])
        run[k + 1] = run[k] + apart
        fresh = apart
    counts = np.bincount(run)
    return run if len(counts) > 1 and counts.min() >= 2 and len(counts) * MIN_SLAB <= len(run) else None


def directions(orientation: ArrayLike) -> tuple[Affine, Affine, Affine]:
    """Unit directions of a row, of a column, and of the slice normal, LPS.

    Args:
        orientation: (6,) Image Orientation (Patient).

    Returns:
        Three read-only (3,) vectors.

    Raises:
        ImagingError: GEOMETRY_INCONSISTENT where they are not two perpendicular unit vectors.
    """
    # a series has few orientations, and each is asked for a dozen times
    return _directions(np.asarray(orientation, dtype=np.float64).tobytes())


@lru_cache(maxsize=64)
def _directions(orientation: bytes) -> tuple[Affine, Affine, Affine]:
    cosines = np.frombuffer(orientation)
    if cosines.shape != (6,) or not np.isfinite(cosines).all():
        raise _inconsistent("found an orientation of other than six finite numbers", "two direction vectors")
    row, column = cosines.reshape(2, 3)
    lengths = np.array([row @ row, column @ column])
    if np.abs(lengths - 1).max() > COSINE_TOLERANCE or abs(row @ column) > COSINE_TOLERANCE:
        raise _inconsistent("found an orientation that is not two perpendicular unit vectors", "direction cosines")
    row, column = row / np.sqrt(lengths[0]), column / np.sqrt(lengths[1])
    (a, b, c), (d, e, f) = row.tolist(), column.tolist()
    normal = np.array([b * f - c * e, c * d - a * f, a * e - b * d])  # np.cross takes ten times as long
    normal /= np.linalg.norm(normal)
    for direction in (row, column, normal):
        direction.setflags(write=False)
    return row, column, normal


def is_regular(distance: NDArray[np.float64]) -> bool:
    """Whether slices at these ascending distances, mm, are one stack, some perhaps missing."""
    try:
        _places(distance)
    except ImagingError:
        return False
    return True


def _places(distance: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) place in the stack of each sorted distance along the normal."""
    steps = np.diff(distance)
    if not steps.size:
        return np.zeros(1, dtype=np.int64)
    if steps.min() < POSITION_TOLERANCE_MM:
        raise _inconsistent(
            f"found {np.count_nonzero(steps < POSITION_TOLERANCE_MM)} repeated slice positions", "one slice a position"
        )
    # counting gap by gap keeps the rounding of a position from adding up over hundreds of slices
    gaps = np.maximum(np.rint(steps / steps.min()), 1.0)
    spacing = steps.sum() / gaps.sum()
    if np.abs(steps - gaps * spacing).max() > GAP_TOLERANCE * spacing:
        raise _inconsistent(
            f"found slice distances from {steps.min():.3f} to {steps.max():.3f} mm", "multiples of one spacing"
        )
    depth = int(gaps.sum()) + 1
    if depth - distance.size > MAX_MISSING_SHARE * depth:
        raise _inconsistent(f"found {distance.size} of {depth} slices", "at least half of a stack")
    return np.concatenate([[0], np.cumsum(gaps)]).astype(np.int64)


@dataclass(frozen=True)
class Canonical:
    """The permutation and flips that bring voxels to RAS+ axes: x to the right, y to the front, z to the top.

    Attributes:
        permutation: (3,) old axis that becomes x, y, z.
        flips: whether the new x, y, z run against the old axis.
        affine: (4, 4) from the new voxel index to RAS+ millimetres.
        shape: voxels along the new x, y, z.
    """

    permutation: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    affine: Affine
    shape: tuple[int, int, int]

    def axis(self, old: int) -> int:
        """The new axis that an old one became."""
        return self.permutation.index(old)

    def place(self, old_axis: int, index: int) -> int:
        """The new index of an old index along an old axis."""
        axis = self.axis(old_axis)
        return self.shape[axis] - 1 - index if self.flips[axis] else index

    def apply(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """A view of (i, j, k[, t]) voxels along x, y, z; no voxel is copied or changed."""
        axes = (*self.permutation, *range(3, array.ndim))
        steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)
        return array.transpose(axes)[steps]


def canonical(affine: ArrayLike, shape: tuple[int, ...]) -> Canonical:
    """How to reach the RAS+ axes closest to a grid's own.

    Args:
        affine: (4, 4) voxel index to RAS+ millimetres.
        shape: voxels along the grid's three axes; more entries are ignored.

    Raises:
        ImagingError: GEOMETRY_INCONSISTENT where the affine is singular or not finite.

    Source: nibabel.orientations.io_orientation (closest axes by singular value decomposition).
    """
    affine = np.asarray(affine, dtype=np.float64)
    nibo: Any = nibabel.orientations  # its functions carry no types
    orientation = nibo.io_orientation(affine) if is_usable(affine) else np.full((3, 2), np.nan)
    if np.isnan(orientation).any():
        raise _inconsistent("found an affine that is singular or not finite", "three independent axes")
    permutation = tuple(int(axis) for axis in np.argsort(orientation[:, 0]))
    flips = tuple(bool(orientation[axis, 1] < 0) for axis in permutation)
    size = tuple(int(shape[axis]) for axis in permutation)
    moved = affine @ nibo.inv_ornt_aff(orientation, shape[:3])
    return Canonical(permutation, flips, moved, size)  # type: ignore[arg-type]


def is_usable(affine: Affine) -> bool:
    """Whether an affine is (4, 4), finite, and its axes are independent."""
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        return False
    sizes = np.linalg.svd(affine[:3, :3], compute_uv=False)
    return bool(sizes[-1] > MIN_AXIS_RATIO * sizes[0])


def spacing_of(affine: ArrayLike) -> tuple[float, float, float]:
    """Voxel size along the three axes in mm."""
    x, y, z = np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0)
    return float(x), float(y), float(z)


def _inconsistent(found: str, needed: str) -> ImagingError:
    return ImagingError(Reason.GEOMETRY_INCONSISTENT, f"{found}, needed {needed}")
