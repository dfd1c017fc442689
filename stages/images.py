"""A row of `curated/volumes` as a volume again, and a row of `curated/labels` as one.

Belongs here: the way back from columns to `imaging.volumes.volume.Volume`; the way there is `stages.volumes`.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from imaging.volumes.acquisition import Acquisition
from imaging.volumes.volume import Volume
from lake.voxels.volumes import Volumes


def image_of(volumes: Volumes, row: Mapping[str, Any]) -> Volume:
    """The volume of a row, voxels and all."""

    def listed(name: str, *shape: int) -> Any:
        return None if row[name] is None else np.array(row[name], dtype=np.float64).reshape(shape)

    return Volume(
        array=volumes.array(row["volume"]),
        affine=np.array(row["affine"], dtype=np.float64).reshape(4, 4),
        slope=row["slope"],
        intercept=row["intercept"],
        kind=row["kind"],
        part=row["part"],
        bvals=listed("bvals", -1),
        bvecs=listed("bvecs", -1, 3),
        times=listed("times", -1),
        missing_slices=tuple(row["missing_slices"]),
        missing_axis=row["missing_axis"],
        acquisition=_acquisition(row),
    )


def label_of(labels: Volumes, row: Mapping[str, Any]) -> Volume:
    """The label map of a row."""
    return Volume(labels.array(row["label"]), np.array(row["affine"], dtype=np.float64).reshape(4, 4))


def _acquisition(row: Mapping[str, Any]) -> Acquisition:
    known: dict[str, Any] = {f.name: row[f.name] for f in fields(Acquisition) if row.get(f.name) is not None}
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in known.items()}
    return Acquisition(**values)
