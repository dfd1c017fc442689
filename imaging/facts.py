"""What a series measured, gathered from its headers: the ground on which it is classified.

Belongs here: medians, sets and counts over the headers of one series. What follows from them is `imaging.classify`.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.geometry import directions
from imaging.header import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A series in numbers and code words. None where no header says it."""

    sequences: frozenset[str] = frozenset()
    """Scanning Sequence: SE, GR, IR, EP, RM."""
    variants: frozenset[str] = frozenset()
    """Sequence Variant: SK, SP, SS, MP and so on."""
    image_type: frozenset[str] = frozenset()
    """All values of Image Type."""
    dimensions: str = ""
    """2D or 3D."""
    echo_time: float | None = None
    """Shortest echo time, ms."""
    repetition_time: float | None = None
    """Median repetition time, ms."""
    inversion_time: float | None = None
    """Median inversion time, ms; None where it is zero."""
    flip_angle: float | None = None
    """Median flip angle, degrees."""
    echoes: int = 1
    """Distinct echo times."""
    b_max: float = 0.0
    """Highest b-value, s/mm2."""
    repeats: int = 1
    """Slices at the fullest position."""
    normals: int = 1
    """Distinct slice orientations, more than 30 degrees apart."""
    angio: bool = False
    """Angio Flag is Y."""
    contrast_agent: bool = False
    """A contrast agent was given."""
    names: str = ""
    """Series description, protocol and sequence name, lower case. Free text: never quoted."""

    @property
    def spin_echo(self) -> bool:
        """Spin echo that is not echo-planar."""
        return "SE" in self.sequences and not self.sequences & {"EP", "GR"}

    @property
    def gradient_echo(self) -> bool:
        """Gradient echo that is not echo-planar."""
        return "GR" in self.sequences and "EP" not in self.sequences

    def within(self, name: str, low: float, high: float) -> bool:
        """Whether a number is stated and lies in [low, high]."""
        number = getattr(self, name)
        return number is not None and low <= number <= high


def gather(headers: Sequence[Header]) -> Facts:
    """The facts of a series.

    Args:
        headers: at least one; their order does not matter.
    """
    headers = [frame for header in headers for frame in header.planes or (header,)]
    first = headers[0]
    inversion = _median(headers, lambda h: h.inversion_time)
    echo_times = {round(h.echo_time, 1) for h in headers if h.echo_time is not None}
    return Facts(
        sequences=frozenset(word for h in headers for word in h.scanning_sequence),
        variants=frozenset(word for h in headers for word in h.sequence_variant),
        image_type=frozenset(word for h in headers for word in h.image_type),
        dimensions=first.acquisition_type,
        echo_time=min(echo_times, default=None),
        repetition_time=_median(headers, lambda h: h.repetition_time),
        inversion_time=inversion or None,
        flip_angle=_median(headers, lambda h: h.flip_angle),
        echoes=max(1, len(echo_times)),
        b_max=max((h.b_value or 0.0 for h in headers), default=0.0),
        repeats=_repeats(headers),
        normals=_normals(headers),
        angio=any(h.angio == "Y" for h in headers),
        contrast_agent=any(h.contrast_agent for h in headers),
        names=" ".join({h.series_description for h in headers} | {first.protocol_name, first.sequence_name}).lower(),
    )


def normal_of(orientation: tuple[float, ...]) -> NDArray[np.float64] | None:
    """(3,) unit slice normal, LPS; None where the orientation is absent or unusable."""
    try:
        return directions(orientation)[2]
    except ImagingError:
        return None


def _median(headers: Sequence[Header], of: Callable[[Header], float | None]) -> float | None:
    numbers = [number for number in map(of, headers) if number is not None]
    return statistics.median(numbers) if numbers else None


def _repeats(headers: Sequence[Header]) -> int:
    places: dict[tuple[object, ...], int] = {}
    for header in headers:
        key = (*(round(x, 1) for x in header.position), *(round(x, 2) for x in header.orientation), header.echo_time)
        places[key] = places.get(key, 0) + 1
    return max(places.values(), default=1)


def _normals(headers: Sequence[Header]) -> int:
    distinct: list[NDArray[np.float64]] = []
    for orientation in {header.orientation for header in headers}:
        normal = normal_of(orientation)
        if normal is not None and all(abs(normal @ other) < np.cos(np.radians(30)) for other in distinct):
            distinct.append(normal)
    return max(1, len(distinct))
