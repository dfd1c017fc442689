"""What other libraries want of a volume: a torch tensor, nibabel's image, a box in millimetres.

Belongs here: changing the shape of what `lake.voxels.volumes` gives. Torch and nibabel are imported by the call that
needs them, so that whoever reads arrays waits for neither.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nibabel import Nifti1Image
    from torch import Tensor

__all__ = ["Nifti1Image", "Tensor", "image", "moved", "tensor", "window"]

_SCANNER = 1
"""NIfTI's code for scanner coordinates (nifti1.h, NIFTI_XFORM_SCANNER_ANAT)."""
_ROUNDING = 1e-6
"""Voxels by which a centre may miss a box through rounding alone."""


def tensor(array: NDArray[Any]) -> "Tensor":
    """An array as a tensor of the same type and axes."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def image(array: NDArray[Any], facts: Mapping[str, Any]) -> "Nifti1Image":
    """An array as an image that holds stored voxels and scales them when asked, as nibabel's images of files do.

    Args:
        array: stored voxels, 3 or 4 axes.
        facts: affine (16 numbers, RAS+ millimetres), and slope, intercept and times where there are any.
    """
    import nibabel as nib
    from nibabel.arrayproxy import ArrayProxy

    affine = np.array(facts["affine"], dtype=np.float64).reshape(4, 4)
    scaling = (facts.get("slope", 1.0), facts.get("intercept", 0.0))
    stored = ArrayProxy(io.BytesIO(array.tobytes("F")), (array.shape, array.dtype, 0, *scaling))
    made = nib.Nifti1Image(stored, affine, dtype=array.dtype)
    made.set_sform(affine, code=_SCANNER)
    made.set_qform(affine, code=_SCANNER)
    made.header.set_xyzt_units("mm", "sec")
    times = facts.get("times") or []
    if len(times) > 1:
        made.header["pixdim"][4] = times[-1] / (len(times) - 1)
    return made


def window(
    affine: NDArray[np.float64], shape: Sequence[int], centre_mm: Sequence[float], size_mm: Sequence[float]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The smallest window with every voxel whose centre lies in a box.

    Args:
        affine: (4, 4) from voxel index to RAS+ millimetres.
        shape: (3,) voxels of the volume.
        centre_mm: (3,) centre of the box, RAS+ millimetres.
        size_mm: (3,) edges of the box along right, anterior and superior.

    Returns:
        First voxel and number of voxels along each axis, inside the volume.

    Raises:
        ValueError: if the box is none, or lies beside the volume.
    """
    centre, size = np.asarray(centre_mm, np.float64), np.asarray(size_mm, np.float64)
    if centre.shape != (3,) or size.shape != (3,) or not np.isfinite([*centre, *size]).all() or (size <= 0).any():
        raise ValueError("found no box, needed three finite numbers of its centre and three edges above 0, in mm")
    signs = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, 8).T
    corners = (centre + signs * size - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    start = np.maximum(np.ceil(corners.min(axis=0) - _ROUNDING), 0).astype(int)
    stop = np.minimum(np.floor(corners.max(axis=0) + _ROUNDING) + 1, shape[:3]).astype(int)
    if (stop <= start).any():
        raise ValueError("found a box that holds no voxel's centre, needed one that meets the volume; see its affine")
    return tuple(start.tolist()), tuple((stop - start).tolist())


def moved(affine: NDArray[np.float64], start: Sequence[int]) -> NDArray[np.float64]:
    """(4, 4) of the window that begins at a voxel."""
    found = affine.copy()
    found[:3, 3] = affine[:3, :3] @ np.asarray(start, np.float64) + affine[:3, 3]
    return found
