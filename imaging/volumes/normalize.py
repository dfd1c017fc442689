"""From planned slices to one volume in canonical axes: permuted, flipped, never interpolated.

Belongs here: putting pixels where the plan says, common rescaling, and carrying directions and missing slices into
the canonical axes. What goes where is decided by `imaging.volumes.series`.

Gradient directions: `Volume.bvecs[t]` are the components of the unit gradient direction along the volume's own x, y
and z voxel axes (a patient's RAS direction, projected on the three axis directions). An upright RAS+ volume of a
patient in line with the scanner thus has bvecs equal to RAS directions. FSL's `.bvec` for the same voxels has the first
component negated, because the affine of a canonical volume has a positive determinant (FSL, "What conventions do the
bvecs use?").
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.volumes.geometry import Canonical, canonical
from imaging.volumes.series import VolumePlan
from imaging.volumes.volume import Volume
from schemas.reasons import Reason

Stored = NDArray[np.generic]
Pixels = Callable[[int], Stored] | Sequence[Stored]


def assemble(plan: VolumePlan, pixels: Pixels) -> Volume:
    """Fill a planned volume with its pixels and bring it to RAS+ axes.

    Args:
        plan: which instance goes where.
        pixels: stored pixels of an instance, by its index, as `imaging.volumes.pixels.stored_pixels` gives them: a
            function (called once an instance, so it may decode on demand) or a sequence.

    Returns:
        The volume. Stored integers are those of the files where all slices share slope and intercept; otherwise they
        are rescaled slice by slice, to integers where that loses nothing and to float32 where it does, with slope 1
        and `rescaled` set. Missing slices are stored zeros and listed.

    Raises:
        ImagingError: PIXELS_INVALID where pixels have another shape than planned, or are not finite.
    """
    slopes, intercepts = plan.slopes[plan.instances >= 0], plan.intercepts[plan.instances >= 0]
    common = bool((slopes == slopes[0]).all() and (intercepts == intercepts[0]).all())
    steps, depth = plan.instances.shape
    moved = canonical(plan.affine, (plan.columns, plan.rows, depth))
    turned = [slice(None, None, -1 if moved.flips[moved.axis(axis)] else 1) for axis in (2, 1, 0)]
    stack = _filled(plan, pixels, turned)
    if not common:
        stack = _rescaled(stack, plan)
    voxels = stack.transpose(3, 2, 1, 0)
    array = moved.apply(voxels if steps > 1 else voxels[..., 0])
    if min(array.strides) < 0:
        array = array.copy(order="K")
    missing = sorted(moved.place(2, k) for k in plan.missing)
    return Volume(
        array=array,
        affine=moved.affine,
        slope=float(slopes[0]) if common else 1.0,
        intercept=float(intercepts[0]) if common else 0.0,
        kind=plan.kind,
        part=plan.part,
        bvals=plan.bvals,
        bvecs=None if plan.gradients is None else along_axes(plan.gradients, moved),
        times=plan.times,
        missing_slices=tuple(missing),
        missing_axis=moved.axis(2) if missing else 2,
        tilt=plan.tilt,
        gap=plan.gap,
        acquisition=plan.acquisition.along(moved),
        rescaled=not common,
    )


def along_axes(gradients: NDArray[np.float64], moved: Canonical) -> NDArray[np.float64]:
    """Directions in patient coordinates as components along the voxel axes of a canonical volume.

    Args:
        gradients: (t, 3) unit directions or zeros, LPS.
        moved: the canonical axes. A leaning stack's axes are replaced by the nearest perpendicular ones.

    Returns:
        (t, 3) unit directions or zeros.
    """
    axes = moved.affine[:3, :3] / np.linalg.norm(moved.affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(axes)
    return np.asarray(gradients * [-1.0, -1.0, 1.0] @ (left @ right)) + 0.0


def _filled(plan: VolumePlan, pixels: Pixels, turned: Sequence[slice]) -> Stored:
    """(steps, depth, rows, columns) stored pixels; zeros where no instance is.

    What is given is a view, turned as told along depth, rows and columns; turned back it lies without gaps in memory.
    So each slice is moved once, while the processor holds it.
    """
    fetch = pixels if callable(pixels) else pixels.__getitem__
    steps, depth = plan.instances.shape
    stack: Stored | None = None
    places = np.argwhere(plan.instances >= 0)
    current = -1
    held: Stored = np.empty(0)
    for step, place in places[np.argsort(plan.instances[plan.instances >= 0], kind="stable")]:
        instance = int(plan.instances[step, place])
        if instance != current:
            current, held = instance, fetch(instance)
        slice_ = held[plan.frames[step, place]] if held.ndim == 3 else held
        _require_shape(slice_, plan)
        if stack is None:
            stack = _room((steps, depth, plan.rows, plan.columns), slice_.dtype)[:, *turned]
        elif slice_.dtype != stack.dtype:
            stack = stack.astype(_common_type(stack.dtype, slice_.dtype), copy=False)
        stack[step, place] = slice_[::-1] if plan.upside_down else slice_
    if stack is None:
        raise ImagingError(Reason.PIXELS_INVALID, "found a volume without a single slice, needed at least one")
    return stack


def _room(shape: tuple[int, ...], kind: np.dtype[np.generic]) -> Stored:
    try:
        return np.zeros(shape, kind)
    except MemoryError:
        raise ImagingError(
            Reason.UNSUPPORTED, f"found a volume of shape {shape} and type {kind}, needed one that fits into memory"
        ) from None


def _require_shape(slice_: NDArray[Any], plan: VolumePlan) -> None:
    if slice_.shape != (plan.rows, plan.columns) or slice_.dtype.kind not in "iuf":
        raise ImagingError(
            Reason.PIXELS_INVALID,
            f"found pixels of shape {slice_.shape} and type {slice_.dtype}, needed "
            f"numbers of shape {(plan.rows, plan.columns)}",
        )
    if slice_.dtype.kind == "f" and not np.isfinite(slice_).all():
        raise ImagingError(Reason.PIXELS_INVALID, "found pixels that are not finite, needed finite ones")


def _common_type(one: np.dtype[np.generic], other: np.dtype[np.generic]) -> np.dtype[np.generic]:
    common = np.promote_types(one, other)
    if common.kind == "f" and (one.kind, other.kind) != ("f", "f"):
        raise ImagingError(Reason.UNSUPPORTED, f"found slices of types {one} and {other}, needed one integer type")
    return common


def _rescaled(stack: NDArray[Any], plan: VolumePlan) -> Stored:
    """Values of slices that came with different slopes or intercepts."""
    slopes, intercepts = plan.slopes[:, :, None, None], plan.intercepts[:, :, None, None]
    whole = bool((slopes == np.rint(slopes)).all() and (intercepts == np.rint(intercepts)).all())
    if stack.dtype.kind == "f" or not whole or _largest(stack, plan) > _EXACT:
        return _floating(stack, plan)
    exact = stack.astype(np.int64) * slopes.astype(np.int64) + intercepts.astype(np.int64)
    low, high = int(exact.min()), int(exact.max())
    for kind in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return exact.astype(kind)
    return exact.astype(np.float32)


_EXACT = 2.0**53
"""Integers up to this are exact as double precision, in which slopes are read, and are added without overflow."""


def _largest(stack: NDArray[Any], plan: VolumePlan) -> float:
    """No value is larger than this."""
    stored = max(abs(int(stack.min())), abs(int(stack.max())))
    return float(stored * np.abs(plan.slopes).max() + np.abs(plan.intercepts).max())


def _floating(stack: NDArray[Any], plan: VolumePlan) -> Stored:
    """Values in single precision, or in that of the pixels.

    Raises:
        ImagingError: PIXELS_INVALID where one is too large for it.
    """
    values = np.empty(stack.shape, stack.dtype if stack.dtype.kind == "f" else np.float32)
    with np.errstate(over="ignore"):
        for step, place in np.ndindex(plan.instances.shape):
            values[step, place] = stack[step, place] * plan.slopes[step, place] + plan.intercepts[step, place]
            if not np.isfinite(values[step, place]).all():
                raise ImagingError(
                    Reason.PIXELS_INVALID, f"found values that {values.dtype} cannot hold, needed finite ones"
                )
    return values
