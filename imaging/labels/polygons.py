"""Which voxel centres lie inside polygons.

Belongs here: plane geometry on a grid of integers. What the polygons outline is `imaging.labels.structures`.

The rule: a centre belongs to the area of a polygon if a ray from it crosses the polygon an odd number of times
(even-odd), or if it lies on an edge. Areas of several polygons on one slice combine by exclusive or, so a polygon
inside another one is a hole (DICOM PS3.3 C.8.8.6.3 allows both this and a keyhole, whose two touching edges cancel).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ON_EDGE = 1e-3
"""Distance in voxels, along a row or column, at which a centre lies on an edge: files round coordinates."""

AT_ONCE = 1 << 20
"""Crossings that are counted together: an edge may cross every line, and a polygon have any number of edges."""

Points = NDArray[np.float64]


def filled(polygons: Sequence[Points], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The centres inside polygons, which combine by exclusive or.

    Args:
        polygons: (n, 2) corners each, in voxels; the centre of voxel (i, j) is the point (i, j). Each is closed from
            its last corner to its first.
        shape: voxels along the two axes; what lies outside is cut off.

    Returns:
        `shape` booleans.
    """
    inside = np.zeros(shape, np.bool_)
    for polygon in polygons:
        inside ^= _area(polygon, shape)
    return inside


def _area(polygon: Points, shape: tuple[int, int]) -> NDArray[np.bool_]:
    before, edges = np.zeros((shape[0] + 1, shape[1]), np.int64), np.zeros(shape, np.bool_)
    starts, ends = polygon, np.roll(polygon, -1, axis=0)
    part = max(1, AT_ONCE // max(shape))
    for first in range(0, len(starts), part):
        _add(before, edges, starts[first : first + part], ends[first : first + part])
    # a centre is inside where the number of crossings before it is odd
    return (np.cumsum(before, axis=0)[:-1] & 1).astype(np.bool_) | edges


def _add(before: NDArray[np.int64], edges: NDArray[np.bool_], starts: Points, ends: Points) -> None:
    """Count the crossings of some edges of a polygon, and mark the centres that lie on them."""
    shape = edges.shape
    line, row = _crossings(starts, ends, shape[1])
    np.add.at(before, (np.clip(np.ceil(line), 0, shape[0]).astype(np.int64), row), 1)
    for one, other in ((0, 1), (1, 0)):
        # each edge is met once along rows and once along columns, so that flat and steep ones are both found
        place, at = _crossings(starts[:, [one, other]], ends[:, [one, other]], shape[other], closed=True)
        near = np.rint(place)
        on = (np.abs(place - near) <= ON_EDGE) & (near >= 0) & (near < shape[one])
        found = (near[on].astype(np.int64), at[on])
        edges[found if one == 0 else found[::-1]] = True


def _crossings(
    starts: Points, ends: Points, rows: int, *, closed: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Where edges cross the lines of whole second coordinate: first coordinate, and the line's number.

    A line through a corner is crossed by the edge that begins there going up, or ends there going down, and by no
    other, so that it is counted once where the polygon goes on and twice or never where it turns; `closed` counts
    both ends, for what lies on edges.
    """
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    slack = ON_EDGE if closed else 0.0
    first = np.maximum(np.ceil(low - slack), 0)
    last = np.minimum(np.floor(high + slack) if closed else np.ceil(high) - 1, rows - 1)
    count = np.maximum(last - first + 1, 0).astype(np.int64)
    edge = np.repeat(np.arange(len(starts)), count)
    row = np.arange(edge.size) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    rise = ends[edge, 1] - starts[edge, 1]
    flat = np.abs(rise) < np.finfo(np.float64).eps
    share = np.clip((row - starts[edge, 1]) / np.where(flat, 1.0, rise), 0.0, 1.0)
    return starts[edge, 0] + share * (ends[edge, 0] - starts[edge, 0]), row.astype(np.int64)
