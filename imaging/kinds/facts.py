"""What a series measured, gathered from its headers: the ground on which it is classified.

Belongs here: medians, sets and counts over the headers of one series. What follows from them is
`imaging.kinds.classify`.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.headers.header import Header
from imaging.headers.parts import UNKNOWN, part_of
from imaging.volumes.geometry import directions


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A series in numbers and code words. None where no header says it. Conditions of rules are these fields."""

    sequence: frozenset[str] = frozenset()
    """Scanning Sequence: SE, GR, IR, EP, RM."""
    variant: frozenset[str] = frozenset()
    """Sequence Variant: SK, SP, SS, MP and so on."""
    options: frozenset[str] = frozenset()
    """Scan Options, and spectral suppression and excitation of enhanced instances."""
    image_type: frozenset[str] = frozenset()
    """All values of Image Type."""
    acquisition_contrast: frozenset[str] = frozenset()
    """Acquisition Contrast, and what the pulse sequence module says of weighting."""
    vendor: frozenset[str] = frozenset()
    """Whose scanner, one word."""
    part: frozenset[str] = frozenset()
    """Parts of the complex image that the series holds; empty where some slice does not say."""
    dimensions: str = ""
    """2D or 3D."""
    sequence_name: str = ""
    """Name of the pulse sequence, lower case; written by the scanner's software, not by people."""
    body_part: str = ""
    """What Body Part Examined says, lower case, words between spaces."""
    names: str = ""
    """Series description and protocol name, lower case, words between spaces. Free text: never quoted."""
    echo_time: float | None = None
    """Shortest echo time, ms."""
    echo_spacing: float | None = None
    """From the shortest echo time to the next, ms."""
    echoes: int = 1
    """Distinct echo times."""
    echo_train: float | None = None
    """Median echo train length."""
    repetition_time: float | None = None
    """Median repetition time, ms."""
    inversion_time: float | None = None
    """Median inversion time, ms; None where it is zero."""
    flip_angle: float | None = None
    """Median flip angle, degrees."""
    b_value: float | None = None
    """Highest b-value, s/mm2."""
    repeats: int = 1
    """Slices at the fullest position."""
    positions: int = 1
    """Distinct slice positions and orientations."""
    orientations: int = 1
    """Distinct slice orientations, more than 30 degrees apart."""
    slice_thickness: float | None = None
    """Median slice thickness, mm."""
    field_strength: float | None = None
    """Field strength, tesla."""
    angio: bool = False
    """Angio Flag is Y."""
    contrast_agent: str = "absent"
    """given, none, or absent where nothing says so."""


def gather(headers: Sequence[Header]) -> Facts:
    """The facts of a series.

    Args:
        headers: at least one; their order does not matter.
    """
    headers = [frame for header in headers for frame in header.planes or (header,)]
    first = headers[0]
    echo_times = sorted({round(h.echo_time, 1) for h in headers if h.echo_time is not None})
    counts = _counts(headers)
    agents = {h.contrast_agent for h in headers}
    return Facts(
        sequence=_words(h.scanning_sequence for h in headers),
        variant=_words(h.sequence_variant for h in headers),
        options=_words(h.scan_options + h.spectral for h in headers),
        image_type=_words(h.image_type for h in headers),
        acquisition_contrast=_words(h.acquisition_contrast for h in headers),
        vendor=frozenset({first.vendor}),
        part=_parts(headers),
        dimensions=first.acquisition_type,
        sequence_name=first.sequence_name.lower(),
        body_part=_text({header.body_part for header in headers}),
        names=_text({h.series_description for h in headers} | {first.protocol_name}),
        echo_time=echo_times[0] if echo_times else None,
        echo_spacing=echo_times[1] - echo_times[0] if len(echo_times) > 1 else None,
        echoes=max(1, len(echo_times)),
        echo_train=_median(headers, lambda h: h.echo_train),
        repetition_time=_median(headers, lambda h: h.repetition_time),
        inversion_time=_median(headers, lambda h: h.inversion_time) or None,
        flip_angle=_median(headers, lambda h: h.flip_angle),
        b_value=max((h.b_value for h in headers if h.b_value is not None), default=None),
        repeats=max(counts.values(), default=1),
        positions=len({place[:-1] for place in counts}),
        orientations=_orientations(headers),
        slice_thickness=_median(headers, lambda h: h.slice_thickness),
        field_strength=first.field_strength,
        angio=any(h.angio == "Y" for h in headers),
        contrast_agent="given" if True in agents else "none" if False in agents else "absent",
    )


def normal_of(orientation: tuple[float, ...]) -> NDArray[np.float64] | None:
    """(3,) unit slice normal, LPS; None where the orientation is absent or unusable."""
    try:
        return directions(orientation)[2]
    except ImagingError:
        return None


def _words(groups: Iterable[tuple[str, ...]]) -> frozenset[str]:
    return frozenset(word for group in set(groups) for word in group)


def _text(texts: set[str]) -> str:
    """Texts as words between spaces, so that a rule can ask for whole words."""
    return " ".join(sorted(texts)).lower().translate(_SPACES).strip()


_SPACES = str.maketrans("_-^/", "    ")


def _parts(headers: Sequence[Header]) -> frozenset[str]:
    parts = frozenset(map(part_of, headers))
    return frozenset() if UNKNOWN in parts else parts


def _median(headers: Sequence[Header], of: Callable[[Header], float | None]) -> float | None:
    numbers = [number for number in map(of, headers) if number is not None]
    return statistics.median(numbers) if numbers else None


def _counts(headers: Sequence[Header]) -> Counter[tuple[object, ...]]:
    """Slices at each position, orientation and echo time; a mosaic is all positions at once."""
    return Counter(
        (*(round(x, 1) for x in h.position), *(round(x, 2) for x in h.orientation), h.echo_time) for h in headers
    )


def _orientations(headers: Sequence[Header]) -> int:
    distinct: list[NDArray[np.float64]] = []
    for orientation in {header.orientation for header in headers}:
        normal = normal_of(orientation)
        if normal is not None and all(abs(normal @ other) < np.cos(np.radians(30)) for other in distinct):
            distinct.append(normal)
    return max(1, len(distinct))
