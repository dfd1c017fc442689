"""Images that were taken again with another setting: one by each coil, at each flip angle, at each repetition time.

Belongs here: telling such images apart, so that each setting gives a volume of its own. Weightings, labels, inversion
times and points in time stay steps of one volume (`imaging.volumes.steps`), as dcm2niix has them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from imaging.headers.header import Header

Slice = TypeVar("Slice")

DIGITS = 2
"""Decimals of a position in mm by which it is recognized."""

_SETTINGS: tuple[Callable[[Header], Any], ...] = (
    lambda header: header.scanned.coil,
    lambda header: header.flip_angle,
    lambda header: header.repetition_time,
)


def alternatives(members: Sequence[Slice], header: Callable[[Slice], Header]) -> list[list[Slice]]:
    """Split the slices of a stack by settings that differ, where each setting has every position.

    A setting that differs between positions, as the coil elements along a spine do, splits nothing; nor does one that
    differs between diffusion weightings or labels, but for the coil.

    Args:
        members: slices.
        header: the header of a slice.

    Returns:
        The slices of each combination of settings; all of them where there is one.
    """
    parts = [list(members)]
    for of in _SETTINGS:
        parts = [part for whole in parts for part in _split(whole, header, of)]
    return parts


def _split(members: list[Slice], header: Callable[[Slice], Header], of: Callable[[Header], Any]) -> list[list[Slice]]:
    if len({of(header(member)) for member in members}) < 2:
        return [members]
    parts: dict[Any, list[Slice]] = defaultdict(list)
    for member in members:
        parts[of(header(member))].append(member)
    positions = {frozenset(_position(header(member)) for member in part) for part in parts.values()}
    kinds = of is not _SETTINGS[0] and any(header(m).b_value or header(m).scanned.label for m in members)
    return [members] if len(positions) > 1 or kinds else list(parts.values())


def _position(header: Header) -> tuple[float, ...]:
    return tuple(round(coordinate, DIGITS) for coordinate in header.position)
