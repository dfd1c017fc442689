"""Where the head is in a volume: air told from tissue, the outer surface, the cranium.

Belongs here: geometry on a coarse grid along the patient's axes, with no atlas and nothing learned. What of a head is a
face, and what becomes of it, is `deid.faces.faces`. Coordinates are RAS+ millimetres; those of a cranium are
millimetres in its own frame: u to the right, v to the front, w to the top, origin in its middle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

STEP_MM = 3.0
"""Step of the working grid: a nose is ten steps high, and a head of 256 slices takes a tenth of a second."""

AXES_MM = (78.0, 97.0, 88.0)
"""Half the width, length and height of an adult's cranium with its skin; also what is expected before looking."""

_AXES_SPREAD = 0.07
"""Relative standard deviation of those among adults, from small women to large men."""

_ANGLES_SPREAD = np.radians([7.0, 5.0, 5.0])
"""Standard deviation of nodding, tilting and turning of a head in a coil, in radians."""

_SURFACE_MM = 4.0
"""Distance from the ellipsoid at which a point of the skin counts as any other outlier: a cranium is no ellipsoid."""

_BLUR_MM = 2.4
"""Blur of the working grid: noise of an unaveraged voxel falls to a fifth, and skin of 4 mm stays."""

Points = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Coarse:
    """A volume on the working grid.

    Attributes:
        values: (x, y, z) float32, mean of the voxels near a grid point.
        inside: (x, y, z) whether the grid point lies in the field of view.
        origin: (3,) RAS mm of the first grid point; the grid runs along the patient's axes in steps of `STEP_MM`.
    """

    values: NDArray[np.float32]
    inside: Mask
    origin: Points

    def at(self, index: NDArray[np.int64]) -> Points:
        """(n, 3) RAS mm of (n, 3) grid points."""
        return np.asarray(self.origin + STEP_MM * index)


@dataclass(frozen=True)
class Cranium:
    """The ellipsoid that the skin over the brain case lies on.

    Attributes:
        centre: (3,) RAS mm.
        axes: (3,) half width, half length, half height in mm.
        turn: (3, 3) columns are the directions u, v, w in RAS axes.
        visible: share of it over the brain that lies in the field of view.
        matched: share of the visible with skin within 8 mm of the ellipsoid.
    """

    centre: Points
    axes: Points
    turn: Points
    visible: float
    matched: float

    @property
    def scale(self) -> float:
        """Size relative to the expected head."""
        return float(np.mean(self.axes / AXES_MM))

    def local(self, points: Points) -> Points:
        """(n, 3) RAS mm to the cranium's own frame."""
        return np.asarray((points - self.centre) @ self.turn)

    def outside(self, local: Points) -> Points:
        """(n,) mm by which points lie outside the ellipsoid along the ray from its middle; negative inside."""
        radius = np.linalg.norm(local, axis=-1)
        relative = np.linalg.norm(local / self.axes, axis=-1)
        return np.asarray(radius * (1 - 1 / np.maximum(relative, 1e-6)))


def coarse(volume: NDArray[np.generic], affine: NDArray[np.float64]) -> Coarse:
    """A volume on the working grid.

    Args:
        volume: (x, y, z) of any real type and spacing.
        affine: (4, 4) voxel index to RAS+ mm; may be oblique.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    factors = [max(1, int(STEP_MM // s)) for s in spacing]
    factors = [min(f, n) for f, n in zip(factors, volume.shape, strict=True)]
    blocks = _block_means(volume, factors)
    matrix = affine[:3, :3] * factors
    first = affine[:3, 3] + affine[:3, :3] @ ((np.array(factors) - 1) / 2)
    corners = np.array(list(np.ndindex(2, 2, 2))) * np.array(blocks.shape) - 0.5
    reach = corners @ matrix.T + first
    origin = reach.min(0) + STEP_MM / 2
    shape = tuple(np.maximum(1, np.ceil((reach.max(0) - origin) / STEP_MM)).astype(int))
    inverse = np.linalg.inv(matrix)
    step, offset = inverse * STEP_MM, inverse @ (origin - first)
    values = ndimage.affine_transform(blocks, step, offset, shape, order=1, mode="nearest")
    values = ndimage.gaussian_filter(values, _BLUR_MM / STEP_MM, mode="nearest")
    inside = np.ones(shape, dtype=bool)
    grids = np.ogrid[tuple(slice(n) for n in shape)]
    for axis, count in enumerate(blocks.shape):
        place = offset[axis] + sum(step[axis, k] * grids[k] for k in range(3))
        inside &= (place > -0.5) & (place < count - 0.5)
    return Coarse(values, inside, origin)


def _block_means(volume: NDArray[np.generic], factors: list[int]) -> NDArray[np.float32]:
    whole = [n // f * f for n, f in zip(volume.shape, factors, strict=True)]
    cut = volume[: whole[0], : whole[1], : whole[2]]
    total: NDArray[np.float32] | None = None
    for start in np.ndindex(*factors):
        part = cut[tuple(slice(s, None, f) for s, f in zip(start, factors, strict=True))]
        total = part.astype(np.float32) if total is None else np.add(total, part, out=total)
    assert total is not None, "there is at least one block"
    return np.asarray(np.nan_to_num(total / np.float32(np.prod(factors)), posinf=0.0, neginf=0.0), dtype=np.float32)


def air_limit(image: Coarse) -> tuple[float, float]:
    """The signal that tells a body from air, and how much clearer than that the body is.

    It lies above the noise of the air, or at a small share of the body's signal where the air was zeroed.

    Returns:
        Threshold, and the body's median signal relative to it, both over that of air; (inf, 0) where all is alike.
    """
    values = image.values[image.inside]
    if not values.size:
        return float("inf"), 0.0
    split = _otsu(values)
    low, high = values[values <= split], values[values > split]
    if not low.size or not high.size:
        return float("inf"), 0.0
    air, body = float(np.median(low)), float(np.median(high))
    spread = air - float(np.percentile(low, 15.9))  # below its median only: above it lie bone and dim skin
    threshold = min(air + max(5 * spread, 0.08 * (body - air)), (air + split) / 2 if spread else split)
    return threshold, (body - air) / max(threshold - air, 1e-6)


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold that splits values best in two classes: Otsu, IEEE Trans. SMC 9 (1979) 62-66."""
    low, high = np.percentile(values, [0.5, 99.0])
    if high <= low:
        return float(high)
    counts, edges = np.histogram(values, bins=128, range=(low, high))
    middle = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * middle)
    means = mass / np.maximum(below, 1), (mass[-1] - mass) / np.maximum(above, 1)
    return float(edges[1:][np.argmax(below * above * (means[0] - means[1]) ** 2)])


def solid(mask: Mask, inside: Mask) -> Mask:
    """The largest body of tissue with its hollows filled, also those that the field of view cuts open.

    Args:
        mask: tissue on the working grid.
        inside: the field of view.
    """
    opened = ndimage.binary_opening(mask, iterations=1)
    labels, count = ndimage.label(opened)
    if not count:
        return np.zeros_like(mask)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    body = ndimage.binary_dilation(largest, iterations=1, mask=mask)
    padded = np.pad(body, 3, mode="edge")
    body = ndimage.binary_closing(padded, ndimage.generate_binary_structure(3, 1), iterations=3)[3:-3, 3:-3, 3:-3]
    body |= mask & ndimage.binary_fill_holes(body)
    for axis in range(3):
        planes = np.moveaxis(body, axis, 0)
        for plane in planes:
            ndimage.binary_fill_holes(plane, output=plane)
    return np.asarray(body & inside)


def surface(body: Mask, inside: Mask) -> Mask:
    """The voxels of a body that touch air of the field of view."""
    return np.asarray(body & ndimage.binary_dilation(inside & ~body))


def cranium(image: Coarse, body: Mask) -> Cranium | None:
    """The ellipsoid of the brain case, or None where there is too little skin to fit one.

    Fitted to the skin above the brows and behind, which are not known before: so fit, choose the points again and
    repeat. What sticks out (nose, ears, neck) weighs little, and where little is seen the expected size decides.
    """
    index = np.argwhere(surface(body, image.inside))
    if len(index) < 150:
        return None
    points = image.at(index[:: max(1, len(index) // 1500)])
    guess = _first_guess(image, body, points)
    for _ in range(4):
        chosen = _over_brain(_local(guess, points))
        if chosen.sum() < 60:
            return None
        guess = _fitted(guess, points[chosen])
    found = Cranium(guess[:3], np.exp(guess[3:6]), _rotation(guess[6:]), 0.0, 0.0)
    return _judged(found, image, body)


def _first_guess(image: Coarse, body: Mask, points: Points) -> Points:
    middle = np.median(points, axis=0)
    top = points[:, 2].max()
    levels = np.flatnonzero(body.any((0, 1)))
    cut = image.inside[:, :, -1].any() and body[:, :, -1].sum() > 60
    if cut:
        # the vertex is out of view: the widest level lies near the middle
        widths = body.any(1).sum(0)
        middle[2] = image.origin[2] + STEP_MM * levels[np.argmax(widths[levels])]
    else:
        middle[2] = top - AXES_MM[2]
    high = points[points[:, 2] > middle[2]]
    if len(high):
        middle[:2] = (high[:, :2].min(0) + high[:, :2].max(0)) / 2
    return np.concatenate([middle, np.log(AXES_MM), np.zeros(3)])


def _over_brain(local: Points) -> Mask:
    """Points of the skin that lie over brain: above the brows in front, above the nape behind."""
    floor = np.interp(local[:, 1], [-60.0, 0.0, 50.0], [-30.0, -5.0, 20.0])
    return np.asarray(local[:, 2] > floor)


def _fitted(start: Points, points: Points) -> Points:
    weight = np.sqrt(60.0 / len(points)) / _SURFACE_MM
    expected = np.log(AXES_MM)

    def distances(guess: Points) -> Points:
        relative = np.linalg.norm(_local(guess, points) / np.exp(guess[3:6]), axis=1)
        radius = np.linalg.norm(points - guess[:3], axis=1)
        off = radius * (1 - 1 / np.maximum(relative, 1e-6)) / _SURFACE_MM
        robust = np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1))
        prior = np.concatenate([(guess[3:6] - expected) / _AXES_SPREAD, guess[6:] / _ANGLES_SPREAD])
        return np.concatenate([robust * (weight * _SURFACE_MM), prior])

    scales = [10.0] * 3 + [0.1] * 6
    return np.asarray(optimize.least_squares(distances, start, x_scale=scales, max_nfev=6, xtol=1e-3, ftol=1e-3).x)


def _local(guess: Points, points: Points) -> Points:
    return np.asarray((points - guess[:3]) @ _rotation(guess[6:]))


def _rotation(angles: Points) -> Points:
    """(3, 3) by angles about x (nod), y (tilt) and z (turn) in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    nod = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    tilt = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    yaw = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(yaw @ tilt @ nod)


def _judged(found: Cranium, image: Coarse, body: Mask) -> Cranium:
    """With how much of the brain case is seen, and how well it fits."""
    count = 900
    step = np.arange(count)
    height = 1 - 2 * (step + 0.5) / count
    around = step * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    ends = np.stack([ring * np.cos(around), ring * np.sin(around), height], axis=1) * found.axes
    ends = ends[_over_brain(ends)]

    def seen(further_mm: float, what: Mask) -> Mask:
        longer = ends * (1 + further_mm / np.linalg.norm(ends, axis=1, keepdims=True))
        index = np.rint((longer @ found.turn.T + found.centre - image.origin) / STEP_MM).astype(int)
        valid = ((index >= 0) & (index < what.shape)).all(1)
        return np.asarray(valid & what[tuple(np.clip(index, 0, np.array(what.shape) - 1).T)])

    visible = seen(8.0, image.inside) & seen(-8.0, image.inside)
    matched = visible & ~seen(8.0, body) & seen(-8.0, body)
    share = float(matched.sum() / max(visible.sum(), 1))
    return Cranium(found.centre, found.axes, found.turn, float(visible.mean()), share)
