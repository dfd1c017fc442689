"""Bent anatomy: rotations, scalings and smooth bending, the same for an image and for what is known of its voxels.

Belongs here: the geometry of augmentation. Intensities are varied elsewhere; which random numbers a sample gets is the
data set's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.data.tokens import Shape

ROTATION, SCALE, STRETCH, SHIFT = 0.15, 0.1, 0.07, 0.03
"""Standard deviations at strength 1: radians about each axis; the logarithm of the size, and of each axis beside it; a
share of the window's extent."""

BEND = 0.3
"""Most that a control point moves along an axis at strength 1, against the least distance of two: nothing folds."""

CONTROLS = 5
"""Control points of the bending along each axis of a window."""


@dataclass(frozen=True)
class Deformation:
    """Where each voxel of a window is read.

    Attributes:
        places: (x, y, z, 3) coordinates in voxels of the array that is read, its first voxel's centre at 0.
    """

    places: Tensor

    def intensities(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """(x, y, z) values between voxels, linearly; beyond the array those of its border."""
        found: NDArray[np.float32] = self._read(values, "bilinear", "border").numpy()
        return found

    def nearest(self, values: NDArray[Any], *, beyond: bool = True) -> NDArray[Any]:
        """(x, y, z) values of the nearest voxels.

        Args:
            values: labels, or a mask; whole numbers that a 32-bit float holds.
            beyond: whether what lies beyond the array has the value of its border, or 0.
        """
        found = self._read(values, "nearest", "border" if beyond else "zeros")
        return found.numpy().astype(values.dtype)

    def _read(self, values: NDArray[Any], mode: str, padding: str) -> Tensor:
        size = torch.tensor(values.shape, dtype=torch.float32)
        # grid_sample counts from -1 to 1 over the outer faces, and names the last axis first
        unit = ((2 * self.places + 1) / size - 1).flip(-1)
        volume = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
        return F.grid_sample(volume, unit[None], mode=mode, padding_mode=padding, align_corners=False)[0, 0]


def bent(
    shape: Shape, start: Sequence[int], spacing: Sequence[float], strength: float, draw: np.random.Generator
) -> Deformation:
    """A random deformation of a window about its centre.

    Args:
        shape: (3,) voxels of the window.
        start: (3,) its first voxel in the array that is read.
        spacing: (3,) voxel size in mm; shapes are bent in mm, so that thick slices are not torn.
        strength: 0 reads the window as it is, 1 is as strong as the constants above say.
        draw: random numbers.
    """
    size, extent = np.asarray(spacing[:3]), np.asarray(shape) * np.asarray(spacing[:3])
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in shape]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) * _tensor(size)
    places = places @ _tensor(_turned(strength, draw).T) + _tensor(draw.normal(0, SHIFT * strength, 3) * extent)
    places = places + _bending(shape, extent, strength, draw)
    centre = np.asarray(start) + (np.asarray(shape) - 1) / 2
    return Deformation(places / _tensor(size) + _tensor(centre))


def _turned(strength: float, draw: np.random.Generator) -> NDArray[np.float64]:
    """(3, 3) matrix of a rotation and a scaling."""
    scale = np.exp(draw.normal(0, SCALE * strength) + draw.normal(0, STRETCH * strength, 3))
    turned = np.diag(scale)
    for axis, angle in enumerate(draw.normal(0, ROTATION * strength, 3)):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turned = turn @ turned
    return turned


def _bending(shape: Shape, extent: NDArray[Any], strength: float, draw: np.random.Generator) -> Tensor:
    """(x, y, z, 3) displacements in mm, smooth between random ones at control points; of some samples more."""
    most = draw.uniform(0, BEND * strength) * extent.min() / (CONTROLS - 1)
    points = draw.uniform(-most, most, (1, 3, CONTROLS, CONTROLS, CONTROLS))
    field = F.interpolate(_tensor(points), shape, mode="trilinear", align_corners=True)[0]
    return field.permute(1, 2, 3, 0)


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
