"""The fourth axis: which of the slices that share a position belong to one step, and in which order steps come.

Belongs here: assigning slices to steps of time or diffusion weighting, and the steps' times and weightings. Splitting
a series into stacks comes before it (`imaging.volumes.series`); geometry is `imaging.volumes.geometry`.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from imaging.headers.header import Header
from imaging.volumes.numbering import Keys, Labels, instance_order, numbers_of, stated_order

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

    An order that the images state for volumes is tried first (`imaging.volumes.numbering`), then numbers that scanners
    give to steps: temporal position, then acquisition number; steps that instance numbers count one after the other
    come in that order. Where such numbers do not fit, the slices of each position are ranked by instance number (as
    dcm2niix does), then by time; ranking needs the same number of slices at every position, since a lost one would
    shift all later ones. Where slices differ in spin labelling or inversion time, an order in which each step is of one
    kind comes first. Instance numbers that count through volume after volume are used where slices are lost. Diffusion
    series take only an order in which each step has one weighting.

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
    kinds = kinds_of(headers)
    for wanted in (kinds, np.zeros_like(kinds)) if kinds.any() else (kinds,):
        for labels in chain(
            _as_stated(headers, places),
            _by_kind(headers, places, wanted),
            _candidates(headers, places, diffusion),
        ):
            if not _fits(labels, places, repeats) or not _constant(labels, wanted):
                continue
            if not diffusion or _one_weighting_each(labels, b_values, directions):
                return labels
    return None


def kinds_of(headers: Sequence[Header]) -> Labels:
    """(n,) what spin labelling and inversion time make of each slice, by number; all 0 where they do not differ."""
    kinds = [(header.scanned.label, header.inversion_time) for header in headers]
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    return np.array([numbers[kind] for kind in kinds], dtype=np.int64)


def weightings(headers: Sequence[Header]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) b-values in s/mm2 and (n, 3) directions in LPS; zeros where an instance states none.

    An instance without a b-value counts as unweighted: the elements are required of weighted images only.
    """
    b_values = np.array([header.b_value or 0.0 for header in headers])
    directions = np.array([header.gradient or (0.0, 0.0, 0.0) for header in headers], dtype=np.float64)
    return b_values, directions.reshape(-1, 3)


def is_unweighted_diffusion(header: Header) -> bool:
    """Whether an image without a weighting is of a diffusion scan all the same, as those with b = 0 alone are."""
    return header.image_type[:1] == ("ORIGINAL",) and "DIFFUSION" in header.image_type[2:]


def times_of(steps: Sequence[Sequence[Header]]) -> NDArray[np.float64] | None:
    """Start of each step from the first, in seconds.

    From acquisition times, else from the scanner's clock, which counts from the start of the scan and stays where
    times of day are removed, else from trigger times. Where those do not differ, from Temporal Resolution, or, for
    echo-planar series, from the repetition time, which is the time between volumes there alone. Content times are
    those of reconstruction on some scanners and come last. None where nothing says it.

    Args:
        steps: the slices of each step.
    """
    first = steps[0][0]
    ge, siemens = first.vendor == "ge", first.vendor == "siemens"
    for starts, unit in (
        (_of_day(_starts(steps, lambda header: header.acquisition_time)), 1.0),
        (None if ge else _starts(steps, lambda header: header.clock), 1.0),
        (_starts(steps, lambda header: header.trigger_time), 1e-3),
        (_regular(steps), 1.0),
        (None if siemens else _of_day(_starts(steps, lambda header: header.content_time)), 1.0),
    ):
        if starts is not None and (np.diff(starts) > 0).all():
            return np.asarray(np.round((starts - starts[0]) * unit, 6))
    return None


def _of_day(starts: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Times of day that go on over midnight."""
    if starts is None:
        return None
    return starts + np.cumsum(np.concatenate([[0.0], np.diff(starts) < -DAY_SECONDS / 2])) * DAY_SECONDS


def _regular(steps: Sequence[Sequence[Header]]) -> NDArray[np.float64] | None:
    """Starts at equal distances: Temporal Resolution (0020,0110), or repetition time and pause of echo-planar scans."""
    first = steps[0][0]
    planar, pause = first.repetition_time if "EP" in first.scanning_sequence else None, first.scanned.delay
    step = first.scanned.resolution or (planar / 1000 + pause if planar and pause is not None else 0.0)
    return np.arange(len(steps), dtype=np.float64) * step if step else None


def _candidates(headers: Sequence[Header], places: Labels, diffusion: bool) -> Iterator[Labels]:
    instance = instance_order(headers, places)
    rankable = np.ptp(np.bincount(places)) == 0
    for number in (lambda h: h.temporal_position, lambda h: h.acquisition_number):
        labels = numbers_of(headers, number)
        if labels is not None:
            yield _in_order(_dense(labels), instance, numbers_of(headers, lambda h: h.acquisition_time))
    if rankable and instance is not None:
        yield _rank(places, instance)
    if instance is not None and instance.min() >= 1:
        depth = int(places.max()) + 1
        yield _dense((instance - 1) // depth)
        yield _dense((instance - 1) % int(np.bincount(places).max()))
    for time in (lambda h: h.acquisition_time, lambda h: h.trigger_time, lambda h: h.content_time):
        labels = numbers_of(headers, time)
        if rankable and labels is not None:
            yield _rank(places, labels)
    if diffusion and instance is not None:
        yield _by_weighting(headers, places, instance)


def _as_stated(headers: Sequence[Header], places: Labels) -> Iterator[Labels]:
    """Steps by an order that the images state for volumes."""
    order = stated_order(headers, places) if np.ptp(np.bincount(places)) == 0 else None
    if order is not None:
        yield _rank(places, order)


def _in_order(labels: Labels, instance: Keys | None, time: Keys | None) -> Labels:
    """Steps in the order of instance numbers, where those count step after step, as dcm2niix has them.

    Where acquisition times say with the steps' own numbers that it is the other way round, those two are believed.
    """
    if instance is None:
        return labels
    first, last = _extremes(labels, instance)
    order = np.argsort(first, kind="stable")
    apart = (first[order][1:] > last[order][:-1]).all()
    if not apart or (time is not None and (np.diff(_extremes(labels, time)[0]) > 0).all()):
        return labels
    return np.asarray(np.argsort(order)[labels])


def _extremes(labels: Labels, numbers: Keys) -> tuple[Keys, Keys]:
    """Lowest and highest number of each step."""
    low, high = np.full(labels.max() + 1, np.inf), np.full(labels.max() + 1, -np.inf)
    np.minimum.at(low, labels, numbers)
    np.maximum.at(high, labels, numbers)
    return low, high


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
    return _repeats(np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1), places, instance)


def _by_kind(headers: Sequence[Header], places: Labels, kinds: Labels) -> Iterator[Labels]:
    """Where there are kinds: steps by kind first, repeats of one by temporal position, then by instance and frame.

    Philips gives label and control of a pair one temporal position. Steps come in the order of their first slice.
    """
    if not kinds.any():
        return
    order = np.arange(len(headers), dtype=np.float64)
    for numbers in (instance_order(headers, places), numbers_of(headers, lambda header: header.temporal_position)):
        if numbers is not None:
            order = np.argsort(np.lexsort((order, numbers))).astype(np.float64)
    yield _repeats(kinds, places, order)


def _repeats(kinds: Labels, places: Labels, order: NDArray[np.float64]) -> Labels:
    """Steps of one kind each, in which repeats of a kind and the steps themselves come in this order."""
    repeat = _rank(kinds * (places.max() + 1) + places, order)
    pair = kinds * (repeat.max() + 1) + repeat
    first = np.full(int(pair.max()) + 1, np.inf)
    np.minimum.at(first, pair, order)
    return _dense(first[pair])


def _fits(labels: Labels, places: Labels, repeats: int) -> bool:
    """Whether no step holds a position twice, and there are as many steps as slices at the fullest position."""
    steps, depth = int(labels.max()) + 1, int(places.max()) + 1
    if steps != repeats and len(labels) <= FILL_SHARE * steps * depth:
        return False
    return len(np.unique(labels * depth + places)) == len(labels)


def _constant(labels: Labels, kinds: Labels) -> bool:
    """Whether each step is of one kind."""
    return not kinds.any() or len(np.unique(labels * (kinds.max() + 1) + kinds)) == int(labels.max()) + 1


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
