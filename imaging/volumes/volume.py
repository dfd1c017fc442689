"""A normalized volume: what the lake stores of an image, before it is stored.

Belongs here: the volume and what must hold of it. Making one from DICOM is `imaging.volumes.normalize`, from NIfTI
`imaging.nifti.nifti`; numbers about one are `imaging.volumes.statistics`.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.volumes.acquisition import Acquisition
from imaging.volumes.geometry import is_usable, spacing_of
from schemas.reasons import Reason

KINDS = ("static", "diffusion", "dynamic")
PARTS = ("magnitude", "phase", "real", "imaginary", "unknown")


@dataclass(frozen=True, eq=False)
class Volume:
    """One image in RAS+ axes.

    Attributes:
        array: (x, y, z) or (x, y, z, t) stored voxels, in any order of memory; x to the right, y to the front, z up.
        affine: (4, 4) voxel index to RAS+ millimetres.
        slope: value = stored * slope + intercept.
        intercept: value = stored * slope + intercept.
        kind: static, diffusion or dynamic; what the fourth axis is.
        part: magnitude, phase, real, imaginary, or unknown.
        bvals: (t,) s/mm2; None: not a diffusion image. A single weighted image has one.
        bvecs: (t, 3) unit gradient directions along the voxel axes x, y, z (see `imaging.volumes.normalize`); zeros
            where there is none.
        times: (t,) start of each step from the first in seconds; None: not stated.
        missing_slices: indices along `missing_axis` that no slice filled; their voxels are stored zeros.
        missing_axis: axis of `missing_slices`; 2 where nothing is missing.
        tilt: degrees between stacking direction and slice normal, 0 for an upright stack.
        gap: mm between a slice and the next, below 0 where they overlap; None: not known.
        acquisition: how it was acquired, along these axes.
        rescaled: whether the stored values were computed because slices came with different slopes; otherwise they
            are the integers of the files.

    Raises:
        ImagingError: GEOMETRY_INCONSISTENT where the affine is unusable, PIXELS_INVALID where lengths disagree.
    """

    array: NDArray[np.generic]
    affine: NDArray[np.float64]
    slope: float = 1.0
    intercept: float = 0.0
    kind: str = "static"
    part: str = "unknown"
    bvals: NDArray[np.float64] | None = None
    bvecs: NDArray[np.float64] | None = None
    times: NDArray[np.float64] | None = None
    missing_slices: tuple[int, ...] = ()
    missing_axis: int = 2
    tilt: float = 0.0
    gap: float | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    rescaled: bool = field(default=False)

    def __post_init__(self) -> None:
        """Refuse a volume that contradicts itself."""
        if self.array.ndim not in (3, 4) or not self.array.size:
            raise _wrong(f"found {self.array.ndim} axes and {self.array.size} voxels, needed 3 or 4 axes with voxels")
        if self.array.dtype.kind not in "iuf":
            raise _wrong(f"found voxels of type {self.array.dtype}, needed integers or floating point numbers")
        if self.kind not in KINDS or self.part not in PARTS:
            raise _wrong(f"found another kind or part, needed one of {KINDS} and one of {PARTS}")
        if not (np.isfinite([self.slope, self.intercept]).all() and self.slope):
            raise _wrong("found a slope or intercept that is not finite, or a slope of zero, needed usable ones")
        self._check_geometry()
        self._check_steps()

    def _check_geometry(self) -> None:
        if not is_usable(self.affine):
            raise ImagingError(
                Reason.GEOMETRY_INCONSISTENT, "found a singular affine, needed three independent axes in millimetres"
            )
        outside = [i for i in self.missing_slices if not 0 <= i < self.array.shape[self.missing_axis]]
        if outside or list(self.missing_slices) != sorted(set(self.missing_slices)):
            raise _wrong("found missing slices outside the volume or not in order, needed sorted indices inside it")

    def _check_steps(self) -> None:
        for name, steps, shape in (
            ("b-values", self.bvals, (self.steps,)),
            ("gradient directions", self.bvecs, (self.steps, 3)),
            ("times", self.times, (self.steps,)),
        ):
            if steps is not None and (steps.shape != shape or not np.isfinite(steps).all()):
                raise _wrong(f"found {name} of shape {steps.shape}, needed {shape}, all finite")
        times, kinds = self.acquisition.slice_times, self.acquisition.step_kinds
        if times is not None and len(times) != self.array.shape[self.acquisition.slice_axis]:
            raise _wrong(f"found {len(times)} slice times, needed one for each slice")
        if kinds is not None and len(kinds) != self.steps:
            raise _wrong(f"found {len(kinds)} kinds of steps, needed one for each of {self.steps}")
        if (self.kind == "diffusion") > (self.bvals is not None):
            raise _wrong("found a diffusion volume without b-values, needed one for each step")

    @property
    def steps(self) -> int:
        """Steps of the fourth axis; 1 for a 3D volume."""
        return self.array.shape[3] if self.array.ndim == 4 else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along x, y, z[, t]."""
        return self.array.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along x, y, z in mm."""
        return spacing_of(self.affine)

    def values(self) -> NDArray[np.float32]:
        """The voxels as values: stored * slope + intercept, float32."""
        if self.slope == 1.0 and self.intercept == 0.0:
            return self.array.astype(np.float32)
        return (self.array.astype(np.float64) * self.slope + self.intercept).astype(np.float32)


def _wrong(message: str) -> ImagingError:
    return ImagingError(Reason.PIXELS_INVALID, message)
