"""Predictions on what a person names: a NIfTI file, a DICOM series, or a volume of the lake; as NIfTI, DICOM or JSON.

Belongs here: putting together what `training` predicts, `stages` finds and `imaging` writes, for none of them knows the
others' trade. Many images at once are `orchestration.predicted_folder`.
"""

import datetime as dt
from pathlib import Path

from imaging.labels.segmentation_writer import Origin, write
from imaging.nifti import nifti
from imaging.volumes.volume import Volume
from lake.stores.folders import unwritable
from lake.zones import Lake
from lineage.terms.decisions import Decision
from lineage.terms.questions import Action
from stages import sources
from stages.permission import permitted_model
from training.errors import TrainingError
from training.evaluation.prediction import (
    ENDINGS,
    FACTS,
    Predicted,
    Predictor,
    check_target,
    keep,
    keep_facts,
    packed,
    predict_file,
)

SEGMENTATION = ".dcm"
"""Ending of a label map as a DICOM segmentation."""


def predict(
    lake: Lake,
    model: str,
    source: str,
    out: Path,
    *,
    number: int | None = None,
    purpose: str = "research",
    device: str = "auto",
) -> Predicted:
    """Write what a model says of an image, and put it on the record.

    Args:
        lake: the lake, whose models and volumes are known by name.
        model: name of a fine-tuned model, or its folder.
        source: a NIfTI file, a DICOM file or folder of one series, or the id of a volume of the lake.
        out: the file: `.nii`, `.nii.gz`, `.dcm` for a segmentation that refers to its source, or `.json` of a model
            that says something of whole volumes.
        number: which volume of a series that gives several, from 1.
        purpose: what for; the terms of the model, and of a volume of the lake, must allow it.
        device: where it is computed: cpu, cuda, or auto, which is the GPU where there is one.

    Raises:
        CheckpointError: if there is no such model, or it is not a fine-tuned one.
        ImagingError: if the image cannot be read, or a segmentation cannot refer to it.
        Refusal: if the terms of the model, or of a volume of the lake, do not allow it.
        TrainingError: if the files are not as needed.
    """
    refuse_place(out)
    place = Path(source)
    if source.endswith(ENDINGS) and place.suffix != SEGMENTATION and not out.name.endswith(SEGMENTATION):
        return predict_file(lake, model, place, out, purpose, device)
    check_target(out, (*ENDINGS, FACTS, SEGMENTATION))
    found = _found(lake, source, number, purpose)
    refuse_unreferable(found, out)
    predictor = Predictor.load(lake, model, device)
    decision = permitted_model(lake, predictor.manifest, Action.PREDICT, purpose)
    return predict_source(lake, predictor, found, out, decision)


def refuse_place(out: Path) -> None:
    """Refuse a file that cannot be written, before anything is computed or put on the record.

    Raises:
        TrainingError: if a folder above it is a file, or may not be written to.
    """
    if why := unwritable(out):
        raise TrainingError(f"{why}; name another one with --out")


def refuse_unreferable(found: sources.Source, out: Path) -> None:
    """Refuse a DICOM segmentation of an image that did not come as DICOM.

    Raises:
        TrainingError: if it is asked for.
    """
    if found.plan is None and out.name.endswith(SEGMENTATION):
        raise TrainingError("found an image that did not come as DICOM, needed one to refer to; write .nii.gz instead")


def predict_source(lake: Lake, predictor: Predictor, found: sources.Source, out: Path, decision: Decision) -> Predicted:
    """As `predict`, with a model that is loaded, an image that is found, and the decision that terms allow it."""
    predictor.check(out, segmentation=SEGMENTATION)
    said = predictor.says(found.volume)
    if said.voxels is None:
        return keep_facts(lake, predictor, said.facts, found.volume, out, decision=decision)
    placed = Volume(said.voxels, found.volume.affine)
    content, form = _content(predictor, found, placed, out)
    return keep(lake, predictor, content, placed, out, steps=found.volume.steps, decision=decision, form=form)


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


def _content(predictor: Predictor, found: sources.Source, placed: Volume, out: Path) -> tuple[bytes, str]:
    if not out.name.endswith(SEGMENTATION):
        return packed(nifti.write(placed), out), "nifti"
    assert found.plan is not None, "segmentations are refused where there is nothing to refer to"
    origin = Origin(predictor.manifest.name, predictor.digest, made=dt.datetime.now(dt.UTC))
    return write(placed.array, found.plan, found.files, predictor.scheme, origin), "dicom-seg"
