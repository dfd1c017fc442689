"""The order in which slices come by what numbers them: instances, dimensions of frames, vendors' own numbers.

Belongs here: which number counts more than which. What makes a step of them is `imaging.volumes.steps`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from imaging.headers.header import Header
from imaging.headers.philips import PhilipsNumbers

Labels = NDArray[np.int64]
Keys = NDArray[np.float64]

LAST_RELEASE = 10
"""Last release of Philips whose dimensions, and whose numbers of weightings, are an order of acquisition."""
SHORT_STACK = 3
"""Stacks of fewer slices are in order whichever way they are numbered."""


def stated_order(headers: Sequence[Header], places: Labels) -> Keys | None:
    """Place of each slice in an order that is stated for volumes; None where instance numbers are all there is.

    Frames come by their dimensions, Philips' images by its own numbers where instance numbers jump between slices.

    Args:
        headers: n slices.
        places: (n,) index of each slice's position.

    Source: dcm2niix, notes on Philips, and what it makes of such series.
    """
    if headers[0].dimension_index:
        return _of_frames(headers, places)
    numbers = [header.philips for header in headers]
    if None in numbers or _in_order(headers, places):
        return None
    return ordered([_classic(header, stated) for header, stated in zip(headers, numbers, strict=True) if stated])


def instance_order(headers: Sequence[Header], places: Labels) -> Keys | None:
    """Instance numbers; frames of one instance are counted in the order of their dimensions, or as they lie."""
    instance = numbers_of(headers, lambda header: header.instance_number)
    if instance is None or len({header.sop_uid for header in headers}) == len(headers):
        return instance
    return _of_frames(headers, places) + 1


def numbers_of(headers: Sequence[Header], of: Callable[[Header], float | None]) -> Keys | None:
    """A number of each slice; None where one has none."""
    numbers = [of(header) for header in headers]
    return None if None in numbers else np.array(numbers, dtype=np.float64)


def ordered(keys: Sequence[tuple[object, ...]]) -> Keys:
    """Place of each key among all of them; equal keys share one."""
    places = {key: place for place, key in enumerate(sorted(set(keys)))}
    return np.array([places[key] for key in keys], dtype=np.float64)


def _of_frames(headers: Sequence[Header], places: Labels) -> Keys:
    """Order of frames: by instance, by dimensions but for the position, and as they lie."""
    step = _step_of(headers, places)
    return ordered([(header.instance_number or 0, *step(header), i) for i, header in enumerate(headers)])


def _step_of(headers: Sequence[Header], places: Labels) -> Callable[[Header], tuple[float, ...]]:
    """What orders the frames of a position, the most significant number first."""
    first = headers[0].philips
    if first and first.release > LAST_RELEASE:
        return _late_release
    if first and all(_stated(header).order for header in headers):
        return lambda header: (_stated(header).order,)
    last = _position_is_last(headers, places)
    return lambda header: header.dimension_index if last else header.dimension_index[::-1]


def _late_release(header: Header) -> tuple[float, ...]:
    third, fourth = (*header.dimension_index, 0.0, 0.0, 0.0, 0.0)[2:4]
    stated = _stated(header)
    labelled = float(stated.label == "LABEL") if stated.label else third
    return (header.temporal_position or 0, fourth, stated.direction, stated.b_value, labelled, stated.phase)


def _classic(header: Header, stated: PhilipsNumbers) -> tuple[float, ...]:
    """Order of acquisition, else repeat, label and phase, else number of phase or b-value, of repeat or direction."""
    repeat = header.temporal_position or 0
    if stated.order and stated.release <= LAST_RELEASE:
        return (stated.order,)
    if stated.label:
        return (repeat, stated.label == "LABEL", stated.phase)
    return (max(stated.phase, stated.b_value), max(repeat, stated.direction))


def _stated(header: Header) -> PhilipsNumbers:
    return header.philips or PhilipsNumbers()


def _position_is_last(headers: Sequence[Header], places: Labels) -> bool:
    """Whether the position is the last of the dimensions that vary, as Canon has it.

    The last number then counts least; where the position comes before others, as Philips has it, it counts most.
    """
    dimensions = [header.dimension_index for header in headers]
    if len({len(values) for values in dimensions}) != 1:
        return False
    varying = [column for column in zip(*dimensions, strict=True) if len(set(column)) > 1]
    if not varying:
        return False
    pairs = set(zip(varying[-1], places.tolist(), strict=True))
    return len(pairs) == len(set(varying[-1])) == int(places.max()) + 1


def _in_order(headers: Sequence[Header], places: Labels) -> bool:
    """Whether instance numbers go through the stack, up or down, volume after volume."""
    instance = numbers_of(headers, lambda header: header.instance_number)
    depth = int(places.max()) + 1
    if depth < SHORT_STACK or instance is None or len(places) % depth:
        return instance is not None
    walk = places[np.argsort(instance, kind="stable")].reshape(-1, depth)
    up = np.arange(depth)
    return bool(((walk == up).all(axis=1) | (walk == up[::-1]).all(axis=1)).all())
