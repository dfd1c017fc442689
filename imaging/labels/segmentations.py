"""DICOM segmentations: frames of voxels that belong to segments, as drawings.

Belongs here: Segmentation and Label Map Segmentation Storage (PS3.3 A.51, A.101; C.8.20). Frames may come in any order
and empty ones may be left out; each says by its own position where it lies. Painting them is `imaging.labels.drawings`.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.uid import ExplicitVRBigEndian

from imaging.errors import ImagingError
from imaging.headers.codestreams import require_frames
from imaging.labels.drawings import (
    HEADER_ERRORS,
    HIGHEST,
    Grid,
    Labels,
    Patch,
    Region,
    coded,
    invalid,
    misfit,
    named,
    referenced,
)
from imaging.labels.labels import CORNER_TOLERANCE
from imaging.volumes.decoding import DECODER_ERRORS, PLUGINS, matrix_of, offsets_of
from imaging.volumes.geometry import LPS_TO_RAS, directions
from schemas.reasons import Reason

SOP_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})
"""Segmentation Storage and Label Map Segmentation Storage."""

_BACKGROUND = 0
_WHOLE_MAP = 0
"""Number of the segment that a frame of a label map segmentation shows: all of them."""

Frame = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Plane:
    """Where a frame lies.

    Attributes:
        segment: number of the segment it shows; 0: its values are numbers of segments.
        affine: (4, 3) from (column, row, 1) to RAS+ millimetres.
    """

    segment: int
    affine: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmentation; a `Drawing`.

    Attributes:
        regions: its segments.
        references: SOP Instance UIDs of the images it was made from.
        frame_of_reference: UID of its coordinates; empty: not stated.
        notes: facts about how it was read.
        planes: where each frame lies.
        size: rows and columns of a frame.
        frame: label values (rows, columns) of a frame: 0, and its segment's number or those of segments.
    """

    regions: Sequence[Region]
    references: frozenset[str]
    frame_of_reference: str
    notes: Mapping[str, Any]
    planes: Sequence[Plane]
    size: tuple[int, int]
    frame: Callable[[int], Labels]

    def require(self, grid: Grid) -> None:
        """Raise LABEL_MISFIT unless each frame lies on one slice of the volume, and no two show the same."""
        seen = set()
        for plane in self.planes:
            placed = _placed(plane, self.size, grid)
            spot = (plane.segment, *placed.slice)
            if spot in seen:
                raise misfit("found two frames of one segment on one slice", "one of each: a map has three axes")
            seen.add(spot)

    def patches(self, grid: Grid, only: Collection[int]) -> Iterator[Patch]:
        """What the segments of these numbers draw on a volume that it fits, frame by frame."""
        for number, plane in enumerate(self.planes):
            if plane.segment != _WHOLE_MAP and plane.segment not in only:
                continue
            placed = _placed(plane, self.size, grid)
            yield Patch(placed.where, placed.turn(self.frame(number)))


def read(data: bytes) -> Segmentation:
    """A segmentation.

    Args:
        data: the whole file, de-identified: names and codes are taken as they stand.

    Returns:
        The segmentation. A voxel of a fractional one belongs to a segment from half of the largest value on.

    Raises:
        ImagingError: HEADER_INVALID where elements are missing or broken, UNSUPPORTED for colour or another kind of
            pixels, PIXELS_INVALID where there are fewer pixels than the header states.
    """
    try:
        dataset = pydicom.dcmread(BytesIO(data))
        kind = str(dataset.SegmentationType)
        regions = [_region(item) for item in dataset.SegmentSequence]
        if kind == "LABELMAP":
            # only there may a segment describe the background (PS3.3 C.8.20.2, Segment Number)
            regions = [region for region in regions if region.number != _BACKGROUND]
        planes = _planes(dataset, _WHOLE_MAP if kind == "LABELMAP" else None)
        size = (int(dataset.Rows), int(dataset.Columns))
        frame = _values(dataset, kind, planes, frozenset(region.number for region in regions))
        references = referenced(dataset)
        origin = str(dataset.get("FrameOfReferenceUID") or "")
    except ImagingError:
        raise
    except HEADER_ERRORS as error:
        raise invalid(error, "segmentation") from None
    if not all(0 < region.number <= HIGHEST for region in regions) or not min(size) > 0:
        raise ImagingError(Reason.HEADER_INVALID, "found segments or a matrix that cannot be, needed numbers from 1 on")
    notes = {"delivered_as": "DICOM SEG", "type": kind.lower(), "frames": len(planes)}
    if kind == "FRACTIONAL":
        notes |= {"fraction": str(dataset.get("SegmentationFractionalType") or "").lower(), "threshold": "0.5"}
    return Segmentation(regions, references, origin, notes, planes, size, frame)


def _region(item: Dataset) -> Region:
    number = int(item.SegmentNumber)
    coding = coded(
        item,
        category="SegmentedPropertyCategoryCodeSequence",
        type="SegmentedPropertyTypeCodeSequence",
        region="AnatomicRegionSequence",
    )
    types = item.get("SegmentedPropertyTypeCodeSequence") or []
    if types:
        coding |= coded(types[0], modifier="SegmentedPropertyTypeModifierCodeSequence")
    name = named(item.get("SegmentLabel"), coding, f"segment {number}")
    return Region(number, name, coding, str(item.get("SegmentAlgorithmType") or ""))


def _planes(dataset: Dataset, segment: int | None) -> list[Plane]:
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frames = dataset.PerFrameFunctionalGroupsSequence
    if len(frames) != int(dataset.NumberOfFrames):
        raise ImagingError(
            Reason.HEADER_INVALID, "found functional groups of other frames than stated, needed one each"
        )

    def group(frame: Dataset, keyword: str) -> Dataset:
        return (frame.get(keyword) or shared.get(keyword))[0]

    planes = []
    for frame in frames:
        row, column, _ = directions(
            [float(v) for v in group(frame, "PlaneOrientationSequence").ImageOrientationPatient]
        )
        down, across = (float(v) for v in group(frame, "PixelMeasuresSequence").PixelSpacing)
        origin = [float(v) for v in group(frame, "PlanePositionSequence").ImagePositionPatient]
        affine = np.zeros((4, 3))
        affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[3, 2] = row * across, column * down, origin, 1.0
        if not (np.isfinite(affine).all() and down > 0 and across > 0):
            raise ImagingError(Reason.HEADER_INVALID, "found a frame that lies nowhere, needed position and spacing")
        number = segment
        if number is None:
            number = int(group(frame, "SegmentIdentificationSequence").ReferencedSegmentNumber)
        planes.append(Plane(number, LPS_TO_RAS @ affine))
    return planes


@dataclass(frozen=True)
class _Placed:
    """A frame on the voxels of a volume.

    Attributes:
        axes: axis of the volume along columns, and along rows.
        backward: whether columns, and rows, run against that axis.
        where: index into the volume: a number along the axis of slices.
        slice: axis and number of the slice.
    """

    axes: tuple[int, int]
    backward: tuple[bool, bool]
    where: tuple[int | slice, ...]
    slice: tuple[int, int]

    def turn(self, values: Labels) -> Labels:
        """(rows, columns) in the axes of the volume."""
        step = {axis: -1 if back else 1 for axis, back in zip(self.axes, self.backward, strict=True)}
        turned = values.T if self.axes[0] < self.axes[1] else values
        first, second = sorted(self.axes)
        return turned[:: step[first], :: step[second]]


def _placed(plane: Plane, size: tuple[int, int], grid: Grid) -> _Placed:
    """Where a frame lies on the voxels of a volume.

    Raises:
        ImagingError: LABEL_MISFIT where its corners are no voxels of one slice.
    """
    rows, columns = size
    to_voxels = np.linalg.inv(grid.affine) @ plane.affine
    steps = to_voxels[:3, :2]
    axes = (int(np.argmax(np.abs(steps[:, 0]))), int(np.argmax(np.abs(steps[:, 1]))))
    corners = np.array([[0, columns - 1, 0, columns - 1], [0, 0, rows - 1, rows - 1], [1, 1, 1, 1]], dtype=np.float64)
    found = (to_voxels @ corners)[:3]
    signs = np.sign(steps[axes, (0, 1)])
    exact = np.zeros((3, 2))
    exact[axes, (0, 1)] = signs
    start = np.rint(found[:, 0])
    expected = start[:, None] + exact @ corners[:2]
    distance = float(np.abs(found - expected).max())
    if axes[0] == axes[1] or not np.isfinite(distance) or distance > CORNER_TOLERANCE:
        raise misfit(f"found a frame whose corners lie {distance:.1f} voxels from those of a slice")
    low, high = expected.min(axis=1), expected.max(axis=1)
    if low.min() < 0 or (high >= grid.shape).any():
        raise misfit("found a frame that reaches beyond the volume")
    axis = 3 - sum(axes)
    where: list[int | slice] = [slice(int(first), int(last) + 1) for first, last in zip(low, high, strict=True)]
    where[axis] = int(low[axis])
    return _Placed(axes, (bool(signs[0] < 0), bool(signs[1] < 0)), tuple(where), (axis, int(low[axis])))


def _values(dataset: Dataset, kind: str, planes: Sequence[Plane], segments: frozenset[int]) -> Callable[[int], Labels]:
    """What gives the label values of a frame."""
    stored = _stored(dataset)
    if kind == "LABELMAP":
        padding = int(dataset.get("PixelPaddingValue") or _BACKGROUND)
        known = np.array(sorted({_BACKGROUND, padding, *segments}))

        def numbers(index: int) -> Labels:
            values = stored(index).astype(np.uint16)
            if not np.isin(values, known).all():
                raise ImagingError(Reason.PIXELS_INVALID, "found a value that is no segment's number, needed such")
            return np.where(np.isin(values, [n for n in known if n in segments]), values, np.uint16(_BACKGROUND))

        return numbers
    if kind not in ("BINARY", "FRACTIONAL"):
        raise ImagingError(Reason.UNSUPPORTED, "found another type of segmentation, needed binary, fractional or map")
    if any(plane.segment not in segments for plane in planes):
        raise ImagingError(Reason.HEADER_INVALID, "found a frame of a segment that is not described, needed it")
    least = math.ceil(int(dataset.MaximumFractionalValue) / 2) if kind == "FRACTIONAL" else 1
    return lambda index: (stored(index) >= max(least, 1)) * np.uint16(planes[index].segment)


def _stored(dataset: Dataset) -> Callable[[int], Frame]:
    """What gives the stored pixels (rows, columns) of a frame; memory holds one frame."""
    bits, rows, columns = int(dataset.BitsAllocated), int(dataset.Rows), int(dataset.Columns)
    if int(dataset.SamplesPerPixel) != 1 or bits not in (1, 8, 16) or int(dataset.get("PixelRepresentation") or 0):
        raise ImagingError(Reason.UNSUPPORTED, "found other pixels than unsigned ones of 1, 8 or 16 bits, needed these")
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        return lambda index: _decoded(dataset, index, (rows, columns))
    pixels, size = dataset.PixelData, rows * columns
    if len(pixels) * 8 < size * bits * int(dataset.NumberOfFrames):
        raise ImagingError(Reason.PIXELS_INVALID, "found fewer pixels than the header states, needed all frames")
    if bits == 1:
        return lambda index: _unpacked(pixels, index * size, size).reshape(rows, columns)
    kind = np.dtype(f"{'>' if syntax == ExplicitVRBigEndian else '<'}u{bits // 8}")
    return lambda index: np.frombuffer(pixels, kind, size, index * size * kind.itemsize).reshape(rows, columns)


def _unpacked(pixels: bytes, start: int, count: int) -> NDArray[np.uint8]:
    """Bits of packed pixels; frames follow each other without filling (PS3.5 8.1.1)."""
    first = start // 8
    packed = np.frombuffer(pixels, np.uint8, (start + count + 7) // 8 - first, first)
    return np.unpackbits(packed, bitorder="little")[start - first * 8 :][:count]


def _decoded(dataset: Dataset, index: int, shape: tuple[int, int]) -> Frame:
    from pydicom.pixels.decoders.base import get_decoder  # loads plugins; most segmentations are not compressed

    syntax, matrix, offsets = dataset.file_meta.TransferSyntaxUID, matrix_of(dataset), offsets_of(dataset)
    matrix.require_moderate()
    try:
        frame = get_frame(dataset.PixelData, index, number_of_frames=matrix.frames, extended_offsets=offsets)
        require_frames([frame], syntax, replace(matrix, frames=1))
        pixels, _ = get_decoder(syntax).as_array(
            dataset, index=index, raw=True, decoding_plugin=PLUGINS.get(syntax, "")
        )
    except ImagingError:
        raise
    except DECODER_ERRORS as error:
        raise ImagingError(
            Reason.PIXELS_INVALID, f"found compressed pixels that do not decode ({type(error).__name__}), needed frames"
        ) from None
    if pixels.shape != shape:
        raise ImagingError(Reason.PIXELS_INVALID, "found compressed pixels of another matrix, needed the header's")
    return np.asarray(pixels)
