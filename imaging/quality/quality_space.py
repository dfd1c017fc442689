"""Quality of one image: noise, contrast, background, ghosts, sharpness, and what the field of view cuts off.

Belongs here: measures from the voxels of one 3D image. The object is what is brighter than `OBJECT_SHARE` of bright
tissue, and what that encloses in a plane; the air is the rest, less a margin. Both are looked at in planes spread
evenly over the image, at most `PIXELS` pixels, always the same ones.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.volumes.statistics import FILLED_SPIKE, PERCENTILES, Statistics, otsu

PIXELS = 1 << 19
"""Pixels of the planes that are looked at: enough for a standard error of noise of 0.1 %, little for a processor."""

OBJECT_SHARE = 0.4
"""Share of the upper quartile of the foreground from which a voxel is taken for the object; darker tissue lies inside
it, and ghosts of up to this share of the signal stay outside."""

MARGIN = 2
"""Pixels around the object that belong to neither it nor the air: edges hold a part of each."""

ARTIFACT_DEVIATIONS = 10.0
"""Robust standard deviations above the median of the air from which a pixel is an artifact, as in MRIQC."""

_LEAST_PIXELS = 500
"""Pixels below which nothing is estimated from a region."""

_SIDE = 64
"""Positions along each axis at which the sides of the object are looked at."""

RAYLEIGH_QUARTILES = float(np.sqrt(2 * np.log(4)) - np.sqrt(2 * np.log(4 / 3)))
"""Distance of the quartiles of a Rayleigh distribution whose two Gaussian components have a deviation of 1."""

_RAYLEIGH_LOW = float(np.sqrt(-2 * np.log(0.8)) - np.sqrt(-2 * np.log(0.95)))
"""The same between its quantiles at 5 and 20 %."""

NORMAL_QUARTILES = 1.3489795
"""Distance of the quartiles of a normal distribution of deviation 1."""

Values = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Image:
    """One image, and what is known of it.

    Attributes:
        array: (x, y, z) stored voxels without missing slices.
        slope: value = stored * slope + intercept.
        intercept: value = stored * slope + intercept.
        spacing: voxel size along x, y, z in mm.
        axis: axis along which slices are stacked.
        phase: axis of phase encoding; None: not known.
        numbers: its statistics.
    """

    array: NDArray[np.generic]
    slope: float
    intercept: float
    spacing: tuple[float, float, float]
    axis: int
    phase: int | None
    numbers: Statistics

    def values(self, stored: NDArray[Any]) -> Values:
        """Some of the stored voxels as values, in single precision where that holds their squares."""
        kind = np.float32 if stored.dtype.itemsize <= 2 or stored.dtype == np.float32 else np.float64
        found: Values = stored.astype(kind)
        if self.slope != 1.0 or self.intercept:
            found = found * found.dtype.type(self.slope) + found.dtype.type(self.intercept)
        return np.nan_to_num(found, posinf=0.0, neginf=0.0) if stored.dtype.kind == "f" else found

    @property
    def has_air(self) -> bool:
        """Whether there is a background."""
        return self.numbers.threshold >= float(self.numbers.levels[0])

    @property
    def cut(self) -> float:
        """Value above which a voxel is taken for the object."""
        bright = OBJECT_SHARE * self.numbers.percentiles[PERCENTILES.index(75)]
        return max(self.numbers.threshold, bright) if self.has_air else self.numbers.threshold


def measures(image: Image) -> dict[str, Any]:
    """Every measure of one image, by the names of `imaging.quality.quality.Quality`."""
    planes = _planes(image)
    bright = planes > image.cut
    found: dict[str, Any] = {
        "efc": efc(image.numbers.levels, image.numbers.counts),
        "fwhm": smoothness(image),
        "cut_off": cut_off(image),
    }
    if np.count_nonzero(bright) < _LEAST_PIXELS:
        return found
    mean = float(planes[bright].mean(dtype=np.float64))
    found |= _of_object(planes, bright, mean)
    if image.has_air:
        found |= _of_air(planes, bright, mean, image)
    return found


def _of_object(planes: Values, bright: Mask, mean: float) -> dict[str, float | None]:
    noise = inner_noise(planes, bright)
    if not noise:
        return {}
    return {"snr": mean / noise, "cnr": contrast(planes[bright]) / noise}


def _of_air(planes: Values, bright: Mask, mean: float, image: Image) -> dict[str, float | None]:
    inside = enclosed(bright)
    air = ~_grown(inside, MARGIN)
    values = planes[air]
    if values.size < _LEAST_PIXELS:
        return {}
    noise = air_noise(values)
    energy = float((values.astype(np.float64) ** 2).mean())
    # axes of the planes are those of the image without `axis`, in their order
    phases = [n for n, a in enumerate(a for a in range(3) if a != image.axis) if image.phase in (None, a)] or [0, 1]
    ratios = [r for r in (ghosting(planes, inside, phase) for phase in phases) if r is not None]
    return {
        "background_noise": noise,
        "snr_air": mean / noise if noise else None,
        "background_artifacts": artifacts(planes, air) if noise else None,
        "fber": float((planes[inside].astype(np.float64) ** 2).mean()) / energy if energy else None,
        "ghosting": max(ratios, default=None),
    }


def efc(levels: Values, counts: Values) -> float | None:
    """Entropy focus criterion: the Shannon entropy of the energy, as a share of its maximum.

    Ghosts and blur spread energy over the image and raise it; 0 where one voxel has all the energy, 1 where all voxels
    are alike.

    Args:
        levels: (n,) distinct values.
        counts: (n,) how often each occurs.

    Source: D. Atkinson and others, IEEE Transactions on Medical Imaging 16:903, 1997; normalized as in MRIQC.
    """
    total = float(counts.sum())
    energy = float((counts * (levels / levels[-1]) ** 2).sum()) if levels[-1] > 0 else 0.0
    if levels[0] < 0 or total < 2 or not energy:
        return None
    share = levels / levels[-1] / np.sqrt(energy)
    entropy = -float((counts * share * np.log(np.where(share > 0, share, 1.0))).sum())
    return entropy / float(np.sqrt(total) * np.log(np.sqrt(total)))


def saturation(numbers: Statistics) -> float:
    """Share of the voxels above the background that have the largest value; a clipped image has many."""
    above = float(numbers.counts[numbers.levels > numbers.threshold].sum())
    return float(numbers.counts[-1]) / above


def inner_noise(planes: Values, where: Mask) -> float:
    """Standard deviation of white noise inside the object.

    The median of what the Laplacian mask leaves of each pixel that lies in the object with all its neighbours; the mask
    takes out everything that changes evenly along rows or columns. Interpolation and smoothing of an image make its
    noise look smaller.

    Args:
        planes: (n, rows, columns) values.
        where: pixels of the object.

    Source: J. Immerkaer, Computer Vision and Image Understanding 64:300, 1996; the median instead of the mean, so that
    edges do not count.
    """
    if min(planes.shape[1:]) < 3:
        return 0.0
    rows = planes[:, :-2] - 2 * planes[:, 1:-1] + planes[:, 2:]
    left = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    across = where[:, :-2] & where[:, 1:-1] & where[:, 2:]
    inner = left[across[:, :, :-2] & across[:, :, 1:-1] & across[:, :, 2:]]
    if inner.size < _LEAST_PIXELS:
        return 0.0
    return float(np.median(np.abs(inner))) / (NORMAL_QUARTILES / 2) / 6


def contrast(values: Values) -> float:
    """Distance of the means of two classes of values, parted by Otsu's threshold.

    MRIQC's contrast to noise ratio takes grey and white matter for the two; without a segmentation they are the darker
    and the brighter part of the object.

    Source: V. Magnotta, L. Friedman, Journal of Digital Imaging 19:140, 2006; N. Otsu, IEEE Transactions on Systems,
    Man, and Cybernetics 9:62, 1979.
    """
    low, high = (float(v) for v in np.percentile(values, (1, 99)))
    if high <= low:
        return 0.0
    counts, edges = np.histogram(values, 128, (low, high))
    middles, last = (edges[:-1] + edges[1:]) / 2, otsu(counts.astype(np.float64)) + 1
    return float(np.average(middles[last:], weights=counts[last:]) - np.average(middles[:last], weights=counts[:last]))


def air_noise(values: Values) -> float | None:
    """Standard deviation of the Gaussian noise in each channel, from the magnitude of air.

    The magnitude of noise alone follows a Rayleigh distribution; the distance of its quartiles is taken, which ghosts
    and other bright spots change little. Zeros that stand for what the scanner filled in are left out. None where all
    of the air is blank.

    Source: O. Dietrich and others, Journal of Magnetic Resonance Imaging 26:375, 2007, appendix; MRIQC `snrd`.
    """
    levels, counts = np.unique(values, return_counts=True)
    if levels[0] == 0 and levels.size > 1 and counts[0] > FILLED_SPIKE * counts[1]:
        levels, counts = levels[1:], counts[1:]
    if counts.sum() < _LEAST_PIXELS:
        return None
    low, high = _quantiles(levels, counts, (0.25, 0.75))
    return (high - low) / RAYLEIGH_QUARTILES if high > low else None


def artifacts(planes: Values, air: Mask) -> float:
    """Share of the air that is brighter than noise and hangs together (quality index 1).

    What noise is, the darkest fifth of the air says, which ghosts over most of the air leave alone.

    Source: B. Mortamet and others, Magnetic Resonance in Medicine 62:365, 2009; the threshold is MRIQC's.
    """
    values = planes[air]
    low, middle = _quantiles(*np.unique(values[values > 0], return_counts=True), (0.05, 0.2))
    deviation = (middle - low) / _RAYLEIGH_LOW * np.sqrt((4 - np.pi) / 2)
    marked = air & (planes > middle + ARTIFACT_DEVIATIONS * deviation)
    opened = _grown(~_grown(~marked, 1), 1)
    return float(np.count_nonzero(opened)) / values.size


def ghosting(planes: Values, inside: Mask, axis: int) -> float | None:
    """Ghost to signal ratio along an axis of the planes.

    Mean of the air onto which the object falls when it is moved by half the field of view, less the mean of the other
    air, over the mean of the object. 0 without ghosts; may be a little below.

    Source: M. Giannelli and others, Journal of Applied Clinical Medical Physics 11(4):170, 2010; MRIQC `gsr`.
    """
    moved = np.roll(inside, inside.shape[1 + axis] // 2, 1 + axis)
    edge = ~_grown(inside, MARGIN)
    ghost, other = moved & edge, ~moved & edge
    if min(np.count_nonzero(region) for region in (ghost, other, inside)) < _LEAST_PIXELS:
        return None
    of_ghost, of_other, signal = (float(planes[r].mean(dtype=np.float64)) for r in (ghost, other, inside))
    return (of_ghost - of_other) / signal if signal > 0 else None


def smoothness(image: Image) -> tuple[float, float, float] | None:
    """Full width at half maximum along x, y, z in mm, as if the image were smoothed white noise.

    From the variance of differences between neighbours inside the object over the variance inside it. Anatomy adds to
    it, so that it compares images of one kind only.

    Source: S. Forman and others, Magnetic Resonance in Medicine 33:636, 1995; AFNI `3dFWHMx`, MRIQC `fwhm`.
    """
    found = []
    for axis in range(3):
        first, second = _neighbours(image, axis)
        both = (first > image.cut) & (second > image.cut)
        if np.count_nonzero(both) < _LEAST_PIXELS:
            return None
        one, other = first[both].astype(np.float64), second[both].astype(np.float64)
        variance = (one.var() + other.var()) / 2
        share = float((other - one).var() / (2 * variance)) if variance > 0 else 0.0
        if not 0 < share < 1:
            return None
        found.append(image.spacing[axis] * float(np.sqrt(-2 * np.log(2) / np.log1p(-share))))
    return found[0], found[1], found[2]


def cut_off(image: Image) -> float:
    """The largest cross-section that a side of the field of view cuts, as a share of the largest along its axis.

    The lower side is left out: the neck goes on below every head.
    """
    places = [np.unique(np.linspace(0, n - 1, _SIDE).astype(int)) for n in image.array.shape]
    seen = image.values(image.array[np.ix_(*places)]) > image.cut
    shares = []
    for axis in range(3):
        areas = np.count_nonzero(seen, axis=tuple({0, 1, 2} - {axis}))
        ends = areas[-1:] if axis == 2 else areas[[0, -1]]
        shares.append(float(ends.max()) / max(1, int(areas.max())))
    return max(shares)


def enclosed(bright: Mask) -> Mask:
    """Pixels with bright ones on both sides along rows and along columns: holes of the object are part of it."""
    between = np.ones(bright.shape, bool)
    for axis in (1, 2):
        before = np.logical_or.accumulate(bright, axis)
        after = np.flip(np.logical_or.accumulate(np.flip(bright, axis), axis), axis)
        between &= before & after
    return between


def _planes(image: Image) -> Values:
    """(n, rows, columns) values of planes across the stacking axis, spread evenly over the image."""
    depth = image.array.shape[image.axis]
    number = min(depth, max(4, PIXELS * depth // image.array.size))
    places = ((np.arange(number) + 0.5) * depth / number).astype(int)
    return image.values(np.ascontiguousarray(np.moveaxis(image.array, image.axis, 0)[places]))


def _neighbours(image: Image, axis: int) -> tuple[Values, Values]:
    """Voxels spread evenly over the image, and the next one of each along an axis."""
    step = max(1, int(np.cbrt(image.array.size / (PIXELS / 2))))
    along = [slice(None, None, step)] * 3
    last = image.array.shape[axis] - 1
    first = tuple(slice(0, last, step) if a == axis else s for a, s in enumerate(along))
    second = tuple(slice(1, None, step) if a == axis else s for a, s in enumerate(along))
    return image.values(image.array[first]), image.values(image.array[second])


def _grown(mask: Mask, pixels: int) -> Mask:
    """A mask with its four neighbours in the plane, `pixels` times over."""
    for _ in range(pixels):
        grown = mask.copy()
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        grown[:, :, 1:] |= mask[:, :, :-1]
        grown[:, :, :-1] |= mask[:, :, 1:]
        mask = grown
    return mask


def _quantiles(levels: Values, counts: NDArray[np.int64], shares: tuple[float, ...]) -> list[float]:
    """Quantiles of distinct values; whole numbers are taken to be spread evenly, each over its width."""
    middles = np.cumsum(counts) - counts / 2
    return [float(q) for q in np.interp(np.array(shares) * counts.sum(), middles, levels)]
