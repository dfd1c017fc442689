"""Back from canonical axes to the axes of the file that an image came from.

Belongs here: undoing the permutation and flips of `imaging.nifti.nifti.read` for what was made on its voxels, such as a
label map, so that it fits the file voxel by voxel. Nothing is interpolated.
"""

from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from imaging.nifti.nifti import unpacked
from imaging.volumes.geometry import canonical
from imaging.volumes.volume import Volume

_NIFTI2_HEADER = (540).to_bytes(4, "little"), (540).to_bytes(4, "big")


def on_source_grid(array: NDArray[np.generic], volume: Volume, source: bytes) -> Volume:
    """A map on a volume's voxels, laid on the axes of the file that the volume was read from.

    Args:
        array: (x, y, z) on the grid of `volume`.
        volume: what `imaging.nifti.nifti.read` made of the file.
        source: the file's bytes, which `imaging.nifti.nifti.read` accepted.

    Returns:
        (i, j, k) on the file's grid, with its affine in RAS+ millimetres.

    Raises:
        ValueError: if the array is not on the volume's grid.
    """
    if array.shape != volume.shape[:3]:
        raise ValueError(f"found a map of shape {array.shape}, needed {volume.shape[:3]}, that of its volume")
    affine, shape = _grid(source)
    moved = canonical(affine, shape)
    steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in moved.flips)
    back = np.ascontiguousarray(array[steps].transpose(np.argsort(moved.permutation)))
    return Volume(back, volume.affine @ _from_source(moved.permutation, moved.flips, volume.shape))


def _grid(source: bytes) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    data = unpacked(source)
    kind: Any = nib.Nifti2Image if data[:4] in _NIFTI2_HEADER else nib.Nifti1Image  # nibabel carries no types here
    image = kind.from_bytes(data)
    return np.asarray(image.affine, dtype=np.float64), (*image.shape, 1, 1, 1)[:3]


def _from_source(
    permutation: tuple[int, int, int], flips: tuple[bool, bool, bool], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """(4, 4) from a voxel index of the file to the index on canonical axes."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for axis, (old, flip) in enumerate(zip(permutation, flips, strict=True)):
        matrix[axis, old] = -1.0 if flip else 1.0
        matrix[axis, 3] = shape[axis] - 1 if flip else 0.0
    return matrix
