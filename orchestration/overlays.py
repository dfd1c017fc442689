"""A folder of label maps that were predicted for many volumes, to be laid over them.

Belongs here: names of its files and what its values mean. Predictions are made in `orchestration.predictions`, shown in
`orchestration.gallery`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

CLASSES = "classes.json"
"""Beside the label maps: the model and the meaning of each label value."""

_ENDINGS = (".nii.gz", ".nii")


def write_classes(folder: Path, model: str, digest: str, scheme: Mapping[int, str]) -> None:
    """Say in a folder which model made its label maps, and what their values mean.

    Args:
        folder: the folder.
        model: name of the model.
        digest: SHA-256 of its manifest, which names its exact state.
        scheme: meaning of each value.
    """
    said = {"model": model, "digest": digest, "classes": {str(value): name for value, name in scheme.items()}}
    (folder / CLASSES).write_text(json.dumps(said, indent=1, ensure_ascii=False), encoding="utf-8")


def over(folder: Path, volume: str) -> Path | None:
    """The label map of a volume; None: there is none."""
    return next((place for ending in _ENDINGS if (place := folder / f"{volume}{ending}").is_file()), None)


def scheme_of(label_map: Path) -> dict[str, str]:
    """Meaning of each value: as its folder says, else the values themselves.

    Raises:
        ImagingError: if nothing says it and the file cannot be read.
    """
    told = label_map.with_name(CLASSES)
    if told.is_file():
        return dict(json.loads(told.read_bytes())["classes"])
    import numpy as np

    from imaging.nifti import nifti

    return {str(value): f"value {value}" for value in np.unique(nifti.read(label_map.read_bytes()).array)}
