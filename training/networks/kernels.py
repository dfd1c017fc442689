"""Resizing of patch kernels and patches: the kernel adapts to the voxel grid, the volume is never resampled.

Belongs here: the linear algebra. Which voxel shape a patch has is `training.data.tokens`.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


# kept for good, so never as a tensor of a prediction, which no training may use
@lru_cache(maxsize=256)
@torch.inference_mode(mode=False)
def interpolation(source: int, target: int) -> Tensor:
    """(target, source) matrix of resampling along one axis, both grids over the same extent.

    A finer grid is interpolated linearly. On a coarser one each sample is the mean over its extent, as a thicker slice
    is, so that a constant stays constant and every source sample counts.
    """
    edges = torch.arange(target + 1, dtype=torch.float64) * source / target
    if target < source:
        cells = torch.arange(source, dtype=torch.float64)
        overlap = torch.minimum(edges[1:, None], cells + 1) - torch.maximum(edges[:-1, None], cells)
        weights = overlap.clamp_min(0)
    else:
        centres = (edges[:-1] + edges[1:]) / 2 - 0.5
        weights = (1 - (centres[:, None] - torch.arange(source, dtype=torch.float64)).abs()).clamp_min(0)
    return (weights / weights.sum(1, keepdim=True)).float()


@lru_cache(maxsize=256)
@torch.inference_mode(mode=False)
def pseudo_inverse(source: int, target: int) -> Tensor:
    """(target, source) matrix that resizes a kernel along one axis.

    With B the interpolation of patches from `source` to `target` samples, the kernel `pinv(B^T) w` answers to the
    patch `B x` as `w` answers to `x`: exactly where B is injective, with the least expected squared error for white
    patches elsewhere.

    Source: Beyer et al., FlexiViT: One Model for All Patch Sizes, CVPR 2023, section 3.4.
    """
    return torch.linalg.pinv(interpolation(source, target).double().T).float()


def resize_kernel(kernel: Tensor, shape: Sequence[int]) -> Tensor:
    """(..., x, y, z) kernel for patches of `shape` voxels; the same kernel where the shape is its own."""
    return _along_axes(kernel, [pseudo_inverse(s, t) for s, t in zip(kernel.shape[-3:], shape, strict=True)])


def resize_patch(patch: Tensor, shape: Sequence[int]) -> Tensor:
    """(..., x, y, z) patch interpolated to `shape` voxels."""
    return _along_axes(patch, [interpolation(s, t) for s, t in zip(patch.shape[-3:], shape, strict=True)])


def _along_axes(value: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    with torch.autocast(value.device.type, enabled=False):
        for axis, matrix in zip((-3, -2, -1), matrices, strict=True):
            if matrix.shape[0] != matrix.shape[1]:
                value = (value.movedim(axis, -1) @ matrix.to(value).T).movedim(-1, axis)
    return value
