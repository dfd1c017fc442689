"""A checkpoint in the hands of whoever has it: opened in one line, with no lake and no configuration of a project.

Belongs here: what `training.open` gives. A prediction made here is nobody's record; on a lake's record are those of
`larmor predict`. A graph for other runtimes is `training.portable`.

Example:
    >>> import training  # doctest: +SKIP
    >>> model = training.open("models/brain-segmentation")  # doctest: +SKIP
    >>> labels = model.predict("image.nii.gz")  # doctest: +SKIP
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from torch import nn

from imaging.nifti import nifti
from imaging.volumes.source_grid import on_source_grid
from imaging.volumes.volume import Volume
from lake.voxels import views
from schemas.checkpoint import CheckpointManifest
from training.checkpoint import Checkpoint, load
from training.errors import TrainingError
from training.evaluation.features import Frozen, frozen
from training.evaluation.inference import Model, model_of
from training.evaluation.prediction import row_of, said_of
from training.portable import export
from training.running.hardware import device_of

Image: TypeAlias = "str | Path | nib.Nifti1Image"
"""A NIfTI file, or nibabel's image of one."""


@dataclass(frozen=True)
class OpenModel:
    """A model, ready to be asked.

    Attributes:
        checkpoint: what was read: manifest, configuration, metrics, weights.
        model: a fine-tuned model, or the encoder of a pre-trained one.
    """

    checkpoint: Checkpoint
    model: Model | Frozen

    def __repr__(self) -> str:
        """What a cell of a notebook shows: what it is, and none of its weights."""
        task = self.manifest.task or "pre-trained"
        return f"<model {self.manifest.name}: {task}, {self.manifest.steps} steps on release {self.manifest.release}>"

    @property
    def manifest(self) -> CheckpointManifest:
        """Where it comes from and what covers it."""
        return self.checkpoint.manifest

    @property
    def network(self) -> nn.Module:
        """The network with its weights."""
        return self.model.network if isinstance(self.model, Model) else self.model.encoder

    @property
    def classes(self) -> dict[int, str]:
        """Meaning of each label value; empty of a model that makes no label map."""
        labels = isinstance(self.model, Model) and self.model.task.answer == "labels"
        return dict(self._finetuned().classes.names) if labels else {}

    def predict(self, image: Image) -> nib.Nifti1Image | Mapping[str, Any]:
        """What a fine-tuned model says of an image; of a 4D image the first step is used.

        Args:
            image: a NIfTI file, or nibabel's image.

        Returns:
            A label map or a restored image on the image's own voxel grid, or facts of the whole.

        Raises:
            ImagingError: if the image cannot be read.
            TrainingError: if there is no such file, the image has nothing to see in it, or the model is a pre-trained
                one, which says nothing.
        """
        content = _bytes_of(image)
        volume = nifti.read(content)
        said = said_of(self._finetuned(), volume)
        if said.voxels is None:
            return said.facts
        placed = on_source_grid(np.asarray(said.voxels), volume, content)
        return views.image(placed.array, {"affine": placed.affine.ravel()})

    def features(self, image: Image) -> NDArray[np.float32]:
        """(width,) what a pre-trained model's encoder makes of an image.

        Raises:
            ImagingError: if the image cannot be read.
            TrainingError: if there is no such file, or the model is a fine-tuned one.
        """
        if isinstance(self.model, Model):
            raise TrainingError(
                f"{self.manifest.name}: found a fine-tuned model, needed a pre-trained one; use predict"
            )
        volume: Volume = nifti.read(_bytes_of(image))
        return self.model.of(volume.array, row_of(volume))

    def export(self, path: str | Path) -> Path:
        """Write the network as a graph that runs without Larmor; see `training.portable.export`."""
        return export(self._finetuned(), self.manifest, Path(path))

    def _finetuned(self) -> Model:
        if isinstance(self.model, Model):
            return self.model
        raise TrainingError(
            f"{self.manifest.name}: found a pre-trained model, needed one that was fine-tuned for a task; "
            "use features, or larmor train RELEASE --task TASK"
        )


def opened(folder: str | Path, device: str = "auto") -> OpenModel:
    """The model of a checkpoint's folder; its digests are proved, and nothing of it is executed or unpickled.

    Args:
        folder: the folder, copied from wherever.
        device: cpu, cuda, or auto, which is the GPU where there is one.

    Raises:
        CheckpointError: if a file is missing, cut short or changed since it was written.
        TrainingError: if there is no such device.
    """
    checkpoint, place = load(Path(folder)), device_of(device)
    if checkpoint.manifest.kind == "finetuned":
        return OpenModel(checkpoint, model_of(checkpoint).on(place))
    encoder = frozen(checkpoint)
    encoder.encoder.to(place)
    return OpenModel(checkpoint, encoder)


def _bytes_of(image: Image) -> bytes:
    if isinstance(image, nib.Nifti1Image):
        return bytes(image.to_bytes())
    if not Path(image).is_file():
        raise TrainingError(
            "found no such file, needed a NIfTI image (.nii or .nii.gz), or nibabel's; of DICOM larmor predict takes a "
            "folder"
        )
    return Path(image).read_bytes()
