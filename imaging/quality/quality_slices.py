"""Quality from slice to slice: which slices are empty, and which are much darker or brighter than they should be.

Belongs here: measures of single slices. A dropped packet, a spike in k-space or a subject who moved while one slice was
excited leaves its mark on that slice, and in no average over the volume.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANGE_IN_TIME = 0.15
"""Relative change of a slice's mean against other steps from which it may be a bad one."""

CHANGE_BESIDE = 0.4
"""The same against the slices beside it, where anatomy changes the mean too."""

DEVIATIONS = 6.0
"""Robust standard deviations of such changes from which it is one: where all slices differ, none stands out."""

FAINT = 0.2
"""Slices whose mean is below this share of the brightest slice's are hardly object, and not judged."""

_LEAST_SLICES = 5
_LEAST_STEPS = 5
_SAMPLE = 64
"""Rows and columns of a slice that are looked at."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Profile:
    """What slices hold.

    Attributes:
        means: (slices, steps) mean of the stored voxels of each slice in each step.
        empty: slices of one value, counted in each step.
        outside: how many of these lie at the ends, with nothing but one value in any step of them.
    """

    means: Floats
    empty: int
    outside: int


def profile(array: NDArray[Any], axis: int) -> Profile:
    """Means of slices along an axis, from rows and columns spread evenly, and how many slices hold one value.

    Args:
        array: (x, y, z) or (x, y, z, t) stored voxels.
        axis: axis of the slices.
    """
    across = [a for a in range(3) if a != axis]
    spread = tuple(
        slice(None, None, max(1, n // _SAMPLE)) if a in across else slice(None) for a, n in enumerate(array.shape)
    )
    seen = array[spread]
    means = seen.mean(axis=tuple(across), dtype=np.float64).reshape(array.shape[axis], -1)
    alike = (seen.min(axis=tuple(across)) == seen.max(axis=tuple(across))).reshape(means.shape)
    whole = np.moveaxis(array, axis, 0)
    for place, step in np.argwhere(alike):
        alike[place, step] = _is_constant(whole[place], step)
    filled = np.flatnonzero(~alike.all(axis=1))
    outside = (filled[0] + alike.shape[0] - 1 - filled[-1]) * alike.shape[1] if filled.size else 0
    return Profile(means, int(np.count_nonzero(alike)), int(outside))


def bad(found: Profile, groups: list[NDArray[np.int64]], slope: float, intercept: float) -> int | None:
    """How many slices stand out, counted in each step; None where too few slices can be judged.

    In a group of enough steps of one kind, a slice is compared with itself in the other steps, less what all slices of
    its step have in common; elsewhere, with the slices beside it.

    Args:
        found: means of the slices.
        groups: indices of steps that differ by noise and motion alone.
        slope: value = stored * slope + intercept.
        intercept: value = stored * slope + intercept.
    """
    means = np.nan_to_num(found.means) * slope + intercept
    if means.shape[0] < _LEAST_SLICES:
        return None
    total = 0
    for group in groups:
        own = means[:, group]
        if len(group) >= _LEAST_STEPS:
            total += _standing_out(_against_other_steps(own), CHANGE_IN_TIME)
        else:
            total += sum(_standing_out(_against_neighbours(step), CHANGE_BESIDE) for step in own.T)
    return total


def _against_other_steps(means: Floats) -> Floats:
    """(judged slices, steps) relative change of each slice."""
    usual = np.median(means, axis=1)
    judged = usual > FAINT * usual.max()
    ratios = means[judged] / usual[judged, None] if judged.any() else np.ones((1, 1))
    common = np.median(ratios, axis=0)
    return np.asarray(ratios / np.where(common > 0, common, 1.0) - 1)


def _against_neighbours(means: Floats) -> Floats:
    """(judged slices,) relative change against the median of five slices around."""
    around = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(means, 2, mode="edge"), 5), axis=1)
    judged = around > FAINT * around.max()
    return np.asarray(means[judged] / around[judged] - 1)


def _standing_out(changes: Floats, least: float) -> int:
    if not changes.size:
        return 0
    spread = 1.4826 * float(np.median(np.abs(changes - np.median(changes))))
    return int(np.count_nonzero(np.abs(changes) > max(least, DEVIATIONS * spread)))


def _is_constant(slice_: NDArray[Any], step: np.int64) -> bool:
    """Whether a (rows, columns) or (rows, columns, steps) slice holds one value in a step; the sample suggests it."""
    own = slice_[..., step] if slice_.ndim == 3 else slice_
    return bool(own.min() == own.max())
