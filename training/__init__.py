"""What is learned: data, model, objectives, tasks, evaluation and inference.

Belongs here: from a frozen release to a checkpoint, its evaluation and its predictions. Does not belong here: DICOM,
Dagster, or the record of who was exposed (`lineage` keeps it; this room says exactly what was served).

Example:
    >>> import training  # doctest: +SKIP
    >>> model = training.open("larmor-data/models/brain-tiny-segmentation")  # doctest: +SKIP
    >>> labels = model.predict("image.nii.gz")  # doctest: +SKIP
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.opened import OpenModel

__all__ = ["open"]


def open(folder: str | Path, device: str = "auto") -> "OpenModel":
    """The model of a checkpoint's folder, wherever it was copied; needs no lake.

    Args:
        folder: the folder.
        device: cpu, cuda, or auto, which is the GPU where there is one.

    Raises:
        training.errors.CheckpointError: if a file is missing, cut short or changed since it was written.
        training.errors.TrainingError: if there is no such device.
    """
    from training.opened import opened

    return opened(folder, device)
