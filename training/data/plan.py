"""The tokens that a window has, before any voxel is turned into a number.

Belongs here: which tokens exist and where, from what a volume's row says (so that memory can be planned) and from its
stored voxels. What tokens hold is cut in `training.data.tokens`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.tokens import Shape, along, centres, counted, existing, grid_of, inside, outer
from training.data.volume import BLOCK, Facts, Window, above
from training.errors import TrainingError

Slices = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]
"""For each axis which slices of a window were measured."""


@dataclass(frozen=True)
class Plan:
    """The tokens of a window without their voxels.

    Attributes:
        index: (n, 3) place in the token grid.
        positions: (n, 3) centres in mm from the window's centre.
        grid: tokens along each axis, dropped ones counted.
        patch: voxels of a token along each axis.
    """

    index: NDArray[np.int64]
    positions: NDArray[np.float32]
    grid: Shape
    patch: Shape

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.index)

    def take(self, places: NDArray[np.int64]) -> "Plan":
        """Some of the tokens."""
        return replace(self, index=self.index[places], positions=self.positions[places])

    def stretched(self, ratios: Sequence[float]) -> "Plan":
        """The tokens further apart, by a ratio along each axis."""
        return replace(self, positions=self.positions * np.asarray(ratios, np.float32))


@dataclass(frozen=True)
class Layout:
    """A window as tokens see it: its voxels' blocks and slices, mirrored where the window is.

    Attributes:
        shape: voxels along each axis.
        blocks: for each axis the occupancy block of each slice.
        slices: for each axis which slices were measured.
        spacing: voxel size in mm.
        patch: voxels of a token along each axis.
    """

    shape: Shape
    blocks: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    slices: Slices
    spacing: tuple[float, float, float]
    patch: Shape


def layout(
    facts: Facts, place: Window, patch: Shape, *, flip: bool = False, missing: tuple[float, float] = (0.0, 0.0)
) -> Layout:
    """How a window lies in its volume.

    Args:
        facts: the volume.
        place: the window.
        patch: voxels of a token.
        flip: whether it is mirrored along x.
        missing: share of its slices that are left out besides those that are missing, along the axis of the thickest,
            and where in what remains they begin.
    """
    x, y, z = ((np.arange(n) + s) // BLOCK for n, s in zip(place.shape, place.start, strict=True))
    measured = [np.ones(n, bool) for n in place.shape]
    axis = facts.missing_axis
    gone = np.array(facts.missing, np.int64) - place.start[axis]
    measured[axis][gone[(gone >= 0) & (gone < place.shape[axis])]] = False
    thickest = max(range(3), key=lambda k: (facts.spacing[k], k))
    run = min(round(missing[0] * place.shape[thickest]), place.shape[thickest] - 1)
    first = round(missing[1] * (place.shape[thickest] - run))
    measured[thickest][first : first + run] = False
    if flip:
        x, measured[0] = x[::-1], measured[0][::-1]
    return Layout(place.shape, (x, y, z), (measured[0], measured[1], measured[2]), facts.spacing, patch)


def planned(facts: Facts, window: Layout) -> Plan:
    """The tokens that a window may have, from the occupancy map and the missing slices alone.

    These are the tokens of `refined` and at most some at the rim of the tissue, where a block of the map holds some but
    a token of it too little.
    """
    parts = []
    for blocks, slices, patch in zip(window.blocks, window.slices, window.patch, strict=True):
        first = int(blocks.min())
        share = np.zeros((-(-len(blocks) // patch), int(blocks.max()) - first + 1))
        np.add.at(share, (np.arange(len(blocks)) // patch, blocks - first), slices)
        parts.append(share)
    low = [int(blocks.min()) for blocks in window.blocks]
    near = facts.occupancy[tuple(slice(a, a + part.shape[1]) for a, part in zip(low, parts, strict=True))]
    x, y, z = parts
    occupied = np.einsum("ai,bj,ck,ijk->abc", x, y, z, near.astype(np.float64), optimize=True)
    return _plan(window, _measured(window), occupied.round().astype(np.int64))


def refined(facts: Facts, window: Layout, stored: NDArray[Any]) -> Plan:
    """The tokens that a window has.

    Args:
        facts: its volume.
        window: how it lies in it.
        stored: (x, y, z) stored values of the window, mirrored where it is.

    Raises:
        TrainingError: if no voxel of it was measured.
    """
    tissue = above(stored, facts) & _occupied(facts, window)
    if all(slices.all() for slices in window.slices) and stored.dtype.kind != "f":
        return _plan(window, inside(window.shape, window.patch), counted(tissue, window.patch))
    valid = outer(*window.slices)
    if stored.dtype.kind != "f":
        return _plan(window, _measured(window), counted(tissue & valid, window.patch))
    valid = valid & np.isfinite(stored)
    return _plan(window, counted(valid, window.patch), counted(tissue & valid, window.patch))


def _measured(window: Layout) -> NDArray[np.int64]:
    return outer(*(along(slices, patch) for slices, patch in zip(window.slices, window.patch, strict=True)))


def _occupied(facts: Facts, window: Layout) -> NDArray[np.bool_]:
    x, y, z = window.blocks
    rows: NDArray[np.bool_] = facts.occupancy.take(z, 2).take(y, 1).take(x, 0)
    return rows


def _plan(window: Layout, measured: NDArray[np.int64], tissue: NDArray[np.int64]) -> Plan:
    index = existing(inside(window.shape, window.patch), measured, tissue)
    if not len(index):
        raise TrainingError(
            "found a window without a measured voxel, needed one; the volume's occupancy does not fit its voxels, "
            "materialize volumes of its delivery again"
        )
    positions = centres(index, window.shape, window.patch, window.spacing)
    return Plan(index, positions, grid_of(window.shape, window.patch), window.patch)
