"""Tissues painted over each other: from solids to signal and to labels, with partial volume at the edges.

Belongs here: the painter's algorithm. What is painted is in `imaging.phantom.head` and `imaging.phantom.knee`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.shapes import Distance
from imaging.phantom.tissue import LABEL_OF, Tissue

HALF = 0.5
"""Part of a voxel from which on it is labelled as a tissue."""


@dataclass(frozen=True)
class Layer:
    """One tissue over what lies below it.

    Attributes:
        tissue: what is painted.
        where: (m,) indices of the points it touches.
        share: (m,) part of each of those points that it fills, 0 to 1.
    """

    tissue: Tissue
    where: NDArray[np.int64]
    share: NDArray[np.float32]


def paint(tissue: Tissue, distance: Distance, edge: float, within: NDArray[np.int64] | None = None) -> Layer:
    """A layer from a solid.

    Args:
        tissue: what to paint.
        distance: (n,) mm from the solid, negative inside.
        edge: width in mm over which a voxel holds both sides.
        within: (n,) indices of the points that `distance` speaks of; None: all points, in order.
    """
    share = np.clip(np.float32(0.5) - distance / np.float32(edge), 0, 1)
    touched = np.flatnonzero(share > 0)
    return Layer(tissue, touched if within is None else within[touched], share[touched])


def render(layers: Sequence[Layer], signal: NDArray[np.float64], points: int) -> NDArray[np.float32]:
    """(channels, points) signal of painted tissues; `signal` is (channels, tissues)."""
    strength = signal.astype(np.float32)
    image = np.repeat(strength[:, [Tissue.AIR]], points, axis=1)
    for layer in layers:
        below = image[:, layer.where]
        below += layer.share * (strength[:, [layer.tissue]] - below)
        image[:, layer.where] = below
    return image


def labels(layers: Sequence[Layer], points: int) -> NDArray[np.uint8]:
    """(points,) label of the topmost tissue that fills at least half of a point."""
    image = np.zeros(points, dtype=np.uint8)
    for layer in layers:
        image[layer.where[layer.share >= HALF]] = LABEL_OF[layer.tissue]
    return image
