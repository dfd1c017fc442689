"""When each slice of a volume was taken.

Belongs here: from what the slices state, in the vendors' dialects, to seconds, and which of it is not to be believed.
Which element states what is `imaging.headers.scanned`; what else is known of a volume is `imaging.volumes.acquired`.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imaging.headers.header import Header
from imaging.headers.scanned import Scanned

Places = NDArray[np.int64]

DAY_SECONDS = 86400.0
CLOCK_VENDORS = frozenset({"siemens", "uih"})
"""Vendors whose Acquisition Time is that of the slice; others write the volume's or the series'."""

TOGETHER_SINCE, EVEN_SINCE = (26, 0, 0), (27, 0, 3)
"""Releases of GE since which it is known how slices that are excited together are ordered, and since which their
excitations may be even in number: before, one more was made; since then, the last two interleaved ones are swapped."""

TIMER_UNITS = (1.0, 1e-3, 1e-4)
"""Seconds of a unit of GE's RTIA timer: releases differ, and a scan's own repetition time tells which it is."""
TIMER_FIT = (0.5, 1.0)
"""Share of the repetition time that the slices of a volume may span for a unit to be the right one."""


def slice_times(steps: Sequence[Sequence[Header]], places: Places, tiles: Places) -> tuple[float, ...] | None:
    """Seconds from the volume's start of each slice, in the order of the stack; None where nothing states them.

    Args:
        steps: the slices of each step.
        places: place along the stack of each slice, the same in every step.
        tiles: which slice of its instance each slice of the first step is.

    Source: MosaicRefAcqTimes and acquisition times (Siemens), acquisition times (UIH), trigger time, RTIA timer or
    slice order (GE). Philips and Canon state none.
    """
    step, first = steps[0], steps[0][0]
    if len(step) < 2 or first.acquisition_type == "3D":
        return None
    times = _stated_times(steps, tiles) or (_ge_times(steps) if first.vendor == "ge" else None)
    if times is None:
        return None
    sorted_times = np.empty(len(step))
    sorted_times[places] = times
    return tuple(float(time) for time in np.round(sorted_times - sorted_times.min(), 6))


def _stated_times(steps: Sequence[Sequence[Header]], tiles: Places) -> list[float] | None:
    """Those of the first step, or of the second where it alone has slices that were excited together.

    Siemens XA writes the first volume of a scan with simultaneous slices as if each had been excited alone; all others
    are right.

    Source: dcm2niix, issues 704, 870 and 875.
    """
    first, *others = (_mosaic_times(step[0], tiles) or _clock_times(step) for step in steps[:2])
    for second in others:
        if second and (not first or 2 * len(set(second)) <= len(set(first)) + 1):
            return second
    return first


def _mosaic_times(first: Header, tiles: Places) -> list[float] | None:
    times = first.scanned.slice_times
    if len(times) != len(tiles) or len(set(times)) < 2 or sorted(tiles) != list(range(len(tiles))):
        return None
    if first.repetition_time and not _inside(times, first):
        return None
    return [times[tile] for tile in tiles]


def _clock_times(step: Sequence[Header]) -> list[float] | None:
    """From the time of day of each slice, else from the time since the scan's start, which lasts where dates go."""
    if step[0].vendor not in CLOCK_VENDORS:
        return None
    for of in ("acquisition_time", "clock"):
        times = [getattr(header, of) for header in step]
        if None in times:
            continue
        if max(times) - min(times) > DAY_SECONDS / 2:
            times = [time + DAY_SECONDS * (time < DAY_SECONDS / 2) for time in times]
        if _inside(times, step[0]):
            return times
    return None


def _inside(times: Sequence[float], header: Header) -> bool:
    """Whether times differ, and lie inside a repetition."""
    span = max(times) - min(times)
    return bool(header.repetition_time) and 0 < span < (header.repetition_time or 0) / 1000


def _ge_times(steps: Sequence[Sequence[Header]]) -> list[float] | None:
    """GE: trigger times, RTIA timer of the second volume (the first one's is wrong in some releases), slice order.

    Trigger times of slices that are excited together are as if each had been excited alone (dcm2niix, issue 336).
    """
    first = steps[0][0]
    if not is_echo_planar(first) or not first.repetition_time:
        return None
    if (first.scanned.slices_at_once or 1) > 1:
        return _ordered_times(steps)
    trigger = [header.trigger_time for header in steps[0]]
    if None not in trigger:
        seconds = [(time or 0.0) / 1000 for time in trigger]
        if _inside(seconds, first):
            return seconds
    return _timer_times(steps[min(1, len(steps) - 1)]) or _ordered_times(steps)


def _timer_times(step: Sequence[Header]) -> list[float] | None:
    times = [header.clock for header in step]
    if None in times:
        return None
    repetition = (step[0].repetition_time or 0.0) / 1000
    for unit in TIMER_UNITS:
        seconds = [(time or 0.0) * unit for time in times]
        span = max(seconds) - min(seconds)
        if TIMER_FIT[0] * repetition <= span < TIMER_FIT[1] * repetition:
            return seconds
    return None


def _ordered_times(steps: Sequence[Sequence[Header]]) -> list[float] | None:
    """Evenly over the repetition time, one after the other or every other first, in the order of instance numbers.

    Slices that are excited together lie as many apart as there are excitations; the last of them may be lacking. Only
    where it is stated how many slices were excited at once. GE's diffusion sequence always takes every other first,
    and an odd number of excitations where slices are excited together.

    Source: dcm2niix, notes on GE, issue 635; dcm_qa_ge, README and sidecars; measured on dcm_qa_nih.
    """
    step, first, stated = steps[0], steps[0][0], steps[0][0].scanned
    numbers = [header.instance_number for header in step if header.instance_number is not None]
    number = _excitations(len(step), stated)
    if len(steps) < 2 or len(numbers) < len(step) or number is None:
        return None
    if stated.diffusion and stated.cycles:
        return None
    if not stated.diffusion and (any(header.b_value for header, *_ in steps) or stated.interleaved is None):
        return None
    order = np.arange(number)
    if stated.interleaved or stated.diffusion:
        order = np.where(order % 2 == 0, order // 2, (number + 1) // 2 + order // 2)
        if stated.slices_at_once != 1 and number > 2 and number % 2 == 0:
            order[[-3, -1]] = order[[-1, -3]]
    rank = np.argsort(np.argsort(numbers)) % number
    return [float(place) for place in order[rank] * (first.repetition_time or 0.0) / 1000 / number]


def _excitations(depth: int, stated: Scanned) -> int | None:
    """Excitations of a volume of GE; None where it is not stated or not known."""
    if stated.slices_at_once is None or (stated.delay is None and not stated.diffusion):
        return None
    number = math.ceil(depth / stated.slices_at_once)
    if stated.slices_at_once == 1:
        return number
    if stated.release is None or stated.release < TOGETHER_SINCE:
        return None
    return number + (number % 2 == 0 and (stated.diffusion or stated.release < EVEN_SINCE))


def is_echo_planar(header: Header) -> bool:
    """Whether lines were read echo-planar."""
    return "EP" in header.scanning_sequence or "EPI_GEMS" in header.scan_options
