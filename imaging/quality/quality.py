"""How good an image is: noise, contrast, ghosts, sharpness, motion, what is cut off or empty.

Belongs here: the measures of a volume, put together. Their formulas are in `imaging.quality.quality_space` (from the
voxels of one image), `imaging.quality.quality_slices` (from slice to slice) and `imaging.quality.quality_time` (from
step to step). What counts as unusual among many series is `stages.quality`.

The measures follow the definitions that MRIQC publishes (O. Esteban and others, PLOS ONE 12:e0184661, 2017) where these
need no brain mask. The object is what is brighter than the background and what that encloses, so they fit any part of
the body. A measure that is not defined for a volume is None, never a number that stands for nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.quality import quality_slices, quality_space, quality_time
from imaging.quality.quality_space import Image
from imaging.volumes.acquisition import Acquisition
from imaging.volumes.statistics import Statistics, statistics
from imaging.volumes.volume import Volume

UNWEIGHTED = 50.0
"""Largest b-value in s/mm2 of a step without diffusion weighting, some scanners' lowest being a few above 0."""

_MEASURED_PARTS = ("magnitude", "unknown")
"""Noise, background and entropy have their meaning in magnitude images."""


@dataclass(frozen=True)
class Quality:
    """Measures of a volume; None: not defined for it. Each is explained where it is computed.

    Attributes:
        snr: mean of the object over the noise inside it.
        snr_air: mean of the object over the noise of the air around it (MRIQC `snrd`).
        cnr: distance of the object's two classes of intensities over the noise inside it.
        background_noise: standard deviation of the noise that the air shows, as a value of the image.
        background_artifacts: share of the air that artifacts brighten (MRIQC `qi_1`).
        fber: energy of the object over energy of the air (MRIQC `fber`).
        efc: entropy focus criterion (MRIQC `efc`), 0 to 1.
        ghosting: ghost to signal ratio (MRIQC `gsr`).
        fwhm: smoothness along x, y, z, in mm.
        cut_off: how much of the object a side of the field of view cuts, 0 to 1; the lower side is not looked at.
        saturation: share of the object's voxels at the largest value.
        empty_slices: slices of one value, counted in each step; not those around an image whose air is blank.
        bad_slices: slices that are much darker or brighter than those beside them, counted in each step.
        tsnr: median over the object of a voxel's mean over its deviation in time.
        dvars: mean standardized change from step to step; 1 where steps differ by noise alone.
        outliers: share of voxels that leave the usual range in a step (AFNI `3dToutcount`, MRIQC `aor`).
        motion: mean framewise displacement, in mm.
    """

    snr: float | None = None
    snr_air: float | None = None
    cnr: float | None = None
    background_noise: float | None = None
    background_artifacts: float | None = None
    fber: float | None = None
    efc: float | None = None
    ghosting: float | None = None
    fwhm: tuple[float, float, float] | None = None
    cut_off: float | None = None
    saturation: float | None = None
    empty_slices: int | None = None
    bad_slices: int | None = None
    tsnr: float | None = None
    dvars: float | None = None
    outliers: float | None = None
    motion: float | None = None


def quality(volume: Volume, known: Statistics | None = None) -> Quality:
    """Every measure that is defined for a volume.

    Measures of one image come from the volume itself, from the mean of all steps where it is dynamic, and from the mean
    of the steps without weighting where it is diffusion. Missing slices are left out.

    Args:
        volume: the volume.
        known: its statistics, where they were computed before.
    """
    axis = slice_axis(volume)
    array = _without_missing(volume)
    profile = quality_slices.profile(array, axis)
    numbers = known or statistics(volume)
    if volume.part not in _MEASURED_PARTS or numbers.levels[0] < 0 or numbers.levels[-1] <= numbers.levels[0]:
        return Quality(empty_slices=profile.empty - profile.outside)
    found = {
        "saturation": quality_space.saturation(numbers),
        "bad_slices": quality_slices.bad(profile, _alike(volume), volume.slope, volume.intercept),
        **(_of_image(array, volume, axis, numbers) if array.ndim == 3 else _of_steps(array, volume, axis)),
    }
    # around an image whose air was made blank, slices without any of it are blank too
    outside = profile.outside if not found.get("background_noise") else 0
    return Quality(empty_slices=profile.empty - outside, **found)


def _of_image(array: NDArray[Any], volume: Volume, axis: int, numbers: Statistics) -> dict[str, Any]:
    return quality_space.measures(_image(array, volume, axis, numbers))


def _of_steps(array: NDArray[Any], volume: Volume, axis: int) -> dict[str, Any]:
    """Measures of the mean of steps that show the same thing, and of the steps against it."""
    steps = array[..., _comparable(volume)]
    mean = steps.mean(axis=3, dtype=np.float32)
    image = _image(mean, volume, axis, statistics(Volume(mean, volume.affine, volume.slope, volume.intercept)))
    found = quality_space.measures(image)
    if volume.kind != "static":
        found |= quality_time.measures(steps, mean, volume, image.cut)
    return found


def _image(array: NDArray[Any], volume: Volume, axis: int, numbers: Statistics) -> Image:
    encoded = volume.acquisition.phase_encoding
    phase = "ijk".index(encoded[0]) if encoded else None
    return Image(array, volume.slope, volume.intercept, volume.spacing, axis, phase, numbers)


def _without_missing(volume: Volume) -> NDArray[Any]:
    """The voxels without the slices that nothing filled; all where nothing else is there."""
    missing, axis = volume.missing_slices, volume.missing_axis
    return np.delete(volume.array, missing, axis) if 0 < len(missing) < volume.shape[axis] else volume.array


def slice_axis(volume: Volume) -> int:
    """The axis along which slices were stacked; where nothing states it, the one with the fewest voxels."""
    if volume.missing_slices:
        return volume.missing_axis
    if volume.acquisition != Acquisition():
        return volume.acquisition.slice_axis
    fewest = min(volume.shape[:3])
    return max(axis for axis in range(3) if volume.shape[axis] == fewest)


def _comparable(volume: Volume) -> Any:
    """Index of the steps that show the same thing: all, those without weighting, or the first."""
    if volume.kind == "dynamic":
        return slice(None)
    if volume.bvals is None:
        return [0]
    plain = np.flatnonzero(volume.bvals <= UNWEIGHTED)
    return plain if plain.size else np.flatnonzero(volume.bvals == volume.bvals.min())


def _alike(volume: Volume) -> list[NDArray[np.int64]]:
    """Groups of steps that differ by noise, motion and gradient direction alone."""
    if volume.bvals is None or volume.steps == 1:
        return [np.arange(volume.steps)] if volume.kind == "dynamic" else [np.array([i]) for i in range(volume.steps)]
    shells = np.rint(volume.bvals / 100)
    return [np.flatnonzero(shells == shell) for shell in np.unique(shells)]
