"""Label maps as DICOM segmentations that refer to the images they were made on.

Belongs here: from values on a volume's voxels to a Segmentation object (PS3.3 A.51), by highdicom. Reading one is
`imaging.labels.segmentations`. Each slice of the map refers to the slice of the source that it lies on; a mosaic has no
slice of that size to refer to, so its segmentation says where it lies and names no instance frame by frame. Nothing
about a person is added to what the source says.
"""

import datetime as dt
import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from imaging.errors import ImagingError
from imaging.labels.segment_codes import Coded, coded
from imaging.volumes.geometry import LPS_TO_RAS, canonical
from imaging.volumes.series import VolumePlan
from schemas.reasons import Reason

_TYPE_2 = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
)  # fmt: skip
"""Attributes that the source may lack after de-identification, and a segmentation has, empty if need be."""

_MAKER = "Larmor"
_SERIES_NUMBER = 9000
"""Far from those of the scanner; PS3.3 wants one and gives it no meaning."""
_LONGEST = 64
"""Characters of a long string (PS3.5 6.2)."""


@dataclass(frozen=True)
class Origin:
    """What made a label map.

    Attributes:
        name: name of the model, or of whatever made the labels.
        version: what names its exact state, such as the digest of a checkpoint's manifest.
        automatic: whether a program made it; False: a person, or nobody knows.
        made: when; None: the time is left out as far as the standard allows.
    """

    name: str
    version: str
    automatic: bool = True
    made: dt.datetime | None = None


def write(
    labels: NDArray[np.generic],
    plan: VolumePlan,
    files: Sequence[bytes],
    scheme: Mapping[int, str],
    origin: Origin,
    codes: Mapping[int, Coded] | None = None,
) -> bytes:
    """A label map as a DICOM segmentation.

    Args:
        labels: (x, y, z) values on the voxels of the volume that the plan gives, 0 where nothing is.
        plan: how the volume was made of its source.
        files: the source's DICOM files, in the order of the plan's indices.
        scheme: meaning of each value; 0 is left out. A value without a meaning is refused.
        origin: what made it.
        codes: codes of values that have one; others are looked up by their meaning.

    Returns:
        The file. Labels on missing slices are left out, for there is nothing that they could refer to. The same map,
        source and origin give the same bytes.

    Raises:
        ImagingError: LABEL_MISFIT where the map is not on the volume's grid or holds values without a meaning,
            UNSUPPORTED where the source does not say where it lies in space, or lacks what a segmentation repeats.
    """
    stack = _along_source(labels, plan)
    values = [value for value in sorted(scheme) if value]
    if unknown := set(np.unique(stack).tolist()) - {0, *values}:
        raise _misfit(f"found {len(unknown)} label values without a meaning")
    if not values:
        raise _misfit("found no label value but the background in the scheme")
    numbers = {value: number for number, value in enumerate(values, 1)}
    lookup = np.zeros(max(values) + 1, dtype=np.uint8 if len(values) < 255 else np.uint16)
    lookup[values] = list(numbers.values())
    sources = _sources(plan, files)
    described = [_described(numbers[v], scheme[v], (codes or {}).get(v) or coded(scheme[v], v), origin) for v in values]
    try:
        return _bytes(_segmentation(lookup[stack], plan, sources, described, origin))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        # the libraries' words may quote values of the source
        raise ImagingError(
            Reason.UNSUPPORTED,
            f"found a source that no segmentation can refer to ({type(error).__name__}), needed the elements that "
            "PS3.3 requires of it; write NIfTI instead",
        ) from None


def _along_source(labels: NDArray[np.generic], plan: VolumePlan) -> NDArray[Any]:
    """(slices, rows, columns) in the order of the plan: the permutation and flips of the volume undone."""
    depth = plan.instances.shape[1]
    moved = canonical(plan.affine, (plan.columns, plan.rows, depth))
    if labels.shape != moved.shape:
        raise _misfit(f"found a label map of {labels.shape} voxels")
    steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in moved.flips)
    return np.ascontiguousarray(labels[steps].transpose(np.argsort(moved.permutation)).transpose(2, 1, 0))


def _sources(plan: VolumePlan, files: Sequence[bytes]) -> dict[int, Dataset]:
    """Headers of the instances of the first step, by their index."""
    found = {}
    for index in dict.fromkeys(int(i) for i in plan.instances[0] if i >= 0):
        header = dcmread(io.BytesIO(files[index]), stop_before_pixels=True, force=True)
        if not header.get("FrameOfReferenceUID"):
            raise ImagingError(
                Reason.UNSUPPORTED, "found a source without a frame of reference, needed one; write NIfTI instead"
            )
        for keyword in _TYPE_2:
            if keyword not in header:
                setattr(header, keyword, "")
        found[index] = header
    return found


def _described(number: int, name: str, code: Coded, origin: Origin) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes as known

    algorithm = hd.AlgorithmIdentificationSequence(
        name=origin.name[:_LONGEST], family=known.DCM.ArtificialIntelligence, version=origin.version[:_LONGEST],
        source=_MAKER,
    )  # fmt: skip
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:_LONGEST],
        segmented_property_category=hd.sr.CodedConcept(*code.category),
        segmented_property_type=hd.sr.CodedConcept(*code.type),
        algorithm_type="AUTOMATIC" if origin.automatic else "MANUAL",
        algorithm_identification=algorithm if origin.automatic else None,
    )


def _segmentation(
    stack: NDArray[Any], plan: VolumePlan, sources: Mapping[int, Dataset], described: Sequence[Any], origin: Origin
) -> Dataset:
    import highdicom as hd

    first = next(iter(sources.values()))
    uid = _uids(stack, sources, origin)
    placed: dict[str, Any] = {}
    there = plan.instances[0] >= 0
    if "PerFrameFunctionalGroupsSequence" in first:
        _reduce(first, plan)
    elif (int(first.Rows), int(first.Columns)) != (plan.rows, plan.columns):
        first.Rows, first.Columns = plan.rows, plan.columns  # a slice of a mosaic
        placed = _placed(plan)
    stack = stack if placed else stack[there]
    order = dict.fromkeys(int(index) for index in plan.instances[0] if index >= 0)
    images = [sources[index] for index in order] if len(sources) > 1 else [first]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # highdicom warns of empty maps and of names that it shortens
        made: Dataset = hd.seg.Segmentation(
            source_images=images,
            pixel_array=stack,
            segmentation_type="BINARY",
            segment_descriptions=described,
            series_instance_uid=uid("series"),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=uid("instance"),
            instance_number=1,
            manufacturer=_MAKER,
            manufacturer_model_name=_MAKER,
            software_versions=version("larmor"),
            device_serial_number=origin.version[:16] or "0",
            content_label="SEGMENTATION",
            **placed,
        )
    if "PerFrameFunctionalGroupsSequence" in first:
        _refer_to_frames(made, plan)
    organization = uid("dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    return _dated(made, first, origin)


def _reduce(source: Dataset, plan: VolumePlan) -> None:
    """Leave the frames of the first step in a multi-frame header, with spacing and orientation stated for all.

    Frames of other steps lie at the same places, which a segmentation could not tell apart; scanners may state spacing
    and orientation frame by frame, where a segmentation has one of each.
    """
    frames = plan.frames[0][plan.instances[0] >= 0]
    groups = source.PerFrameFunctionalGroupsSequence
    source.PerFrameFunctionalGroupsSequence = [groups[int(frame)] for frame in frames]
    source.NumberOfFrames = len(frames)
    placed, shared = _placed(plan), source.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = placed["pixel_measures"]
    shared.PlaneOrientationSequence = placed["plane_orientation"]


def _refer_to_frames(made: Dataset, plan: VolumePlan) -> None:
    """Refer to frames of the source by their numbers there, of which `_reduce` left some out."""
    frames = plan.frames[0][plan.instances[0] >= 0]
    references = {  # frames of several segments share theirs
        id(image): image
        for group in made.PerFrameFunctionalGroupsSequence
        for derivation in group.get("DerivationImageSequence", ())
        for image in derivation.SourceImageSequence
    }
    for image in references.values():
        image.ReferencedFrameNumber = int(frames[int(image.ReferencedFrameNumber) - 1]) + 1


def _placed(plan: VolumePlan) -> dict[str, Any]:
    """Where each slice lies, for a source that does not say so slice by slice."""
    import highdicom as hd

    affine = LPS_TO_RAS @ plan.affine  # it is its own inverse
    column, row, step = (affine[:3, axis] for axis in range(3))
    normal = np.cross(column, row) / np.linalg.norm(np.cross(column, row))
    spacing = [float(np.linalg.norm(column)), float(np.linalg.norm(row)), float(abs(step @ normal))]
    orientation = [*(column / spacing[0]), *(row / spacing[1])]
    return {
        "plane_positions": [
            hd.PlanePositionSequence("PATIENT", image_position=(affine @ [0, 0, place, 1])[:3].tolist())
            for place in range(plan.instances.shape[1])
        ],
        "plane_orientation": hd.PlaneOrientationSequence("PATIENT", [float(v) for v in orientation]),
        "pixel_measures": hd.PixelMeasuresSequence(
            pixel_spacing=[spacing[1], spacing[0]], slice_thickness=spacing[2], spacing_between_slices=spacing[2]
        ),
    }


def _uids(stack: NDArray[Any], sources: Mapping[int, Dataset], origin: Origin) -> Any:
    """UIDs that follow from what the segmentation holds."""
    digest = hashlib.sha256(stack.tobytes() + f"{origin.name}/{origin.version}".encode())
    for header in sources.values():
        digest.update(str(header.SOPInstanceUID).encode())
    return lambda of: f"2.25.{int(hashlib.sha256(digest.digest() + of.encode()).hexdigest()[:30], 16)}"


def _dated(made: Dataset, source: Dataset, origin: Origin) -> Dataset:
    """Times of its making as the origin states them; where it does not, those of the study stand in."""
    day = f"{origin.made:%Y%m%d}" if origin.made else (source.get("StudyDate") or "19000101")
    time = f"{origin.made:%H%M%S}" if origin.made else (source.get("StudyTime") or "000000")
    made.ContentDate, made.ContentTime = day, time
    made.InstanceCreationDate, made.InstanceCreationTime = day, time
    for keyword in ("SeriesDate", "SeriesTime", "ContentCreatorName", "TimezoneOffsetFromUTC"):
        if keyword in made:
            delattr(made, keyword)
    made.ContentCreatorName = ""
    made.SeriesDescription = f"Segmentation by {origin.name}"[:_LONGEST]
    for item in made.get("ContributingEquipmentSequence", ()):
        item.ContributionDateTime = day + time.partition(".")[0]
    return made


def _bytes(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _misfit(found: str) -> ImagingError:
    return ImagingError(Reason.LABEL_MISFIT, f"{found}, needed values with a meaning on the grid of its image")
