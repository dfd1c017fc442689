"""From the headers of a series to the volumes it holds: which slice goes where, and what goes nowhere.

Belongs here: splitting a series into stacks, and stacks into volumes. Steps of a fourth axis are
`imaging.volumes.steps`, slice order and affine `imaging.volumes.geometry`, voxels `imaging.volumes.normalize`. Nothing
is interpolated and nothing is dropped silently: each slice is in exactly one volume, or its instance is among the
rejected with a reason.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.headers.frames import frames_of, require_image
from imaging.headers.header import Header
from imaging.headers.parts import part_of
from imaging.volumes.acquired import acquisition_of
from imaging.volumes.acquisition import Acquisition
from imaging.volumes.alternatives import alternatives
from imaging.volumes.geometry import (
    LINE_TOLERANCE_MM,
    MIN_SLAB,
    POSITION_TOLERANCE_MM,
    directions,
    is_regular,
    slabs,
    stack,
)
from imaging.volumes.numbering import Labels
from imaging.volumes.pepolar import by_polarity
from imaging.volumes.steps import is_unweighted_diffusion, steps_of, times_of, weightings
from schemas.reasons import Reason

ORIENTATION_TOLERANCE = 1e-3
"""Direction cosines this close are one orientation, about 0.06 degrees."""
XA_SERIES = 1000
"""Series numbers of Siemens XA above this, of one thousand, may be one series (dcm2niix, notes on Siemens)."""
MEANS_UNMARKED = frozenset({"ge", "philips"})
"""Vendors of whom a weighted image without a direction is a mean over directions, beside images that have one."""
SPACING_TOLERANCE = 1e-3
"""Pixel spacings this close, relatively, are one spacing."""


@dataclass(frozen=True)
class Rejected:
    """An instance that no volume can use.

    Attributes:
        index: place of its header in what `plan` was given.
        reason: why, of the closed list.
        message: what was found and what was needed; no values of the file.
    """

    index: int
    reason: Reason
    message: str


@dataclass(frozen=True, eq=False)
class VolumePlan:
    """Which instance fills which slice of one volume.

    Attributes:
        instances: (steps, depth) index of the instance in each place; -1: no instance, a missing slice.
        frames: (steps, depth) which slice of that instance it is; 0 for classic instances and where missing.
        affine: (4, 4) from voxel index (column, row, slice) to RAS+ millimetres.
        rows: rows of a slice.
        columns: columns of a slice.
        slopes: (steps, depth) slope of each slice; 1 where missing.
        intercepts: (steps, depth) intercept of each slice; 0 where missing.
        kind: static, diffusion or dynamic.
        part: magnitude, phase, real, imaginary, or unknown.
        bvals: (steps,) s/mm2; None: not of a diffusion scan.
        gradients: (steps, 3) unit directions in LPS, zeros where there is none; None as `bvals`.
        times: (steps,) start of each step from the first, s; None: not stated, or not dynamic.
        tilt: degrees between stacking direction and slice normal.
        gap: mm between a slice and the next, below 0 where they overlap; None: one slice, or no thickness stated.
        upside_down: whether rows lie the other way round than the affine says (`imaging.volumes.pepolar`).
        acquisition: how it was acquired, along columns, rows and slices.
    """

    instances: NDArray[np.int64]
    frames: NDArray[np.int64]
    affine: NDArray[np.float64]
    rows: int
    columns: int
    slopes: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    kind: str
    part: str
    bvals: NDArray[np.float64] | None = None
    gradients: NDArray[np.float64] | None = None
    times: NDArray[np.float64] | None = None
    tilt: float = 0.0
    gap: float | None = None
    upside_down: bool = False
    acquisition: Acquisition = field(default_factory=Acquisition)

    @property
    def members(self) -> tuple[int, ...]:
        """Indices of the instances it is made of, sorted."""
        return tuple(int(i) for i in np.unique(self.instances) if i >= 0)

    @property
    def missing(self) -> tuple[int, ...]:
        """Places along the stack that no instance fills, in any step."""
        return tuple(int(k) for k in np.flatnonzero((self.instances < 0).all(axis=0)))


@dataclass(frozen=True)
class SeriesPlan:
    """What a series gives.

    Attributes:
        volumes: in order of their first instance number.
        rejected: in order of their index.
    """

    volumes: tuple[VolumePlan, ...]
    rejected: tuple[Rejected, ...]


def plan(headers: Sequence[Header]) -> SeriesPlan:
    """Sort the instances of a series (or of several) into volumes.

    A stack is what agrees in series, protocol, matrix, orientation, pixel spacing, echo, part of the complex image,
    image type, photometric interpretation and distance of slices; images that were taken again with another setting
    are stacks of their own (see `imaging.volumes.alternatives`), and so are means over directions that stand among
    diffusion images. Within a stack, slices that share a position become steps of a fourth axis. A step that lacks
    slices which others have is rejected, or a volume of its own where an instance holds it whole, as an aborted one of
    Siemens XA; a slice that lacks in every step is a missing slice.

    Args:
        headers: n headers, in any order.

    Returns:
        Volumes and rejected instances; every index is in one of them, and in both where an instance has frames of a
        volume and others that no volume can use.
    """
    volumes: list[tuple[tuple[float, int], VolumePlan]] = []
    rejected: dict[int, Rejected] = {}
    slices = _usable(headers, rejected)
    stacks = (part for stack_ in _stacks(slices).values() for part in alternatives(stack_, lambda s: s.header))
    waiting = [slab for stack_ in stacks for slab in _slabs(stack_)]
    for members in waiting:  # which grows by what is left
        try:
            volume, left_out = _volume(members)
        except ImagingError as error:
            rejected.update({s.instance: Rejected(s.instance, error.reason, str(error)) for s in members})
            continue
        aborted = {r.index for r in left_out if headers[r.index].planes} - set(volume.members)
        waiting += [[s for s in members if s.instance == index] for index in aborted]
        rejected.update({r.index: r for r in left_out if r.index not in aborted})
        for part in by_polarity(volume, members[0].header.pepolar):
            numbers = [headers[i].instance_number for i in part.members]
            first = min((n for n in numbers if n is not None), default=0)
            volumes.append(((first, part.members[0]), part))
    ordered = tuple(volume for _, volume in sorted(volumes, key=lambda pair: pair[0]))
    return SeriesPlan(ordered, tuple(rejected[i] for i in sorted(rejected)))


@dataclass(frozen=True, slots=True)
class _Slice:
    instance: int
    frame: int
    header: Header


def _usable(headers: Sequence[Header], rejected: dict[int, Rejected]) -> list[_Slice]:
    usable: list[_Slice] = []
    seen: set[str] = set()
    checked: set[tuple[float, ...]] = set()
    for i, header in enumerate(headers):
        try:
            require_image(header)
            frames = frames_of(header)
            for frame in frames:
                _require_geometry(frame, checked)
        except ImagingError as error:
            rejected[i] = Rejected(i, error.reason, str(error))
            continue
        if header.sop_uid and header.sop_uid in seen:
            message = "found a second instance with the same SOP Instance UID, needed one"
            rejected[i] = Rejected(i, Reason.CONFLICTING_DUPLICATE, message)
            continue
        seen.add(header.sop_uid)
        usable.extend(_Slice(i, k, frame) for k, frame in enumerate(frames))
    return usable


def _require_geometry(header: Header, checked: set[tuple[float, ...]]) -> None:
    if not (header.position and header.orientation and header.pixel_spacing):
        raise ImagingError(
            Reason.GEOMETRY_INCONSISTENT, "found no position, orientation or pixel spacing, needed all three"
        )
    if header.orientation not in checked:  # a series has few
        directions(header.orientation)
        checked.add(header.orientation)


def _stacks(slices: list[_Slice]) -> dict[Hashable, list[_Slice]]:
    stacks: dict[Hashable, list[_Slice]] = defaultdict(list)
    planes = _Planes()
    directed = {s.header.series_uid for s in slices if s.header.gradient}
    for slice_ in slices:
        header = slice_.header
        echo_time = None if header.echo_time is None else round(header.echo_time, 2)
        key = (
            (header.series_uid, _number(header), header.manufacturer),
            header.protocol_name or header.series_description,
            (header.rows, header.columns, header.photometric),
            planes.of(header),
            (header.echo_number, echo_time),
            (header.image_type, header.component),
            header.series_uid in directed and _is_mean(header),
        )
        stacks[key].append(slice_)
    return stacks


def _is_mean(header: Header) -> bool:
    """Whether a weighted image is a mean over gradient directions, marked as one or, of some vendors, without one."""
    return bool(header.b_value) and (header.trace or (not header.gradient and header.vendor in MEANS_UNMARKED))


def _number(header: Header) -> int | None:
    """Series number: scanners and archives reuse a series UID under a new one when they export again.

    Siemens XA counts the volumes of a series that it exports as single slices in it, from 1,001 on.
    """
    number = header.series_number
    counts = number is not None and number > XA_SERIES and header.vendor == "siemens"
    return number // XA_SERIES if number is not None and counts else number


def _slabs(members: list[_Slice]) -> list[list[_Slice]]:
    """The slabs of a stack that has several, far apart or of other distances; the stack where it is one grid."""
    distance = np.array([s.header.position for s in members]) @ directions(members[0].header.orientation)[2]
    found = np.sort(distance)
    found = found[np.concatenate([[True], np.diff(found) > POSITION_TOLERANCE_MM])]
    if len(found) < 2 * MIN_SLAB or is_regular(found):
        return [members]
    run = slabs(found)
    if run is None:
        return [members]
    of = run[np.searchsorted(found, distance + POSITION_TOLERANCE_MM, side="right") - 1]
    return [[s for s, number in zip(members, of, strict=True) if number == k] for k in range(run[-1] + 1)]


class _Planes:
    """Numbers the orientations and pixel spacings it meets; those within tolerance share a number."""

    def __init__(self) -> None:
        self._known: dict[tuple[float, ...], int] = {}
        self._distinct = np.empty((0, 8))

    def of(self, header: Header) -> int:
        plane = (*header.orientation, *header.pixel_spacing)
        if plane not in self._known:
            near = np.abs(self._distinct - plane) <= [ORIENTATION_TOLERANCE] * 6 + [
                SPACING_TOLERANCE * spacing for spacing in header.pixel_spacing
            ]
            matches = np.flatnonzero(near.all(axis=1))
            if not matches.size:
                self._distinct = np.vstack([self._distinct, plane])
                matches = np.array([len(self._distinct) - 1])
            self._known[plane] = int(matches[0])
        return self._known[plane]


def _volume(members: list[_Slice]) -> tuple[VolumePlan, list[Rejected]]:
    """The volume of one stack, and the members it cannot use."""
    chosen = [slice_.header for slice_ in members]
    origin = np.array([(slice_.instance, slice_.frame) for slice_ in members])
    positions = np.array([header.position for header in chosen])
    places = _places(positions, chosen[0].orientation)
    table, left_out = _table(chosen, places)
    first = chosen[0]
    spacing = (first.pixel_spacing[0], first.pixel_spacing[1])
    extents = [extent for extent in (first.slice_spacing, first.slice_thickness) if extent and extent > 0]
    grid = stack(positions[table[0]], first.orientation, spacing, extents[0] if extents else None)
    filled = np.full((len(table), grid.depth), -1, dtype=np.int64)
    filled[:, grid.index] = table[:, grid.order]
    rejected = [Rejected(members[i].instance, Reason.GEOMETRY_INCONSISTENT, message) for i, message in left_out]
    steps = [[chosen[i] for i in row] for row in table]
    columns = np.argsort(grid.order)  # of the table, in the order of the stack
    b_values, directions_ = weightings([step[0] for step in steps])
    weighted = bool((b_values > 0).any()) or is_unweighted_diffusion(first)
    kind = "static" if len(table) == 1 else "diffusion" if weighted else "dynamic"
    slopes, intercepts = _scales(chosen)
    plan_ = VolumePlan(
        instances=np.where(filled < 0, -1, origin[filled, 0]),
        frames=np.where(filled < 0, 0, origin[filled, 1]),
        affine=grid.affine,
        rows=first.rows,
        columns=first.columns,
        slopes=np.where(filled < 0, 1.0, slopes[filled]),
        intercepts=np.where(filled < 0, 0.0, intercepts[filled]),
        kind=kind,
        part=part_of(first),
        bvals=b_values if weighted else None,
        gradients=directions_ if weighted else None,
        times=times_of(steps) if kind == "dynamic" else None,
        tilt=grid.tilt,
        gap=grid.gap(first.slice_thickness),
        acquisition=acquisition_of(steps, grid.index[columns], origin[table[0], 1], grid.depth),
    )
    return plan_, rejected


def _scales(chosen: list[Header]) -> NDArray[np.float64]:
    """(2, n) slopes and intercepts.

    Where frames of Philips have scales of their own, those for display hold them together, as dcm2niix has it.
    """
    if chosen[0].display and chosen[0].dimension_index:
        displayed = [header.display for header in chosen if header.display]
        scales = {(header.slope, header.intercept, header.display) for header in chosen}
        if len(scales) > 1 and len(displayed) == len(chosen):
            return np.array(displayed).T
    return np.array([(header.slope, header.intercept) for header in chosen]).T


def _places(positions: NDArray[np.float64], orientation: tuple[float, ...]) -> Labels:
    """(n,) index of each slice's position along the normal, from 0."""
    distance = positions @ directions(orientation)[2]
    order = np.argsort(distance, kind="stable")
    fresh = np.concatenate([[False], np.diff(distance[order]) > POSITION_TOLERANCE_MM])
    places = np.empty(len(positions), dtype=np.int64)
    places[order] = np.cumsum(fresh)
    starts = np.flatnonzero(np.concatenate([[True], fresh[1:]]))
    ordered = positions[order]
    spread = np.maximum.reduceat(ordered, starts) - np.minimum.reduceat(ordered, starts)
    if spread.max() > LINE_TOLERANCE_MM:
        raise ImagingError(
            Reason.GEOMETRY_INCONSISTENT,
            f"found slices of one plane shifted by up to {spread.max():.2f} mm, needed one place a slice",
        )
    return places


def _table(chosen: list[Header], places: Labels) -> tuple[NDArray[np.int64], list[tuple[int, str]]]:
    """(steps, positions) index into `chosen`, every place filled; and what was left out, with why."""
    steps = steps_of(chosen, places)
    if steps is None:
        return _first_of_each(chosen, places)
    table = np.full((int(steps.max()) + 1, int(places.max()) + 1), -1, dtype=np.int64)
    table[steps, places] = np.arange(len(chosen))
    present = table >= 0
    pattern = np.ones(table.shape[1], dtype=bool)
    if not present.all(axis=1).any():
        patterns, counts = np.unique(present, axis=0, return_counts=True)
        pattern = patterns[np.lexsort((patterns.sum(axis=1), counts))[-1]]
    whole = present[:, pattern].all(axis=1)
    kept = table[np.ix_(whole, pattern)]
    message = "found a step of the fourth axis without all its slices, needed the same slices in every step"
    return kept, [(int(i), message) for i in _outside(kept, len(chosen))]


def _outside(kept: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(m,) which of `count` indices are not among these."""
    left = np.ones(count, dtype=bool)
    left[kept] = False
    return np.flatnonzero(left)


def _first_of_each(chosen: list[Header], places: Labels) -> tuple[NDArray[np.int64], list[tuple[int, str]]]:
    """A static stack in which a few positions repeat: the lowest instance number of each position stays."""
    counts = np.bincount(places)
    if np.count_nonzero(counts > 1) * 2 > counts.size:
        raise ImagingError(
            Reason.GEOMETRY_INCONSISTENT,
            "found slices that share positions, and neither number, time nor weighting that tells steps apart, "
            "needed one of them",
        )
    numbers = np.array([header.instance_number or 0 for header in chosen])
    order = np.lexsort((numbers, places))
    first = order[np.concatenate([[True], np.diff(places[order]) != 0])]
    message = "found a second slice at the same position, needed one a position; the first is kept"
    return first[None, :], [(int(i), message) for i in _outside(first, len(chosen))]
