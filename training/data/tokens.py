"""From a window of a volume to tokens at its own resolution, and from many windows to one packed batch.

Belongs here: patch shapes, which tokens exist, where they are, and packing. Reading and normalizing the window is
`training.data.volume`, what becomes of the tokens is `training.networks.vit`. Axes are the volume's (x, y, z,
canonical), positions are millimetres along them from the window's centre.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

Shape = tuple[int, int, int]
Positions = NDArray[np.float32]

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


def grid_of(shape: Sequence[int], patch: Shape) -> Shape:
    """Tokens along each axis of a window of `shape` voxels, the last ones maybe cut by its border."""
    x, y, z = (-(-n // p) for n, p in zip(shape, patch, strict=True))
    return x, y, z


def along(values: NDArray[Any], patch: int) -> NDArray[np.int64]:
    """(g,) sums of the values that each token holds along one axis.

    Args:
        values: (n,) a value a voxel.
        patch: voxels of a token along the axis.
    """
    return np.add.reduceat(values, np.arange(0, len(values), patch), dtype=np.int64)


def inside(shape: Sequence[int], patch: Shape) -> NDArray[np.int64]:
    """(gx, gy, gz) voxels that each token of a window has inside it."""
    return outer(*(along(np.ones(n, np.int64), p) for n, p in zip(shape, patch, strict=True)))


def outer(x: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> NDArray[Any]:
    """(x, y, z) products of three vectors."""
    product: NDArray[Any] = x[:, None, None] * y[:, None] * z
    return product


def counted(mask: NDArray[np.bool_], patch: Shape) -> NDArray[np.int64]:
    """(gx, gy, gz) voxels of each token that are set in an (x, y, z) mask."""
    grid = grid_of(mask.shape, patch)
    padding = [(0, g * p - n) for g, p, n in zip(grid, patch, mask.shape, strict=True)]
    mask = np.pad(mask, padding) if np.any(padding) else np.ascontiguousarray(mask)
    (a, b, c), (x, y, z) = grid, patch
    # axis by axis in the smallest type that holds the sum: twenty times faster than the sum over three axes
    planes = mask.view(np.uint8).reshape(a, x, -1).sum(1, dtype=np.uint8 if x < 256 else np.uint32)
    rows = planes.reshape(a, b, y, c * z).sum(2, dtype=np.uint32)
    return rows.reshape(a, b, c, z).sum(3, dtype=np.int64)


def existing(within: NDArray[np.int64], measured: NDArray[np.int64], tissue: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which tokens of a window exist.

    Args:
        within: (gx, gy, gz) voxels of each token inside the window.
        measured: those of them that were measured.
        tissue: those of them that were measured and are tissue.

    Returns:
        (n, 3) places of the tokens with at least half of their voxels measured, and with tissue; where no token has
        tissue, of all measured ones, so that a window with a measured voxel is never empty.
    """
    present = (measured > 0) & (2 * measured >= within)
    kept = present & (tissue >= TISSUE_SHARE * within)
    return np.argwhere(next((found for found in (kept, present) if found.any()), measured > 0))


def centres(index: NDArray[np.int64], shape: Sequence[int], patch: Shape, spacing: Sequence[float]) -> Positions:
    """(n, 3) centres of tokens in mm from the window's centre."""
    voxels = (index + 0.5) * np.asarray(patch) - 0.5 * np.asarray(shape)
    return (voxels * np.asarray(spacing[:3])).astype(np.float32)


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
        The tokens that `existing` says.
    """
    shape = values.shape
    index = existing(inside(shape, patch), counted(valid, patch), counted(tissue & valid, patch))
    place = torch.from_numpy(np.insert(index, 0, 0, 1))
    cut, measured = patches(torch.from_numpy(values)[None], torch.from_numpy(valid)[None], place, patch)
    return Tokens(cut.numpy(), measured.numpy(), centres(index, shape, patch, spacing), index, grid_of(shape, patch))


def patches(values: Tensor, valid: Tensor, place: Tensor, patch: Shape) -> tuple[Tensor, Tensor]:
    """Cut tokens out of windows of one shape.

    Args:
        values: (N, x, y, z) intensities; what is not valid may hold anything.
        valid: (N, x, y, z) voxels that were measured.
        place: (n, 4) window and place in its token grid.
        patch: voxels of a token.

    Returns:
        (n, px, py, pz) intensities, with the mean of a token's measured voxels in the others; (n, px, py, pz) voxels
        that were measured.
    """
    grid = grid_of(values.shape[1:], patch)
    padding = [
        n for size, g, p in zip(values.shape[:0:-1], grid[::-1], patch[::-1], strict=True) for n in (0, g * p - size)
    ]

    def cut(windows: Tensor) -> Tensor:
        padded = F.pad(windows, padding) if any(padding) else windows
        (a, b, c), (x, y, z) = grid, patch
        blocks = padded.reshape(-1, a, x, b, y, c, z).permute(0, 1, 3, 5, 2, 4, 6)
        return blocks[tuple(place.unbind(1))]

    measured = cut(valid)
    found = torch.where(measured, cut(values), 0)
    mean = found.sum((1, 2, 3), keepdim=True) / measured.sum((1, 2, 3), keepdim=True).clamp_min(1)
    return torch.where(measured, found, mean), measured


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


class Placed(Protocol):
    """Tokens whose places are known; `Tokens` and `training.data.plan.Plan` are such."""

    @property
    def index(self) -> NDArray[np.int64]:
        """(n, 3) place in the token grid."""

    @property
    def positions(self) -> NDArray[np.float32]:
        """(n, 3) centres in mm."""

    @property
    def grid(self) -> Shape:
        """Tokens along each axis."""


Extras = Sequence[Mapping[str, NDArray[np.generic]]]


def pack(windows: Sequence[Tokens], keys: Sequence[Key] = (), extras: Extras = ()) -> Packed:
    """Concatenate windows.

    Args:
        windows: tokens of each.
        keys: place of each in the training.
        extras: for each window, arrays with a row a token.

    Raises:
        ValueError: if there is no window, or one without tokens.
    """
    return replace(
        pack_plans(windows, keys, extras),
        patches=tuple(torch.from_numpy(window.patches) for window in windows),
        valid=tuple(torch.from_numpy(window.valid) for window in windows),
    )


def pack_plans(windows: Sequence[Placed], keys: Sequence[Key] = (), extras: Extras = ()) -> Packed:
    """As `pack`, of tokens whose patches are still to be cut."""
    lengths = tuple(len(window.index) for window in windows)
    if not lengths or min(lengths) == 0:
        raise ValueError("found a window without tokens, needed at least one; leave out volumes without voxels")
    names = extras[0].keys() if extras else ()
    return Packed(
        patches=(),
        valid=(),
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
