"""Volumes as unlike as those of a hospital, for measurements of training: heads, knees, slabs, a spine.

Belongs here: what is measured on. What is measured is `benchmarks.tokens`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.heads import head
from imaging.phantom.acquire import acquire
from imaging.phantom.anatomy import body
from imaging.phantom.config import PhantomConfig
from imaging.phantom.scan import scans
from imaging.phantom.vocabulary import BodyPart, Vendor

BACKGROUND = 0.1
"""Share of the 99th percentile below which a voxel is air."""


AGE, FIELD_T = 50.0, 3.0
"""Years of a phantom, and strength of the magnet it lies in."""


@dataclass(frozen=True)
class Scan:
    """A volume.

    Attributes:
        values: (x, y, z) intensities, 1 at the 99th percentile.
        tissue: (x, y, z) voxels that are not air.
        spacing: voxel size in mm.
    """

    values: NDArray[np.float32]
    tissue: NDArray[np.bool_]
    spacing: tuple[float, float, float]

    @property
    def extent(self) -> tuple[float, float, float]:
        """Size along each axis in mm."""
        x, y, z = (n * mm for n, mm in zip(self.values.shape, self.spacing, strict=True))
        return x, y, z


def cohort() -> list[Scan]:
    """A 1 mm head, every series of a phantom head and of a phantom knee, thick slabs of a pelvis, a spine."""
    config = PhantomConfig("cohort", subjects=2, body_parts=(BodyPart.HEAD, BodyPart.KNEE), faults=False, matrix=128)
    found = [_scan(head(0), (1.0, 1.0, 1.0))]
    for ordinal in range(2):
        lying = body(config, ordinal, AGE)
        for number, series in enumerate(scans(config, ordinal, Vendor.SIEMENS, lying.part, FIELD_T)):
            noise = np.random.default_rng([ordinal, number])
            voxels = acquire(lying, series, FIELD_T, config.noise, noise).stored[0]
            found.append(_scan(voxels.transpose(2, 1, 0), series.grid.spacing))
    found.append(_scan(_ellipsoid((256, 192, 30), (1.0, 0.8, 0.9)), (1.0, 1.0, 6.0)))
    found.append(_scan(_ellipsoid((512, 512, 15), (0.35, 0.95, 0.9)), (0.5, 0.5, 4.0)))
    return found


def _scan(stored: NDArray[Any], spacing: tuple[float, float, float]) -> Scan:
    values = stored.astype(np.float32) / np.float32(np.percentile(stored, 99))
    return Scan(values, values > BACKGROUND, spacing)


def _ellipsoid(shape: tuple[int, int, int], radii: tuple[float, float, float]) -> NDArray[np.float32]:
    """A bright ellipsoid in Rician noise; its half axes are shares of the half edges."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij", sparse=True)
    inside = sum((axis / radius) ** 2 for axis, radius in zip(axes, radii, strict=True)) < 1
    real, imaginary = np.random.default_rng(shape).normal(0, 0.02, (2, *shape))
    return np.hypot(inside + real, imaginary).astype(np.float32)
