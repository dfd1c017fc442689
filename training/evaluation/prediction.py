"""Prediction on an image: from a volume or a NIfTI file to what a model says of it, as a file and on the record.

Belongs here: what is written (a label map or an image where a task speaks of voxels, JSON where it speaks of whole
volumes), and NIfTI files. The model's work on arrays is `training.evaluation.inference`; predictions on DICOM and on
volumes of the lake are `orchestration.predictions`.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from imaging.nifti import nifti
from imaging.volumes.source_grid import on_source_grid
from imaging.volumes.statistics import statistics
from imaging.volumes.volume import Volume
from lake.stores.storage import Location
from lake.zones import Lake
from lineage.access import Access, accessed
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.terms.decisions import Decision
from lineage.terms.questions import Action
from schemas.checkpoint import MANIFEST, CheckpointManifest
from stages.permission import permitted_model
from training import checkpoint
from training.data.volume import facts_of, unusable
from training.errors import TrainingError
from training.evaluation.inference import Model, answer, model_of
from training.running.hardware import device_of
from training.shelf import fetched
from training.tasks.task import Prediction

ENDINGS = (".nii", ".nii.gz")
FACTS = ".json"
"""Ending of what is said of a whole volume."""


@dataclass(frozen=True)
class Found:
    """What a model found of one class.

    Attributes:
        value: label value.
        name: what it means.
        voxels: how many.
        millilitres: their volume.
    """

    value: int
    name: str
    voxels: int
    millilitres: float


@dataclass(frozen=True)
class Predicted:
    """What was written.

    Attributes:
        out: the file.
        model: name of the model.
        shape: voxels along the file's axes; those of the input where it holds facts.
        classes: what a label map shows, background left out.
        steps: steps of the input's fourth axis, of which the first was used; 1 for a 3D image.
        sha256: digest of the file.
        facts: what is said of the whole volume.
    """

    out: Path
    model: str
    shape: tuple[int, ...]
    classes: list[Found]
    steps: int
    sha256: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def predict_file(
    lake: Lake, model: str, source: Path, out: Path, purpose: str = "research", device: str = "auto"
) -> Predicted:
    """Write what a model says of a NIfTI image, and put it on the record.

    Args:
        lake: the lake, whose models are known by name and whose ledger keeps the record.
        model: name of a fine-tuned model, or its folder.
        source: the image, `.nii` or gzipped.
        out: the file to write, `.nii` or `.nii.gz`, or `.json` of a model of whole volumes; must not be there yet.
        purpose: what for; the terms of the model must allow it.
        device: where it is computed: cpu, cuda, or auto, which is the GPU where there is one.

    Raises:
        Refusal: if the terms of the model do not allow it.
        CheckpointError: if there is no such model, or it is not a fine-tuned one.
        ImagingError: if the image cannot be read.
        TrainingError: if the image has nothing to see in it, or the files are not as needed.
    """
    if not source.is_file():
        raise TrainingError("found no such image, needed a NIfTI file (.nii or .nii.gz)")
    check_target(out, (*ENDINGS, FACTS))
    predictor = Predictor.load(lake, model, device)
    decision = permitted_model(lake, predictor.manifest, Action.PREDICT, purpose)
    return predict_image(lake, predictor, source, out, decision)


def predict_image(lake: Lake, predictor: "Predictor", source: Path, out: Path, decision: Decision) -> Predicted:
    """As `predict_file`, with a model that is loaded already, and the decision that its terms allow it."""
    predictor.check(out)
    data = source.read_bytes()
    volume = nifti.read(data)
    said = predictor.says(volume)
    if said.voxels is None:
        return keep_facts(lake, predictor, said.facts, volume, out, decision=decision)
    placed = on_source_grid(said.voxels, volume, data)
    return keep(lake, predictor, packed(nifti.write(placed), out), placed, out, steps=volume.steps, decision=decision)


@dataclass(frozen=True)
class Predictor:
    """A fine-tuned model and what it says of itself.

    Attributes:
        model: what predicts.
        manifest: where it comes from.
        digest: SHA-256 of its manifest file, which names its exact state.
    """

    model: Model
    manifest: CheckpointManifest
    digest: str

    @classmethod
    def load(cls, lake: Lake, model: str, device: str = "auto") -> "Predictor":
        """The model of a name among the lake's, or of a folder.

        Raises:
            CheckpointError: if there is no such model, or it is not a fine-tuned one.
            TrainingError: if there is no such device.
        """
        folder = folder_of(lake, model)
        loaded = checkpoint.load(folder)
        digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        return cls(model_of(loaded).on(device_of(device)), loaded.manifest, digest)

    @property
    def scheme(self) -> dict[int, str]:
        """Meaning of each label value; of a model of label maps."""
        return {value: self.model.classes.names[value] for value in self.model.classes.values}

    def check(self, out: Path, *, segmentation: str | None = None) -> None:
        """Refuse a file that what the model says does not fit into.

        Args:
            out: the file.
            segmentation: ending of a file that only a label map fits into.

        Raises:
            TrainingError: if it is to be of another kind.
        """
        kind, task = self.model.task.answer, self.model.config.task
        if kind == "facts" and not out.name.endswith(FACTS):
            raise TrainingError(f"found a model of {task}, which speaks of whole volumes, needed --out *{FACTS}")
        if kind != "facts" and out.name.endswith(FACTS):
            raise TrainingError(f"found a model of {task}, which speaks of voxels, needed --out *.nii.gz")
        if kind != "labels" and segmentation and out.name.endswith(segmentation):
            raise TrainingError(f"found a model of {task}, which makes no label map, needed --out *.nii.gz")

    def says(self, volume: Volume) -> Prediction:
        """What the model says of a volume; label values are as small integers as hold them.

        Raises:
            TrainingError: if the image has nothing to see in it.
        """
        return said_of(self.model, volume)


def said_of(model: Model, volume: Volume) -> Prediction:
    """What a model says of a volume; label values are as small integers as hold them.

    Raises:
        TrainingError: if the image has nothing to see in it.
    """
    row = row_of(volume)
    if reason := unusable(facts_of("input", row)):
        raise TrainingError(f"found a {reason} image, needed one with intensities that differ; check the file")
    said = answer(model, volume.array, row)
    if model.task.answer != "labels" or said.voxels is None:
        return said
    small = max(model.classes.values) <= np.iinfo(np.uint8).max
    return Prediction(said.voxels.astype(np.uint8) if small else said.voxels, said.facts)


def check_target(out: Path, endings: Sequence[str]) -> None:
    """Refuse a place that a prediction cannot be written to.

    Raises:
        TrainingError: if it has another ending, or something is there.
    """
    if not out.name.endswith(tuple(endings)):
        raise TrainingError(f"found another ending of the output, needed {' or '.join(endings)}; name it with --out")
    if out.exists():
        raise TrainingError("found a file at the output's place already, needed none; name another one with --out")


def packed(content: bytes, out: Path) -> bytes:
    """A file's content as its name says: gzipped or not."""
    return gzip.compress(content, mtime=0) if out.name.endswith(".gz") else content


def keep(
    lake: Lake,
    predictor: Predictor,
    content: bytes,
    placed: Volume,
    out: Path,
    *,
    steps: int,
    decision: Decision,
    form: str = "nifti",
) -> Predicted:
    """Put a prediction on the record, and then where it is wanted.

    Args:
        lake: whose ledger keeps the record.
        predictor: what predicted.
        content: the file.
        placed: the label map or image.
        out: where the file goes.
        steps: steps of the image's fourth axis.
        decision: that the terms allow it.
        form: what kind of file it is.
    """
    sha256 = _kept(lake, predictor.manifest, content, out, decision, form)
    classes = _counted(predictor.model, placed) if predictor.model.task.answer == "labels" else []
    return Predicted(out, predictor.manifest.name, placed.shape, classes, steps, sha256)


def keep_facts(
    lake: Lake, predictor: Predictor, facts: Mapping[str, Any], volume: Volume, out: Path, *, decision: Decision
) -> Predicted:
    """Put what is said of a whole volume on the record, and then where it is wanted, as JSON."""
    manifest = predictor.manifest
    said = {"model": manifest.name, "weights_sha256": manifest.weights_sha256, "task": manifest.task, **facts}
    content = json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False).encode()
    sha256 = _kept(lake, manifest, content, out, decision, "json")
    return Predicted(out, manifest.name, volume.shape[:3], [], volume.steps, sha256, facts)


def _kept(lake: Lake, manifest: CheckpointManifest, content: bytes, out: Path, decision: Decision, form: str) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    # the record comes before the file: no prediction is ever out without being on the ledger
    _record(lake, manifest, sha256, decision, form)
    Location(out.parent).write_bytes(out.name, content)
    return sha256


def folder_of(lake: Lake, model: str) -> Path:
    """The folder of a model, given as a folder or as a name among the lake's models."""
    given = Path(model)
    return given if (given / MANIFEST).is_file() else fetched(lake, model)


def row_of(volume: Volume) -> dict[str, Any]:
    """What `curated/volumes` would say of the image."""
    numbers = statistics(volume)
    return {
        "volume": "input",
        "shape": list(volume.shape),
        "spacing": list(volume.spacing),
        "affine": volume.affine.ravel().tolist(),
        "slope": volume.slope,
        "intercept": volume.intercept,
        "percentiles": list(numbers.percentiles),
        "occupancy": numbers.occupancy,
        "missing_slices": list(volume.missing_slices),
        "missing_axis": volume.missing_axis,
    }


def _counted(model: Model, placed: Volume) -> list[Found]:
    voxel = float(abs(np.linalg.det(placed.affine[:3, :3]))) / 1000
    counts = np.bincount(placed.array.ravel(), minlength=max(model.classes.values) + 1)
    return [
        Found(value, model.classes.names[value], int(counts[value]), round(int(counts[value]) * voxel, 3))
        for value in model.classes.values
        if value
    ]


def _record(lake: Lake, manifest: CheckpointManifest, sha256: str, decision: Decision, form: str) -> None:
    facts = {
        **decision.facts,
        "model": manifest.name,
        "weights_sha256": manifest.weights_sha256,
        "release": manifest.release,
        "release_sha256": manifest.release_sha256,
        "volumes": 1,
        "format": form,
        "content_sha256": sha256,
    }
    append(lake, EventType.PREDICTED, facts)
    accessed(lake, Access.PREDICT, manifest.name, 1, decision.question.purpose)
