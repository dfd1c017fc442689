"""Quality from step to step: stability of the signal, and motion.

Belongs here: measures of 4D volumes. Nothing is registered or resampled: motion is what a linear expansion of the mean
image explains of each step.
"""

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.volumes.volume import Volume

LEAST_STEPS = 5
"""Steps below which stability in time is not estimated."""

RADIUS_MM = 50.0
"""Distance from the centre at which a rotation counts as a displacement: about that of the cortex."""

BLOCK_MM = 6.0
"""Edge of the blocks whose means show motion: blocks reach further than voxels, and are less noisy."""

_VALUES = 1 << 20
"""Values that the stability in time is estimated from."""

_ROUNDS = 4
"""How often a step that moved far is put back by whole blocks and looked at again."""

_FAR = 0.6
"""Blocks from which a step is put back before it is looked at again."""

Floats = NDArray[np.floating[Any]]
Matrix = NDArray[np.float64]


def measures(array: NDArray[Any], reference: Floats, volume: Volume, cut: float) -> dict[str, Any]:
    """Every measure of steps, by the names of `imaging.quality.quality.Quality`.

    Args:
        array: (x, y, z, t) stored voxels of the steps to compare.
        reference: (x, y, z) their mean.
        volume: the volume they are from.
        cut: value above which a voxel is taken for the object.
    """
    if array.shape[3] < 2:
        return {}
    found: dict[str, Any] = {"motion": float(displacements(array, reference, volume.spacing).mean())}
    if volume.kind == "dynamic" and array.shape[3] >= LEAST_STEPS:
        series = _voxels(array, reference * volume.slope + volume.intercept > cut)
        if series.size:
            series = series * np.float32(volume.slope) + np.float32(volume.intercept)
            found |= {"tsnr": tsnr(series), "dvars": dvars(series), "outliers": outliers(series)}
    return found


def tsnr(series: Floats) -> float | None:
    """Median over voxels of mean over standard deviation in time.

    Args:
        series: (voxels, steps) values inside the object.

    Source: G. Krueger, G. Glover, Magnetic Resonance in Medicine 46:631, 2001; MRIQC `tsnr`.
    """
    deviation = series.std(axis=1, ddof=1)
    moving = deviation > 0
    return float(np.median(series[moving].mean(axis=1) / deviation[moving])) if moving.any() else None


def dvars(series: Floats) -> float | None:
    """Mean over steps of the root mean square change from one step to the next, over what noise alone would give.

    Args:
        series: (voxels, steps) values inside the object.

    Source: J. Power and others, NeuroImage 59:2142, 2012; standardized after T. Nichols, Notes on creating a
    standardized version of DVARS, 2013; MRIQC `dvars_std`.
    """
    centred = series - series.mean(axis=1, keepdims=True)
    variance = (centred**2).sum(axis=1)
    low, high = np.percentile(series, (25, 75), axis=1)
    usable = (variance > 0) & (high > low)
    if not usable.any():
        return None
    centred, robust = centred[usable], (high - low)[usable] / 1.349
    lag = (centred[:, 1:] * centred[:, :-1]).sum(axis=1) / variance[usable]
    expected = float((robust * np.sqrt(2 * (1 - lag))).mean())
    return float(np.diff(centred, axis=1).std(axis=0).mean()) / expected if expected > 0 else None


def outliers(series: Floats) -> float:
    """Mean over steps of the share of voxels that lie far from their median.

    Far is what noise alone would exceed in one of a thousand voxels at any step.

    Args:
        series: (voxels, steps) values inside the object.

    Source: R. Cox, AFNI `3dToutcount`; MRIQC `aor`.
    """
    away = np.abs(series - np.median(series, axis=1, keepdims=True))
    usual = np.median(away, axis=1, keepdims=True)
    far = NormalDist().inv_cdf(1 - 0.001 / series.shape[1]) * np.sqrt(np.pi / 2)
    return float(((away > far * usual) & (usual > 0)).mean())


def displacements(array: NDArray[Any], reference: Floats, spacing: tuple[float, float, float]) -> Matrix:
    """Framewise displacement: how far each step moved against the one before, in mm.

    Sum of the three shifts and of the three rotations, as arcs on a sphere of `RADIUS_MM`. Each step's shift and
    rotation is the least squares fit of the reference's first derivatives, with its brightness, to the step; steps that
    moved by more than half a block are put back by whole blocks and fitted again. Motion of many blocks, or within a
    step, is underestimated.

    Args:
        array: (x, y, z, t) stored voxels.
        reference: (x, y, z) their mean.
        spacing: voxel size along x, y, z in mm.

    Returns:
        (t - 1,) displacements.

    Source: J. Power and others, NeuroImage 59:2142, 2012; the linear expansion is that of K. Friston and others, Human
    Brain Mapping 3:165, 1995.
    """
    factors = [max(1, min(round(BLOCK_MM / edge), n // 4)) for edge, n in zip(spacing, array.shape[:3], strict=True)]
    steps = _blocks(array, factors)
    still = _blocks(reference[..., None], factors)[..., 0]
    edges = np.array(spacing) * factors
    moved = _motion(steps, still, edges)
    change = np.abs(np.diff(moved, axis=0))
    return np.asarray(change[:, :3].sum(axis=1) + RADIUS_MM * change[:, 3:].sum(axis=1))


def _motion(steps: Floats, still: Floats, edges: Matrix) -> Matrix:
    """(t, 6) shift in mm and rotation in radians of each step."""
    design = _design(still, edges)
    solve = np.linalg.pinv(design.T @ design, hermitian=True) @ design.T
    target = still.ravel()
    moved = np.zeros((steps.shape[3], 6))
    moved[:] = (solve @ (steps.reshape(-1, steps.shape[3]) - target[:, None]))[:6].T
    for step in np.flatnonzero((np.abs(moved[:, :3]) > _FAR * edges).any(axis=1)):
        for _ in range(_ROUNDS):
            whole = np.rint(moved[step, :3] / edges).astype(int)
            back = np.roll(steps[..., step], tuple(-whole), (0, 1, 2)).ravel() - target
            rest = (solve @ back)[:6]
            moved[step] = rest + np.append(whole * edges, np.zeros(3))
            if (np.abs(rest[:3]) <= _FAR * edges).all():
                break
    return moved


def _design(still: Floats, edges: Matrix) -> Matrix:
    """(blocks, 8) what a small shift or turn along each axis, and more brightness, add to an image."""
    slopes = [
        np.gradient(still, edge, axis=axis) if still.shape[axis] > 1 else np.zeros(still.shape)
        for axis, edge in enumerate(edges)
    ]
    x, y, z = np.meshgrid(
        *[(np.arange(n) - (n - 1) / 2) * edge for n, edge in zip(still.shape, edges, strict=True)], indexing="ij"
    )
    dx, dy, dz = slopes
    turns = [dy * z - dz * y, dz * x - dx * z, dx * y - dy * x]
    columns = [-dx, -dy, -dz, *turns, still, np.ones(still.shape)]
    return np.stack([np.asarray(c, np.float64).ravel() for c in columns], axis=1)


def _blocks(array: NDArray[Any], factors: list[int]) -> Floats:
    """Means of blocks of voxels; voxels at the end that fill no block are left out."""
    a, b, c = factors
    x, y, z = (n // f * f for n, f in zip(array.shape[:3], factors, strict=True))
    total = np.zeros((x // a, y // b, z // c, array.shape[3]), np.float32)
    for i in range(a):
        for j in range(b):
            for k in range(c):
                total += array[i:x:a, j:y:b, k:z:c]
    return np.nan_to_num(total / np.float32(a * b * c), posinf=0.0, neginf=0.0)


def _voxels(array: NDArray[Any], inside: NDArray[np.bool_]) -> Floats:
    """(voxels, steps) stored values of voxels of the object, spread evenly."""
    places = np.flatnonzero(inside)
    number = max(1, _VALUES // array.shape[3])
    chosen = np.unravel_index(places[:: max(1, -(-places.size // number))], inside.shape)
    return np.nan_to_num(array[chosen].astype(np.float32), posinf=0.0, neginf=0.0)
