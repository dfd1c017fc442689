"""Where the face is on a head: its relief seen from the front, the nose, and the tissue that shows it.

Belongs here: landmarks and regions in the frame of the cranium (`deid.faces.heads`). Judging, removing and measuring
are `deid.faces.faces`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from deid.faces.heads import STEP_MM, Coarse, Cranium, Mask, Points, air_limit, cranium, solid

FACE_HALF_WIDTH_MM = 54.0
FACE_HEIGHT_MM = 96.0
"""Of an adult's face from the root of the nose to the chin, and half between the temples."""

BROW_MM = 26.0
"""How far above the root of the nose the removal begins: brows and the lowest part of the forehead."""

NOSE_MM = 12.0
"""How far a midline must stand before the skin beside it to be a nose; a forehead or a kneecap does so by 4 to 9."""

UNSEEN_ROOT_MM = -40.0
"""Where the root of the nose is taken to be when no nose is seen: the lowest of heads, so that no brain is reached."""

SKULL_MM = 7.0
"""Depth below the ellipsoid of the cranium that is never reached over the brain; scalp and skull are 10 to 15 mm."""

EAR_MM = 3.0
"""Depth below the ellipsoid to which ears are taken; they stand off it."""

SCALP_MM = 8.0
"""Depth below the skin beyond which nothing is reached that may lie over the temporal lobes."""

BASE_MM = 8.0
"""How far below the root of the nose tissue is cut deeply: the floor of the frontal lobes lies no lower than it."""

UNSURE_MM = 40.0
"""How much lower that is when the brain case is not seen at all, in proportion to what is missing of its half."""

FRONT = 0.6
"""Share of the cranium's half length behind which nothing is cut deeply: the tips of the temporal lobes end at 0.5."""

SHELL_MM = 16.0
"""Depth of skin and flesh that is taken from cheeks, jaw and ears: more than the thickness of a nose or an ear."""

RAGGED_MM = 5.0
"""How far the cut wanders about its place, so that it repeats no outline of the face."""


@dataclass(frozen=True, eq=False)
class Head:
    """A head found in a volume.

    Attributes:
        image: the volume on the working grid.
        body: (x, y, z) of that grid, the head with its hollows filled.
        limit: signal that tells tissue from air.
        contrast: signal of the head over that.
        cranium: its brain case.
        relief: what is seen of it from the front.
        root: level w of the root of the nose in mm, None where no nose is seen.
    """

    image: Coarse
    body: Mask
    limit: float
    contrast: float
    cranium: Cranium
    relief: "Relief"
    root: float | None

    @property
    def level(self) -> float:
        """Level w of the root of the nose in mm, or the lowest that it can have."""
        return UNSEEN_ROOT_MM * self.cranium.scale if self.root is None else self.root


@dataclass(frozen=True, eq=False)
class Relief:
    """A head seen from the front, in the frame of its cranium.

    Attributes:
        u: (columns,) mm to the right.
        w: (rows,) mm to the top.
        front: (columns, rows) v in mm of the foremost tissue, NaN where there is none.
        skin: (columns, rows) whether air is seen in front of it, rather than the edge of the field of view.
    """

    u: Points
    w: Points
    front: Points
    skin: Mask


def find(image: Coarse) -> Head | None:
    """The head of a volume, or None where nothing is shaped like one."""
    limit, contrast = air_limit(image)
    body = solid(image.inside & (image.values > limit), image.inside)
    fitted = cranium(image, body) if body.any() else None
    if fitted is None:
        return None
    relief = seen_from_front(image, body, fitted)
    return Head(image, body, limit, contrast, fitted, relief, _root(relief, fitted.scale))


def seen_from_front(image: Coarse, body: Mask, fitted: Cranium) -> Relief:
    """The relief of a body, from brow to chin and wider."""
    u = np.arange(-60.0, 61.0, STEP_MM)
    v = np.arange(0.0, 160.0, STEP_MM / 2)
    w = np.arange(-150.0, 61.0, STEP_MM)
    grid = np.stack(np.meshgrid(u, v, w, indexing="ij"), axis=-1)
    index = np.moveaxis((grid @ fitted.turn.T + fitted.centre - image.origin) / STEP_MM, -1, 0)
    hit = ndimage.map_coordinates(body.astype(np.float32), index, order=1, cval=0.0) > 0.5
    view = ndimage.map_coordinates(image.inside.astype(np.float32), index, order=1, cval=0.0) > 0.5
    foremost = hit.shape[1] - 1 - hit[:, ::-1].argmax(1)
    front = np.where(hit.any(1), v[foremost], np.nan)
    before = np.minimum(foremost + 2, hit.shape[1] - 1)[:, None, :]
    return Relief(u, w, front, hit.any(1) & np.take_along_axis(view, before, axis=1)[:, 0])


def _root(relief: Relief, scale: float) -> float | None:
    """Level of the root of the nose: where, going up from the tip, the midline no longer stands before the cheeks."""
    beside = np.abs(relief.u)
    middle = _mean(relief.front[beside <= 6])
    excess = middle - _mean(relief.front[(beside >= 24) & (beside <= 36)])
    levels = np.flatnonzero((relief.w > -95 * scale) & (relief.w < 10 * scale) & np.isfinite(excess))
    if len(levels) < 5:
        return None
    smooth = np.convolve(np.pad(excess[levels], 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    tip = int(np.argmax(smooth))
    least = float(smooth[tip:].min())
    flat = np.flatnonzero(smooth[tip:] <= least + 0.35 * (smooth[tip] - least))
    if smooth[tip] < NOSE_MM or smooth[tip] - least < NOSE_MM / 2:
        return None
    return float(relief.w[levels[tip + flat[0]]] + 5 * scale)


def protrusion(relief: Relief, fitted: Cranium, level: float) -> float:
    """By how many mm the midline of a relief stands before the cranium's ellipsoid below the root of the nose."""
    front = _mean(relief.front[np.abs(relief.u) <= 9])
    high = (relief.w < level) & (relief.w > -0.85 * fitted.axes[2]) & np.isfinite(front)
    behind = fitted.axes[1] * np.sqrt(np.maximum(0, 1 - (relief.w / fitted.axes[2]) ** 2))
    return float((front - behind)[high].max(initial=0.0))


def _mean(rows: Points) -> Points:
    """Mean of the columns, NaN where a column has fewer than half its values."""
    known = np.isfinite(rows)
    total = np.where(known, rows, 0).sum(0)
    return np.where(known.sum(0) * 2 > len(rows), total / np.maximum(known.sum(0), 1), np.nan)


def face_of(relief: Relief, level: float, scale: float) -> Mask:
    """(columns, rows) the part of a relief that is the face, eyes to chin."""
    wide = np.abs(relief.u) <= FACE_HALF_WIDTH_MM * scale
    high = (relief.w <= level + 4 * scale) & (relief.w >= level - FACE_HEIGHT_MM * scale)
    return np.asarray(wide[:, None] & high[None, :])


def removal(head: Head, seed: int) -> Mask:
    """What to blank, on the working grid of a head.

    Over the brain only what lies outside the skull; below the floor of the frontal lobes all that is in front of the
    temporal lobes; on cheeks, jaw and ears a shell. All air in front is blanked with it, and every piece of tissue that
    is apart from the head, as a nose that wrapped around the field of view.

    Args:
        head: as found.
        seed: of the raggedness.
    """
    image, fitted, scale, level = head.image, head.cranium, head.cranium.scale, head.level
    index = np.argwhere(image.inside)
    local = fitted.local(image.at(index))
    u, v, w = local.T
    outside = fitted.outside(local)
    wander = _ragged(image.inside.shape, seed)[tuple(index.T)] * RAGGED_MM
    depth = _depth(head.body, image.inside)[tuple(index.T)]
    body = head.body[tuple(index.T)]
    tip = FRONT * fitted.axes[1]
    floor = level - (BASE_MM + UNSURE_MM * max(0.0, 0.5 - fitted.visible)) * scale
    deep = (v > tip + RAGGED_MM + wander) & (w < floor - RAGGED_MM + wander)
    above = w > floor
    over_brain = (outside < -SKULL_MM * min(scale, 1)) & ((v < tip) | above)
    over_brain &= (depth > SCALP_MM * min(scale, 1) - 1) | (outside < -SKULL_MM - 4)
    over_brain |= (outside < 4) & (depth > SCALP_MM * min(scale, 1)) & (w > -66 * scale) & ((v < tip) | above)
    top = level + BROW_MM * scale + wander - 0.35 * np.maximum(0, 0.8 * fitted.axes[1] - v)
    face = (w < top) & (v > 0.1 * fitted.axes[1])
    beside = (np.abs(u) > 0.72 * fitted.axes[0]) & (np.abs(v + 20 * scale) < 52 * scale)
    ears = beside & (np.abs(w + 36 * scale) < 50 * scale)
    shell = (face | (ears & (outside > -EAR_MM))) & (depth < SHELL_MM * scale + wander)
    air = ~body & ((v > 0) | ears)
    chosen = np.zeros(image.inside.shape, dtype=bool)
    chosen[tuple(index.T)] = (deep | shell | air) & ~over_brain
    return chosen | _apart(head)


def _depth(body: Mask, inside: Mask) -> Points:
    """Distance in mm to the nearest air of the field of view."""
    air = inside & ~body
    if not air.any():
        return np.full(body.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~air)) * STEP_MM


def _apart(head: Head) -> Mask:
    """Tissue that is not joined to the head, with its rim."""
    near = ndimage.binary_dilation(head.body, iterations=2)
    other = (head.image.values > head.limit) & head.image.inside & ~near
    pieces = ndimage.binary_opening(other, iterations=1)
    return np.asarray(ndimage.binary_dilation(pieces, iterations=3) & ~near)


def _ragged(shape: tuple[int, ...], seed: int) -> NDArray[np.float64]:
    """A smooth random field between about -1 and 1 that changes within 12 mm."""
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, 12.0 / STEP_MM / 2)
    return np.asarray(np.clip(smooth / max(float(smooth.std()), 1e-9) / 2, -1, 1), dtype=np.float64)
