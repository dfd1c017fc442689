"""Crops as networks take them: a channel in front, values in the unit of the scanner, the label map's same window.

Belongs here: what is made of a sample of `lake.voxels.dataset`. Which window a sample is, is said there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.voxels import views
from lake.voxels.dataset import Sample
from lake.voxels.volumes import Volumes


@dataclass(frozen=True)
class Scaled:
    """Turns samples of stored voxels into tensors; can be sent to other processes.

    Attributes:
        facts: volume to its row's slope, intercept and affine.
        labels: the label maps; None: none are served.
        label_of: volume to its label map.
        shape: voxels of a crop; None: whole volumes.
    """

    facts: Mapping[str, Mapping[str, Any]]
    labels: Volumes | None
    label_of: Mapping[str, str]
    shape: tuple[int, ...] | None

    @classmethod
    def of(
        cls,
        volumes: Volumes,
        ids: Sequence[str],
        labels: Volumes | None,
        label_of: Mapping[str, str],
        shape: tuple[int, ...] | None,
    ) -> "Scaled":
        """What is needed of the rows of some volumes, read once."""
        rows = volumes.rows(ids, ["slope", "intercept", "affine"])
        return cls(dict(zip(ids, rows, strict=True)), labels, label_of, shape)

    def __call__(self, sample: Sample) -> dict[str, Any]:
        """`image` (1, *shape) float32, `label` (1, *shape) int64 where served, `affine` (4, 4) float32, `volume`."""
        volume, facts = sample["volume"], self.facts[sample["volume"]]
        values = sample["voxels"] * np.float32(facts["slope"]) + np.float32(facts["intercept"])
        affine = views.moved(np.array(facts["affine"], np.float64).reshape(4, 4), sample["start"][:3])
        made = {
            "image": views.tensor(values[None].astype(np.float32)),
            "affine": views.tensor(affine.astype(np.float32)),
            "volume": volume,
        }
        if self.labels is not None:
            made["label"] = views.tensor(self._label(self.labels, sample)[None].astype(np.int64))
        return made

    def _label(self, labels: Volumes, sample: Sample) -> NDArray[Any]:
        """The label map's window of a sample: three axes whatever the image has."""
        label = self.label_of[sample["volume"]]
        if self.shape is None:
            return labels.array(label)
        window = labels.crop(label, sample["start"][:3].tolist(), self.shape[:3])
        full = np.zeros(self.shape[:3], window.dtype)
        full[tuple(slice(n) for n in window.shape)] = window
        return full
