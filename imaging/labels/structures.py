"""DICOM structure sets: closed planar contours that outline regions, as drawings.

Belongs here: RT Structure Set Storage (PS3.3 A.19, C.8.8.5, C.8.8.6). Which voxel centres a contour encloses is
`imaging.labels.polygons`; painting is `imaging.labels.drawings`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from imaging.errors import ImagingError
from imaging.labels.drawings import (
    HEADER_ERRORS,
    HIGHEST,
    Grid,
    Patch,
    Region,
    coded,
    invalid,
    misfit,
    named,
    referenced,
)
from imaging.labels.labels import CORNER_TOLERANCE
from imaging.labels.polygons import filled
from imaging.volumes.geometry import LPS_TO_RAS
from schemas.reasons import Reason

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
"""RT Structure Set Storage."""

_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
_FEWEST_POINTS = 3
_FARTHEST = 1e6
"""Voxels from the origin of a volume beyond which no contour of it lies; computing stays exact below."""
_AXES = 3

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StructureSet:
    """A structure set; a `Drawing`.

    Attributes:
        regions: structures with a closed contour.
        references: SOP Instance UIDs of the images it was drawn on.
        frame_of_reference: UID of its coordinates; empty: not stated.
        notes: facts about how it was read.
        contours: number of a structure, and the (n, 3) corners of a contour of it in RAS+ millimetres.
    """

    regions: Sequence[Region]
    references: frozenset[str]
    frame_of_reference: str
    notes: Mapping[str, Any]
    contours: Sequence[tuple[int, Points]]

    def require(self, grid: Grid) -> None:
        """Raise LABEL_MISFIT unless each contour lies in one slice of the volume."""
        self._on(grid)

    def patches(self, grid: Grid, only: Collection[int]) -> Iterator[Patch]:
        """What the structures of these numbers enclose on a volume that it fits, slice by slice."""
        axis, placed = self._on(grid)
        others = [other for other in range(_AXES) if other != axis]
        shape = (grid.shape[others[0]], grid.shape[others[1]])
        together: dict[tuple[int, int], list[Points]] = defaultdict(list)
        for number, points in placed:
            if number in only:
                together[number, int(np.rint(points[:, axis].mean()))].append(points[:, others])
        for (number, place), polygons in sorted(together.items(), key=lambda item: item[0]):
            where: list[int | slice] = [slice(None)] * _AXES
            where[axis] = place
            yield Patch(tuple(where), filled(polygons, shape) * np.uint16(number))

    def _on(self, grid: Grid) -> tuple[int, list[tuple[int, Points]]]:
        """The axis of the slices that it was drawn on, and its contours in voxels."""
        moved = np.linalg.inv(grid.affine)
        placed = [(number, points @ moved[:3, :3].T + moved[:3, 3]) for number, points in self.contours]
        if not all((np.abs(points) < _FARTHEST).all() for _, points in placed):
            raise misfit("found a contour far beyond the volume")
        distances = np.array([_distances(points, grid.shape) for _, points in placed])
        worst = distances.max(axis=0)
        # contours of one line of voxels lie in slices along two axes; the one along which they are flattest is meant
        axis = int(np.argmin(np.where(worst <= CORNER_TOLERANCE, distances.mean(axis=0), np.inf)))
        if worst[axis] > CORNER_TOLERANCE:
            raise misfit(f"found contours up to {worst.min():.1f} voxels off the slices of the volume")
        return axis, placed


def _distances(points: Points, shape: Sequence[int]) -> Points:
    """(3,) largest distance of a contour's points from one slice of the volume, along each axis, in voxels."""
    nearest = np.clip(np.rint(points.mean(axis=0)), 0, np.array(shape) - 1)
    return np.asarray(np.abs(points - nearest).max(axis=0))


def read(data: bytes) -> StructureSet:
    """A structure set.

    Points, lines and structures without a closed contour are not taken; the notes count them.

    Args:
        data: the whole file, de-identified: names and codes are taken as they stand.

    Raises:
        ImagingError: HEADER_INVALID where elements are missing or broken, LABEL_MISFIT where nothing is enclosed.
    """
    try:
        dataset = pydicom.dcmread(BytesIO(data))
        contours, left = _contours(dataset)
        described = _regions(dataset)
        origin = _origin(dataset)
        references = referenced(dataset)
    except HEADER_ERRORS as error:
        raise invalid(error, "structure set") from None
    drawn = {number for number, _ in contours}
    if not contours:
        raise misfit("found a structure set without a closed contour", "one at least")
    if drawn - described.keys():
        raise ImagingError(Reason.HEADER_INVALID, "found a contour of a structure that is not named, needed its item")
    values = _values(sorted(described))
    regions = [
        Region(values[number], region.name, region.coding, region.made)
        for number, region in sorted(described.items())
        if number in drawn
    ]
    notes = {
        "delivered_as": "DICOM RTSTRUCT",
        "contours": len(contours),
        "ignored_contours": left,
        "structures_without_area": len(described) - len(regions),
        "rule": "voxel centres inside by even-odd, contours of a slice combined by exclusive or",
    }
    return StructureSet(regions, references, origin, notes, [(values[number], points) for number, points in contours])


def _contours(dataset: Dataset) -> tuple[list[tuple[int, Points]], int]:
    """Closed contours with the number of their structure, and how many others there are."""
    found, left = [], 0
    for item in dataset.ROIContourSequence:
        for contour in item.get("ContourSequence") or []:
            points = _numbers(contour).reshape(-1, _AXES) @ LPS_TO_RAS[:3, :3].T
            if contour.ContourGeometricType not in _CLOSED or len(points) < _FEWEST_POINTS:
                left += 1
                continue
            if not np.isfinite(points).all():
                raise ValueError
            found.append((int(item.ReferencedROINumber), points))
    return found, left


def _numbers(contour: Dataset) -> Points:
    """Contour Data as they were read: making decimal strings of them, as pydicom does, takes longer than all else."""
    raw = contour.get_item("ContourData")
    if raw is None or not raw.value:
        return np.empty(0)
    if isinstance(raw.value, bytes):
        return np.array(raw.value.split(b"\\")).astype(np.float64)
    return np.asarray(raw.value, dtype=np.float64)


def _regions(dataset: Dataset) -> dict[int, Region]:
    observed = {int(item.ReferencedROINumber): item for item in dataset.get("RTROIObservationsSequence") or []}
    regions = {}
    for item in dataset.StructureSetROISequence:
        number = int(item.ROINumber)
        seen = observed.get(number, Dataset())
        coding = coded(seen, type="RTROIIdentificationCodeSequence", category="SegmentedPropertyCategoryCodeSequence")
        coding |= coded(item, type="SegmentedPropertyTypeCodeSequence") if "type" not in coding else {}
        if interpreted := str(seen.get("RTROIInterpretedType") or ""):
            # a word of the standard's own list (PS3.3 C.8.8.8), which has no code
            coding["interpreted"] = {"code": interpreted, "scheme": "RTROIInterpretedType", "meaning": ""}
        name = named(item.get("ROIName"), coding, f"structure {number}")
        regions[number] = Region(number, name, coding, str(item.get("ROIGenerationAlgorithm") or ""))
    return regions


def _origin(dataset: Dataset) -> str:
    """The one frame of reference that its structures are given in; empty where there are several or none."""
    stated = {str(item.get("ReferencedFrameOfReferenceUID") or "") for item in dataset.StructureSetROISequence}
    return stated.pop() if len(stated) == 1 else ""


def _values(numbers: Sequence[int]) -> dict[int, int]:
    """Number of a structure to its label value: the number itself, or its rank where one cannot be a value."""
    if all(0 < number <= HIGHEST for number in numbers):
        return {number: number for number in numbers}
    return {number: rank for rank, number in enumerate(numbers, 1)}
