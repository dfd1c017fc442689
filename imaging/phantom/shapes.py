"""Solids as signed distances: negative inside, millimetres from the surface, good near the surface.

Belongs here: primitives and how they combine. Which solids make a head or a knee is in the modules of those names.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float32]
"""(3, n) millimetres; axes first, because sums over them are then eight times as fast."""
Distance = NDArray[np.float32]
"""(n,) millimetres, negative inside."""


def rotation(x: float, y: float, z: float) -> NDArray[np.float64]:
    """(3, 3) rotation by angles in degrees about x, then y, then z."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in np.deg2rad((x, y, z)))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def ellipsoid(
    points: Points, centre: ArrayLike, radii: ArrayLike, turn: tuple[float, float, float] | None = None
) -> Distance:
    """Distance to an ellipsoid, to first order.

    Args:
        points: (3, n) mm.
        centre: (3,) mm.
        radii: (3,) semi-axes in mm.
        turn: angles of `rotation` that turn the axes.

    Source: first-order distance f/|grad f| with f = |p/r| - 1 scaled by |p/r|/|p/r^2| (Taubin, PAMI 13 (1991) 1115).
    """
    local = points - np.asarray(centre, dtype=np.float32)[:, None]
    if turn is not None:
        local = rotation(*turn).T.astype(np.float32) @ local
    inverse = 1 / np.asarray(radii, dtype=np.float32)[:, None]
    local *= inverse
    local *= local
    first = np.sqrt(local[0] + local[1] + local[2])
    local *= inverse * inverse
    second = np.sqrt(local[0] + local[1] + local[2]) + np.float32(1e-6)
    return np.asarray(first * (first - 1) / second, dtype=np.float32)


def capsule(
    points: Points, start: ArrayLike, end: ArrayLike, radius: float, end_radius: float | None = None
) -> Distance:
    """Distance to a rod with round ends from `start` to `end` (mm), tapering to `end_radius` where that is given."""
    a, b = np.asarray(start, dtype=np.float32), np.asarray(end, dtype=np.float32)
    axis = b - a
    local = points - a[:, None]
    along = np.clip((axis / np.dot(axis, axis)) @ local, 0, 1)
    local -= axis[:, None] * along
    local *= local
    taper = radius if end_radius is None else radius + (end_radius - radius) * along
    return np.asarray(np.sqrt(local[0] + local[1] + local[2]) - taper, dtype=np.float32)


def smooth_union(one: Distance, other: Distance, blend: float) -> Distance:
    """Union of two solids whose seam is rounded over `blend` mm (polynomial blend of degree two)."""
    share = np.clip(0.5 + 0.5 * (other - one) / blend, 0, 1)
    return np.asarray(other + (one - other) * share - blend * share * (1 - share), dtype=np.float32)


def union(*solids: Distance) -> Distance:
    """Union of solids."""
    return np.asarray(np.minimum.reduce(solids), dtype=np.float32)


def intersection(*solids: Distance) -> Distance:
    """What all solids share."""
    return np.asarray(np.maximum.reduce(solids), dtype=np.float32)


def shell(solid: Distance, thickness: float) -> Distance:
    """The outermost `thickness` mm of a solid."""
    return np.asarray(np.abs(solid + thickness / 2) - thickness / 2, dtype=np.float32)


def folded_sheet(points: Points, wavelength: float, phase: ArrayLike) -> Distance:
    """Distance to a folded sheet that fills space like the sulci of a cortex: the gyroid, never negative.

    Args:
        points: (3, n) mm.
        wavelength: period in mm.
        phase: (3,) radians.

    Source: A. H. Schoen, NASA TN D-5541 (1970); divided by its mean gradient on the sheet, 1.5 per radian.
    """
    turns = points * np.float32(2 * np.pi / wavelength) + np.asarray(phase, dtype=np.float32)[:, None]
    sine, cosine = np.sin(turns), np.cos(turns)
    value = sine[0] * cosine[1] + sine[1] * cosine[2] + sine[2] * cosine[0]
    return np.asarray(np.abs(value) * np.float32(wavelength / (2 * np.pi * 1.5)), dtype=np.float32)
