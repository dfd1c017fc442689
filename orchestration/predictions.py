"""Predictions on what a person names: a NIfTI file, a DICOM series, or a volume of the lake; as NIfTI or DICOM.

Belongs here: putting together what `training` predicts, `stages` finds and `imaging` writes, for none of them knows the
others' trade.
"""

import datetime as dt
from pathlib import Path

from imaging import nifti
from imaging.segmentation_writer import Origin, write
from imaging.volume import Volume
from lake.zones import Lake
from stages import sources
from training.errors import TrainingError
from training.evaluation.prediction import ENDINGS, Labeller, Predicted, check_target, keep, packed, predict_file

SEGMENTATION = ".dcm"
"""Ending of a label map as a DICOM segmentation."""


def predict(
    lake: Lake, model: str, source: str, out: Path, *, number: int | None = None, purpose: str = "research"
) -> Predicted:
    """Write the label map of an image, and put it on the record.

    Args:
        lake: the lake, whose models and volumes are known by name.
        model: name of a fine-tuned model, or its folder.
        source: a NIfTI file, a DICOM file or folder of one series, or the id of a volume of the lake.
        out: the label map: `.nii`, `.nii.gz`, or `.dcm` for a segmentation that refers to its source.
        number: which volume of a series that gives several, from 1.
        purpose: what for, for the record; for a volume of the lake, its licence must allow it.

    Raises:
        CheckpointError: if there is no such model, or it is not a fine-tuned one.
        ImagingError: if the image cannot be read, or a segmentation cannot refer to it.
        Refusal: if the licence of a volume of the lake does not allow it.
        TrainingError: if the files are not as needed.
    """
    place = Path(source)
    if source.endswith(ENDINGS) and place.suffix != SEGMENTATION and not out.name.endswith(SEGMENTATION):
        return predict_file(lake, model, place, out, purpose)
    check_target(out, (*ENDINGS, SEGMENTATION))
    found = _found(lake, source, number, purpose)
    if found.plan is None and out.name.endswith(SEGMENTATION):
        raise TrainingError("found an image that did not come as DICOM, needed one to refer to; write .nii.gz instead")
    labeller = Labeller.load(lake, model)
    placed = Volume(labeller.labels(found.volume), found.volume.affine)
    content, form = _content(labeller, found, placed, out)
    return keep(lake, labeller, content, placed, out, steps=found.volume.steps, purpose=purpose, form=form)


def _found(lake: Lake, source: str, number: int | None, purpose: str) -> sources.Source:
    if source.endswith(ENDINGS):
        raise TrainingError("found a NIfTI image, needed DICOM to refer to; write .nii.gz instead")
    if Path(source).exists():
        return sources.of_folder(Path(source), number)
    try:
        return sources.of_lake(lake, source, purpose)
    except KeyError:
        raise TrainingError(
            "found neither a file nor a folder nor a volume of that name, needed a NIfTI file, a DICOM series or the "
            "id of a volume of the lake"
        ) from None


def _content(labeller: Labeller, found: sources.Source, placed: Volume, out: Path) -> tuple[bytes, str]:
    if not out.name.endswith(SEGMENTATION):
        return packed(nifti.write(placed), out), "nifti"
    assert found.plan is not None, "segmentations are refused where there is nothing to refer to"
    origin = Origin(labeller.manifest.name, labeller.digest, made=dt.datetime.now(dt.UTC))
    return write(placed.array, found.plan, found.files, labeller.scheme, origin), "dicom-seg"
