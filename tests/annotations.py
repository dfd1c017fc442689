"""Series with segmentations and structure sets drawn on them, small and valid, of nobody in particular.

Belongs here: datasets over a stack of slices of any orientation. Arrays are (slices, rows, columns), contours are in
voxels (column, row, slice) of that stack. Nothing here knows the project's own code, so that it can judge it.
"""

import copy
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.objects import ROOT, Identity, begun, code, mr_image, pixels

WHO = Identity()
TISSUE = ("85756007", "SCT", "Body tissue structure (body structure)")
CODES = {1: ("12738006", "SCT", "Brain structure (body structure)"), 2: ("108369006", "SCT", "Neoplasm")}


@dataclass(frozen=True)
class Stack:
    """A stack of slices in DICOM's patient coordinates (LPS).

    Attributes:
        shape: slices, rows, columns.
        across: direction of a row.
        down: direction of a column.
        spacing: between rows, between columns, between slices; the latter negative for a stack against its normal.
    """

    shape: tuple[int, int, int] = (5, 7, 6)
    across: tuple[float, float, float] = (1.0, 0.0, 0.0)
    down: tuple[float, float, float] = (0.0, 1.0, 0.0)
    spacing: tuple[float, float, float] = (1.5, 1.25, 3.0)
    origin: tuple[float, float, float] = (-20.5, 11.25, 40.0)

    @property
    def affine(self):
        """(4, 4) from (column, row, slice) to LPS millimetres."""
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = np.array(self.across) * self.spacing[1], np.array(self.down) * self.spacing[0]
        affine[:3, 2], affine[:3, 3] = np.cross(self.across, self.down) * self.spacing[2], self.origin
        return affine

    def point(self, column, row, slice_):
        """Where a point of the stack lies, in millimetres."""
        return (self.affine @ [column, row, slice_, 1.0])[:3]

    @property
    def orientation(self):
        """Image Orientation (Patient)."""
        return [_short(v) for v in (*self.across, *self.down)]


def turned(degrees_x, degrees_z):
    """Directions of rows and columns after two rotations."""
    x, z = np.radians([degrees_x, degrees_z])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    matrix = about_z @ about_x
    return {"across": tuple(matrix[:, 0]), "down": tuple(matrix[:, 1])}


STACKS = {
    "axial": Stack(),
    "axial, feet first": Stack(spacing=(1.5, 1.25, -3.0)),
    "sagittal": Stack(across=(0.0, 1.0, 0.0), down=(0.0, 0.0, -1.0)),
    "coronal, flipped": Stack(across=(-1.0, 0.0, 0.0), down=(0.0, 0.0, -1.0), spacing=(1.1, 0.9, -2.0)),
    "oblique": Stack(**turned(23.0, -31.0)),
    "doubly oblique, flipped": Stack(**turned(114.0, 67.0), spacing=(0.8, 1.7, -2.5)),
}


def _short(value):
    """A decimal string of at most 16 characters, as the standard wants it (PS3.5 6.2, DS)."""
    return f"{value:.10g}"[:16]


def series(stack, number=1, who=WHO):
    """An MR series of the stack."""
    for place in range(stack.shape[0]):
        ds = mr_image(who)
        ds.SeriesInstanceUID, ds.SOPInstanceUID = f"{ROOT}.4.{number}", image_uid(place, number)
        ds.InstanceNumber = place + 1
        ds.Rows, ds.Columns = stack.shape[1:]
        values = np.arange(stack.shape[1] * stack.shape[2]) * 7 % 191 + place
        ds.PixelData = values.astype("<u2").tobytes()
        ds.ImageOrientationPatient = stack.orientation
        ds.ImagePositionPatient = [_short(v) for v in stack.point(0, 0, place)]
        ds.PixelSpacing, ds.SliceThickness = [_short(v) for v in stack.spacing[:2]], _short(abs(stack.spacing[2]))
        yield ds


def image_uid(place, number=1):
    """SOP Instance UID of a slice of a series."""
    return f"{ROOT}.3.{number}00{place}"


def segmentation(stack, masks, kind="BINARY", *, seed=0, sparse=True, referenced=True, number=6, who=WHO, codes=CODES):
    """A segmentation of a series, its frames in a random order.

    Args:
        stack: of the series.
        masks: segment to (slices, rows, columns) booleans, fractions from 0 to 200, or for LABELMAP numbers under 0.
        kind: BINARY, FRACTIONAL or LABELMAP.
        seed: of the order.
        sparse: whether empty frames are left out.
        referenced: whether it names the images it was drawn on.
    """
    sort = "66.7" if kind == "LABELMAP" else "66.4"
    frames = [(n, k) for n, mask in masks.items() for k in range(stack.shape[0]) if not sparse or mask[k].any()]
    frames = [frames[i] for i in np.random.default_rng(seed).permutation(len(frames))]
    ds = pixels(begun(who, sort, "SEG", number), bits=1 if kind == "BINARY" else 8, frames=len(frames))
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = who.frame_uid, ""
    ds.ImageType, ds.ContentLabel, ds.ContentCreatorName = ["DERIVED", "PRIMARY"], "SEGMENTATION", ""
    ds.LossyImageCompression, ds.SegmentationType = "00", kind
    if kind == "FRACTIONAL":
        ds.SegmentationFractionalType, ds.MaximumFractionalValue = "PROBABILITY", 200
    ds.Rows, ds.Columns = stack.shape[1:]
    stored = np.array([masks[n][k] for n, k in frames], np.uint8).reshape(-1)
    data = np.packbits(stored, bitorder="little").tobytes() if kind == "BINARY" else stored.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    numbers = sorted(masks) if kind != "LABELMAP" else [n for n in np.unique(masks[0]).tolist() if n]
    ds.SegmentSequence = Sequence([_segment(n, codes) for n in numbers])
    if referenced:
        item = Dataset()
        item.SeriesInstanceUID = who.series_uid
        item.ReferencedInstanceSequence = _images(range(stack.shape[0]))
        ds.ReferencedSeriesSequence = Sequence([item])
    _groups(ds, stack, frames, kind)
    return ds


def _segment(number, codes):
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel, segment.SegmentAlgorithmType = number, f"brain {number}", "MANUAL"
    segment.SegmentedPropertyCategoryCodeSequence = Sequence([code(*TISSUE)])
    segment.SegmentedPropertyTypeCodeSequence = Sequence([code(*codes.get(number, TISSUE))])
    return segment


def _images(places, number=1):
    items = []
    for place in places:
        item = Dataset()
        item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        item.ReferencedSOPInstanceUID = image_uid(place, number)
        items.append(item)
    return Sequence(items)


def _groups(ds, stack, frames, kind):
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = stack.orientation
    measures.PixelSpacing = [_short(v) for v in stack.spacing[:2]]
    measures.SliceThickness = _short(abs(stack.spacing[2]))
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence([])
    for segment, place in frames:
        group, position, content, identification = Dataset(), Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [_short(v) for v in stack.point(0, 0, place)]
        content.DimensionIndexValues = [segment, place + 1]
        group.PlanePositionSequence, group.FrameContentSequence = Sequence([position]), Sequence([content])
        if kind != "LABELMAP":
            identification.ReferencedSegmentNumber = segment
            group.SegmentIdentificationSequence = Sequence([identification])
        ds.PerFrameFunctionalGroupsSequence.append(group)


def structures(stack, contours, *, kind="CLOSED_PLANAR", number=8, referenced=True, who=WHO, extra=()):
    """A structure set of a series.

    Args:
        stack: of the series.
        contours: structure to contours, (n, 3) points in voxels of the stack.
        kind: of all contours.
        referenced: whether it names the images it was drawn on.
        extra: further contours as (structure, kind, points).
    """
    ds = begun(who, "481.3", "RTSTRUCT", number)
    ds.StructureSetLabel, ds.StructureSetDate, ds.StructureSetTime = "BRAIN", "20230614", "090000"
    frame = Dataset()
    frame.FrameOfReferenceUID = who.frame_uid
    if referenced:
        study, images = Dataset(), Dataset()
        images.SeriesInstanceUID, images.ContourImageSequence = who.series_uid, _images(range(stack.shape[0]))
        study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", who.study_uid
        study.RTReferencedSeriesSequence = Sequence([images])
        frame.RTReferencedStudySequence = Sequence([study])
    ds.ReferencedFrameOfReferenceSequence = Sequence([frame])
    drawn = defaultdict(list)
    for structure, lines in contours.items():
        drawn[structure] = [(kind, points) for points in lines]
    for structure, other, points in extra:
        drawn[structure].append((other, points))
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = (Sequence([]) for _ in range(3))
    for structure, lines in drawn.items():
        roi, outline, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = structure, f"brain {structure}", "MANUAL"
        roi.ReferencedFrameOfReferenceUID = who.frame_uid
        outline.ReferencedROINumber, outline.ContourSequence = structure, Sequence([])
        for sort, points in lines:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = sort, len(points)
            contour.ContourData = [_short(v) for point in points for v in stack.point(*point)]
            outline.ContourSequence.append(contour)
        seen.ObservationNumber = seen.ReferencedROINumber = structure
        seen.RTROIInterpretedType, seen.ROIInterpreter = "ORGAN", ""
        if structure in CODES:
            seen.RTROIIdentificationCodeSequence = Sequence([code(*CODES[structure])])
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(outline)
        ds.RTROIObservationsSequence.append(seen)
    return ds


def outlines(mask):
    """Contours of (slices, rows, columns) booleans along the edges of voxels, holes and islands each on its own."""
    found = []
    for place, plane in enumerate(mask):
        edges = set()
        for row, column in np.argwhere(plane):
            left, top, right, bottom = column - 0.5, row - 0.5, column + 0.5, row + 0.5
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            for edge in zip(corners, corners[1:] + corners[:1], strict=True):
                # an edge between two voxels runs both ways and cancels
                if edge[::-1] in edges:
                    edges.remove(edge[::-1])
                else:
                    edges.add(edge)
        onward = defaultdict(list)
        for start, end in sorted(edges):
            onward[start].append(end)
        while onward:
            start = here = min(onward)
            line = []
            while True:
                line.append((*here, place))
                nexts = onward[here]
                there = nexts.pop()
                if not nexts:
                    del onward[here]
                here = there
                if here == start:
                    break
            found.append(line)
    return found


def shapes(stack, seed=0, count=2, overlap=False):
    """Random masks by segment, with holes and islands; the first slice of each is empty."""
    random = np.random.default_rng(seed)
    numbers = random.integers(0, count + 1, stack.shape)
    masks = {n: numbers == n for n in range(1, count + 1)}
    if overlap:
        masks[1] = masks[1] | masks[2]
    for n, mask in masks.items():
        mask[0] = False
        mask[1, 0, 0] = True if n == 1 else mask[1, 0, 0] and overlap
    return masks


def without(ds, keyword):
    """A copy that lacks an element."""
    changed = copy.deepcopy(ds)
    delattr(changed, keyword)
    return changed
