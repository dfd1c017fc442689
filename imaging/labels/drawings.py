"""What a DICOM object draws on images: regions with names and codes, painted on the grid of one volume.

Belongs here: what segmentations (`imaging.labels.segmentations`) and structure sets (`imaging.labels.structures`) have
in common, and painting them. A drawing is never resampled: what does not lie on the voxels of a volume does not fit it.
"""

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from imaging.errors import ImagingError
from imaging.labels.labels import LabelMap, label_map
from imaging.volumes.volume import Volume
from schemas.reasons import Reason

HIGHEST = int(np.iinfo(np.uint16).max)
"""Largest value of a label map."""

_REFERENCED = 0x00081155
"""Referenced SOP Instance UID."""

REMOVED = frozenset({"", "REMOVED"})
"""Names and codes in whose place de-identification left nothing, upper case."""

HEADER_ERRORS = (
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom and numpy raise over broken or missing elements."""

Labels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Grid:
    """The voxels of a volume.

    Attributes:
        affine: (4, 4) voxel index to RAS+ millimetres.
        shape: voxels along x, y, z.
    """

    affine: NDArray[np.float64]
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Region:
    """A segment or an outlined structure.

    Attributes:
        number: as the object numbers it; its value in label maps.
        name: what it is called.
        coding: `category`, `type` and so on to a coded concept (`code`, `scheme`, `meaning`).
        made: how it was made: MANUAL, SEMIAUTOMATIC, AUTOMATIC; empty: not stated.
    """

    number: int
    name: str
    coding: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    made: str = ""


@dataclass(frozen=True, eq=False)
class Patch:
    """A piece of one slice.

    Attributes:
        where: index into the volume's voxels: a number along the axis of slices, slices along the two others.
        values: label values there, 0 where nothing is drawn; axes as in the volume.
    """

    where: tuple[int | slice, ...]
    values: Labels


class Drawing(Protocol):
    """What an object draws."""

    @property
    def regions(self) -> Sequence[Region]:
        """What it names."""

    @property
    def references(self) -> frozenset[str]:
        """SOP Instance UIDs of the images it was drawn on."""

    @property
    def frame_of_reference(self) -> str:
        """UID of the coordinates it is given in; empty: not stated."""

    @property
    def notes(self) -> Mapping[str, Any]:
        """Facts about how it was read, for its provenance."""

    def require(self, grid: Grid) -> None:
        """Raise LABEL_MISFIT unless all of it lies on the slices of a volume."""

    def patches(self, grid: Grid, only: Collection[int]) -> Iterator[Patch]:
        """What the regions of these numbers draw on a volume that it fits."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A label map of a drawing.

    Attributes:
        map: its values.
        regions: the regions in it.
        slices: slices of the volume on which something was drawn or said to be empty.
    """

    map: LabelMap
    regions: Sequence[Region]
    slices: int


def paint(drawing: Drawing, grid: Grid) -> Iterator[Painted]:
    """The label maps of a drawing: one of all regions, or one a region where regions overlap.

    Args:
        drawing: what to paint.
        grid: of the volume it is painted on.

    Raises:
        ImagingError: LABEL_MISFIT where it does not lie on the slices of the volume, PIXELS_INVALID where its pixels
            cannot be read.
    """
    drawing.require(grid)
    numbers = {region.number for region in drawing.regions}
    whole = _painted(drawing, grid, drawing.regions, numbers)
    if whole is not None:
        yield whole
        return
    for region in drawing.regions:
        alone = _painted(drawing, grid, [region], {region.number})
        assert alone is not None, "a region cannot overlap itself: it has one value"
        yield alone


def _painted(drawing: Drawing, grid: Grid, regions: Sequence[Region], numbers: set[int]) -> Painted | None:
    """One map of these regions; None where they overlap."""
    small = max(numbers, default=0) <= np.iinfo(np.uint8).max
    array: NDArray[Any] = np.zeros(grid.shape, np.uint8 if small else np.uint16)
    slices = set()
    for patch in drawing.patches(grid, numbers):
        view, drawn = array[patch.where], patch.values != 0
        if len(numbers) > 1 and (drawn & (view != 0) & (view != patch.values)).any():
            return None
        np.copyto(view, patch.values, where=drawn, casting="same_kind")
        slices.add(next((axis, place) for axis, place in enumerate(patch.where) if isinstance(place, int)))
    return Painted(label_map(Volume(array, grid.affine)), regions, len(slices))


def with_values(painted: LabelMap, values: Mapping[int, int]) -> LabelMap:
    """A label map with other values in place of its own; values that are not named stay."""
    table = np.arange(int(max(painted.counts)) + 1)
    for old, new in values.items():
        if old < table.size:
            table[old] = new
    return label_map(Volume(table.astype(np.uint16)[painted.array], np.eye(4)))


def coded(item: Dataset, **sequences: str) -> dict[str, dict[str, str]]:
    """The coded concepts of an item.

    Args:
        item: what is coded.
        sequences: what to call each, and the keyword of its sequence.

    Returns:
        `code`, `scheme` and `meaning` of each that is there and was not removed.
    """
    found = {}
    for name, keyword in sequences.items():
        for concept in (item.get(keyword) or [])[:1]:
            code = next(
                (str(concept[k].value) for k in ("CodeValue", "LongCodeValue", "URNCodeValue") if k in concept), ""
            )
            if code.upper() not in REMOVED:
                meaning = str(concept.get("CodeMeaning") or "")
                scheme = str(concept.get("CodingSchemeDesignator") or "")
                found[name] = {"code": code, "scheme": scheme, "meaning": meaning}
    return found


def named(text: object, coding: Mapping[str, Mapping[str, str]], otherwise: str) -> str:
    """What a region is called: its own name, what its code means, or its number."""
    for name in (str(text or "").strip(), coding.get("type", {}).get("meaning", "")):
        if name.upper() not in REMOVED:
            return name
    return otherwise


def referenced(dataset: Dataset) -> frozenset[str]:
    """Every SOP Instance UID that a data set refers to, at any depth."""
    found: set[str] = set()
    # elements as they were read: interpreting all of them would cost more than painting
    for tag, raw in dataset.items():
        if tag == _REFERENCED or raw.VR in ("SQ", None):
            element = dataset[tag]
            if element.VR == "SQ":
                found.update(*(referenced(item) for item in element.value))
            elif tag == _REFERENCED and element.value:
                found.add(str(element.value))
    return frozenset(found)


def misfit(found: str, needed: str = "all of it on the slices of one volume") -> ImagingError:
    """That a drawing does not fit."""
    return ImagingError(Reason.LABEL_MISFIT, f"{found}, needed {needed}")


def invalid(error: Exception, what: str) -> ImagingError:
    """That an object's header cannot be used; nothing of it is quoted."""
    return ImagingError(
        Reason.HEADER_INVALID, f"found a {what} with a broken or missing element ({type(error).__name__}), needed all"
    )
