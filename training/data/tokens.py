"""From a window of a volume to tokens at its own resolution, and from many windows to one packed batch.

Belongs here: patch shapes, which tokens exist, where they are, and packing. Reading and normalizing the window is
`training.data.volume`, what becomes of the tokens is `training.networks.vit`. Axes are the volume's (x, y, z,
canonical), positions are millimetres along them from the window's centre.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Shape = tuple[int, int, int]
Scalar = TypeVar("Scalar", bound=np.generic)

TISSUE_SHARE = 0.02
"""A token with a smaller share of its voxels above the background holds noise, not tissue, and is dropped."""


class Key(NamedTuple):
    """Place of a sample in a training: every random number of the sample is a function of it and the seed."""

    step: int
    slot: int


@dataclass(frozen=True)
class Tokens:
    """The tokens of one window.

    Attributes:
        patches: (n, px, py, pz) intensities; what is not valid holds the mean of its patch.
        valid: (n, px, py, pz) voxels that were measured: inside the window, not in a missing slice, finite.
        positions: (n, 3) centres in mm from the window's centre.
        index: (n, 3) place in the token grid.
        grid: tokens along each axis, dropped ones counted.
    """

    patches: NDArray[np.float32]
    valid: NDArray[np.bool_]
    positions: NDArray[np.float32]
    index: NDArray[np.int64]
    grid: Shape

    @property
    def patch(self) -> Shape:
        """Voxels of a patch along each axis."""
        _, x, y, z = self.patches.shape
        return x, y, z


def choose_patch(spacing: Sequence[float], patch_mm: float, menu: Sequence[int]) -> Shape:
    """Voxels along each axis that come nearest to `patch_mm`, by ratio; of two equally near, the smaller.

    Args:
        spacing: voxel size along each axis in mm.
        patch_mm: edge to come near.
        menu: sizes to choose from.
    """
    x, y, z = (min(sorted(menu), key=lambda n: round(abs(np.log2(n * mm / patch_mm)), 6)) for mm in spacing[:3])
    return x, y, z


def tokenize(
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    tissue: NDArray[np.bool_],
    spacing: Sequence[float],
    patch: Shape,
) -> Tokens:
    """Cut a window into tokens; background and unmeasured ones are absent.

    Args:
        values: (x, y, z) normalized intensities.
        valid: (x, y, z) voxels that were measured.
        tissue: (x, y, z) voxels above the background.
        spacing: voxel size in mm.
        patch: voxels of a patch.

    Returns:
        Tokens with at least half of their voxels measured or all that the window's border leaves of them, and with
        tissue; where no token has tissue, all measured ones, so that a window is never empty.
    """
    shape = values.shape
    grid = tuple(-(-n // p) for n, p in zip(shape, patch, strict=True))
    padding = [(0, g * p - n) for g, p, n in zip(grid, patch, shape, strict=True)]
    inside = _patches(np.pad(np.ones(shape, np.bool_), padding), grid, patch)
    measured = _patches(np.pad(valid, padding), grid, patch)
    with_tissue = _patches(np.pad(tissue & valid, padding), grid, patch)
    count = measured.sum((1, 2, 3))
    present = (count > 0) & (count >= 0.5 * inside.sum((1, 2, 3)))
    kept = present & (with_tissue.sum((1, 2, 3)) >= TISSUE_SHARE * inside.sum((1, 2, 3)))
    kept = np.flatnonzero(kept if kept.any() else present)
    cut = _patches(np.pad(np.where(valid, values, 0), padding), grid, patch)[kept]
    measured = measured[kept]
    mean = (cut * measured).sum((1, 2, 3)) / np.maximum(count[kept], 1)
    cut = np.where(measured, cut, mean[:, None, None, None]).astype(np.float32)
    index = np.stack(np.unravel_index(kept, grid), 1).astype(np.int64)
    centres = (index + 0.5) * np.asarray(patch) - 0.5 * np.asarray(shape)
    positions = (centres * np.asarray(spacing[:3])).astype(np.float32)
    return Tokens(cut, measured, positions, index, (int(grid[0]), int(grid[1]), int(grid[2])))


def _patches(array: NDArray[Scalar], grid: Sequence[int], patch: Shape) -> NDArray[Scalar]:
    (a, b, c), (x, y, z) = grid, patch
    return array.reshape(a, x, b, y, c, z).transpose(0, 2, 4, 1, 3, 5).reshape(a * b * c, x, y, z)


@dataclass(frozen=True)
class Packed:
    """Windows concatenated along the tokens; no token is padding.

    Attributes:
        patches: for each window (n_i, px, py, pz); patch shapes may differ between windows.
        valid: for each window (n_i, px, py, pz).
        positions: (T, 3) mm.
        index: (T, 3) place in the window's token grid.
        grids: token grid of each window.
        offsets: (N + 1,) int32, where each window begins in T (`cu_seqlens`).
        lengths: tokens of each window, kept on the host so that no device has to be asked.
        keys: place of each window in the training.
        extras: (T, ...) tensors of the objective, packed alike.
    """

    patches: tuple[Tensor, ...]
    valid: tuple[Tensor, ...]
    positions: Tensor
    index: Tensor
    grids: tuple[Shape, ...]
    offsets: Tensor
    lengths: tuple[int, ...]
    keys: tuple[Key, ...] = ()
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    def take(self, places: Sequence[int]) -> "Packed":
        """Some of the windows, in the order of `places`."""
        lengths = tuple(self.lengths[i] for i in places)

        def some(tensor: Tensor) -> Tensor:
            parts = tensor.split(self.lengths)
            return torch.cat([parts[i] for i in places]) if places else tensor[:0]

        return replace(
            self,
            patches=tuple(self.patches[i] for i in places),
            valid=tuple(self.valid[i] for i in places),
            positions=some(self.positions),
            index=some(self.index),
            grids=tuple(self.grids[i] for i in places),
            offsets=_offsets(lengths).to(self.offsets.device),
            lengths=lengths,
            keys=tuple(self.keys[i] for i in places) if self.keys else (),
            extras={name: some(value) for name, value in self.extras.items()},
        )

    def select(self, kept: Tensor) -> "Packed":
        """The tokens where `kept`, (T,) bool, is true; windows stay, if shorter."""
        parts = kept.split(self.lengths)
        lengths = tuple(int(part.sum()) for part in parts)
        return replace(
            self,
            patches=tuple(p[k] for p, k in zip(self.patches, parts, strict=True)),
            valid=tuple(v[k] for v, k in zip(self.valid, parts, strict=True)),
            positions=self.positions[kept],
            index=self.index[kept],
            offsets=_offsets(lengths).to(self.offsets.device),
            lengths=lengths,
            extras={name: value[kept] for name, value in self.extras.items()},
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Packed":
        """The batch on another device."""
        return replace(
            self,
            patches=tuple(p.to(device, non_blocking=non_blocking) for p in self.patches),
            valid=tuple(v.to(device, non_blocking=non_blocking) for v in self.valid),
            positions=self.positions.to(device, non_blocking=non_blocking),
            index=self.index.to(device, non_blocking=non_blocking),
            offsets=self.offsets.to(device, non_blocking=non_blocking),
            extras={k: v.to(device, non_blocking=non_blocking) for k, v in self.extras.items()},
        )


def pack(
    windows: Sequence[Tokens],
    keys: Sequence[Key] = (),
    extras: Sequence[Mapping[str, NDArray[np.generic]]] = (),
) -> Packed:
    """Concatenate windows.

    Args:
        windows: tokens of each.
        keys: place of each in the training.
        extras: for each window, arrays with a row a token.

    Raises:
        ValueError: if there is no window, or one without tokens.
    """
    lengths = tuple(len(window.patches) for window in windows)
    if not lengths or min(lengths) == 0:
        raise ValueError("found a window without tokens, needed at least one; leave out volumes without voxels")
    names = extras[0].keys() if extras else ()
    return Packed(
        patches=tuple(torch.from_numpy(window.patches) for window in windows),
        valid=tuple(torch.from_numpy(window.valid) for window in windows),
        positions=torch.from_numpy(np.concatenate([window.positions for window in windows])),
        index=torch.from_numpy(np.concatenate([window.index for window in windows])),
        grids=tuple(window.grid for window in windows),
        offsets=_offsets(lengths),
        lengths=lengths,
        keys=tuple(keys),
        extras={name: torch.from_numpy(np.concatenate([extra[name] for extra in extras])) for name in names},
    )


def _offsets(lengths: Sequence[int]) -> Tensor:
    return torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
