"""The fourth axis: which of the slices that share a position belong to one step, and in which order steps come.

Belongs here: assigning slices to steps of time or diffusion weighting, and the steps' times and weightings. Splitting
a series into stacks comes before it (`imaging.series`); geometry is `imaging.geometry`.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imaging.header import Header

Labels = NDArray[np.int64]

FILL_SHARE = 0.8
"""Share of the positions-by-steps table that must be filled before more steps than the fullest position shows are
believed; numbering that counts something else (concatenations, slices) fills half of it or less."""

B_TOLERANCE = 0.02
"""Relative difference of b-values still one weighting: GE scales and rounds them."""
DIRECTION_TOLERANCE = 0.02
"""Difference of direction components still one weighting: written with two to six digits."""

DAY_SECONDS = 86400.0


def steps_of(headers: Sequence[Header], places: Labels) -> Labels | None:
    """Assign slices to steps.

    Numbers that scanners give to steps are tried first: temporal position, then acquisition number. Where they do not
    fit, the slices of each position are ranked by instance number (as dcm2niix does), then by time; ranking needs the
    same number of slices at every position, since a lost one would shift all later ones. Instance numbers that count
    through volume after volume are used where slices are lost. Diffusion series take only an order in which each step
    has one weighting.

    Args:
        headers: n slices.
        places: (n,) index of each slice's position.

    Returns:
        (n,) step of each slice, from 0; None where no order fits.
    """
    counts = np.bincount(places)
    repeats = int(counts.max())
    if repeats == 1:
        return np.zeros(len(headers), dtype=np.int64)
    b_values, directions = weightings(headers)
    diffusion = bool((b_values > 0).any())
    for labels in _candidates(headers, places, diffusion):
        if not _fits(labels, places, repeats):
            continue
        if not diffusion or _one_weighting_each(labels, b_values, directions):
            return labels
    return None


def weightings(headers: Sequence[Header]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) b-values in s/mm2 and (n, 3) directions in LPS; zeros where an instance states none.

    An instance without a b-value counts as unweighted: the elements are required of weighted images only.
    """
    b_values = np.array([header.b_value or 0.0 for header in headers])
    directions = np.array([header.gradient or (0.0, 0.0, 0.0) for header in headers], dtype=np.float64)
    return b_values, directions.reshape(-1, 3)


def times_of(steps: Sequence[Sequence[Header]]) -> NDArray[np.float64] | None:
    """Start of each step from the first, in seconds.

    From acquisition times, else from trigger times, else, for echo-planar series, from the repetition time, which is
    the time between volumes there alone. None where nothing says it.

    Args:
        steps: the slices of each step.
    """
    acquisition = _starts(steps, lambda header: header.acquisition_time)
    if acquisition is not None:
        midnight = np.cumsum(np.concatenate([[0.0], np.diff(acquisition) < -DAY_SECONDS / 2])) * DAY_SECONDS
        acquisition = acquisition + midnight
    trigger = _starts(steps, lambda header: header.trigger_time)
    for starts, unit in ((acquisition, 1.0), (trigger, 1e-3)):
        if starts is not None and (np.diff(starts) > 0).all():
            return np.asarray(np.round((starts - starts[0]) * unit, 6))
    first = steps[0][0]
    if "EP" in first.scanning_sequence and first.repetition_time:
        return np.arange(len(steps), dtype=np.float64) * first.repetition_time * 1e-3
    return None


def _candidates(headers: Sequence[Header], places: Labels, diffusion: bool) -> Iterator[Labels]:
    instance = _numbers(headers, lambda header: header.instance_number)
    for number in (lambda h: h.temporal_position, lambda h: h.acquisition_number):
        labels = _numbers(headers, number)
        if labels is not None:
            yield _dense(labels)
    rankable = np.ptp(np.bincount(places)) == 0
    if rankable and instance is not None:
        yield _rank(places, instance)
    if instance is not None and instance.min() >= 1:
        depth = int(places.max()) + 1
        yield _dense((instance - 1) // depth)
        yield _dense((instance - 1) % int(np.bincount(places).max()))
    for time in (lambda h: h.acquisition_time, lambda h: h.trigger_time, lambda h: h.content_time):
        labels = _numbers(headers, time)
        if rankable and labels is not None:
            yield _rank(places, labels)
    if diffusion and instance is not None:
        yield _by_weighting(headers, places, instance)


def _numbers(headers: Sequence[Header], of: Callable[[Header], float | None]) -> NDArray[np.float64] | None:
    numbers = [of(header) for header in headers]
    return None if None in numbers else np.array(numbers, dtype=np.float64)


def _dense(numbers: NDArray[np.float64]) -> Labels:
    """0 for the lowest number, 1 for the next, and so on."""
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _rank(places: Labels, keys: NDArray[np.float64]) -> Labels:
    """Rank of each slice among those of its position; equal keys give equal ranks, which then fit nowhere."""
    order = np.lexsort((keys, places))
    sorted_places, sorted_keys = places[order], keys[order]
    fresh = np.concatenate([[True], np.diff(sorted_places) != 0])
    higher = np.concatenate([[0], np.cumsum((np.diff(sorted_keys) != 0) | fresh[1:])])
    starts = np.maximum.accumulate(np.where(fresh, higher, 0))
    ranks = np.empty(len(places), dtype=np.int64)
    ranks[order] = higher - starts
    return ranks


def _by_weighting(headers: Sequence[Header], places: Labels, instance: NDArray[np.float64]) -> Labels:
    """Steps by weighting first, repeats of a weighting by instance number; in order of their first instance."""
    b_values, directions = weightings(headers)
    keys = np.column_stack([np.round(b_values, 0), np.round(directions, 2) + 0.0])
    weighting = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    repeat = _rank(weighting * (places.max() + 1) + places, instance)
    pair = weighting * (repeat.max() + 1) + repeat
    first = {label: instance[pair == label].min() for label in np.unique(pair)}
    return _dense(np.array([first[label] for label in pair]))


def _fits(labels: Labels, places: Labels, repeats: int) -> bool:
    """Whether no step holds a position twice, and there are as many steps as slices at the fullest position."""
    steps, depth = int(labels.max()) + 1, int(places.max()) + 1
    if steps != repeats and len(labels) <= FILL_SHARE * steps * depth:
        return False
    return len(np.unique(labels * depth + places)) == len(labels)


def _one_weighting_each(labels: Labels, b_values: NDArray[np.float64], directions: NDArray[np.float64]) -> bool:
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(labels[order]) != 0]))
    b_values, directions = b_values[order], directions[order]
    low, high = np.minimum.reduceat(b_values, starts), np.maximum.reduceat(b_values, starts)
    spread = np.maximum.reduceat(directions, starts) - np.minimum.reduceat(directions, starts)
    return bool((high - low <= B_TOLERANCE * high).all() and spread.max() <= DIRECTION_TOLERANCE)


def _starts(steps: Sequence[Sequence[Header]], of: Callable[[Header], float | None]) -> NDArray[np.float64] | None:
    numbers = [[of(header) for header in step] for step in steps]
    if any(None in step for step in numbers):
        return None
    return np.array([min(number for number in step if number is not None) for step in numbers])
