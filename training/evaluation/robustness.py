"""Disturbances: what a worse scan of the same person would have given, made from the scan that there is.

Belongs here: changing stored voxels and their row, bringing a prediction back to the voxels that it is compared on, and
taking series out of a study. Intensities of the worse scan are measured anew, as the lake would have measured them.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.volumes.statistics import statistics
from imaging.volumes.volume import Volume
from training.config.evaluate import EvaluateConfig
from training.data.degradation import rician
from training.data.order import random
from training.data.volume import HIGH
from training.evaluation.people import Group

NOISE, SLICES, SERIES = 40, 41, 44
"""Streams of random numbers."""

Stored = NDArray[Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Disturbance:
    """One way in which a scan is worse.

    Attributes:
        kind: noise, thickness, missing slices or missing series.
        level: how much, as people read it.
        change: from (x, y, z[, t]) stored voxels and their row to those of the worse scan.
        back: from a prediction on the worse scan and the shape of the first to one on the first's voxels.
        remain: from the volumes of a study to those that are still there; none where it cannot be made so much worse.
    """

    kind: str
    level: str
    change: Callable[[Stored, Row], tuple[Stored, Row]]
    back: Callable[[NDArray[Any], Row], NDArray[Any]]
    remain: Callable[[Group], Group] = lambda group: group


def disturbances(config: EvaluateConfig, *, of_studies: bool = False) -> list[Disturbance]:
    """Those that a configuration names, in order.

    Args:
        config: names them.
        of_studies: whether studies are seen; missing series are no matter of a single volume.
    """
    asked, seed = config.robustness, config.seed
    noisy = [_noisy(level, seed) for level in asked.noise]
    thick = [_thick(count) for count in asked.thickness if count > 1]
    gaps = [_gaps(share, seed) for share in asked.missing_slices]
    return noisy + thick + gaps + ([_fewer(count, seed) for count in asked.missing_series] if of_studies else [])


def slice_axis(row: Row) -> int:
    """The axis along which slices were stacked; where nobody says, the one with the largest voxels."""
    if (axis := row.get("slice_axis")) is not None:
        return int(axis)
    spacing = [round(float(mm), 3) for mm in row["spacing"][:3]]
    return max(range(3), key=lambda i: (spacing[i], i))


def _noisy(level: float, seed: int) -> Disturbance:
    def change(stored: Stored, row: Row) -> tuple[Stored, Row]:
        values = stored.astype(np.float32) * np.float32(row["slope"]) + np.float32(row["intercept"])
        sigma = level * abs(float(row["percentiles"][HIGH]))
        noisy = rician(values, sigma, random(seed, NOISE, number_of(row)))
        return noisy, remeasured(noisy, {**row, "slope": 1.0, "intercept": 0.0, "dtype": "float32"})

    return Disturbance("noise", f"{level:g} of the 99th percentile", change, lambda found, _row: found)


def _thick(count: int) -> Disturbance:
    def change(stored: Stored, row: Row) -> tuple[Stored, Row]:
        axis = slice_axis(row)
        places = [range(start, min(start + count, stored.shape[axis])) for start in range(0, stored.shape[axis], count)]
        merged = np.stack([stored.take(list(p), axis).astype(np.float32).mean(axis) for p in places], axis)
        spacing, affine = list(row["spacing"]), np.array(row["affine"], dtype=np.float64).reshape(4, 4)
        spacing[axis] *= count
        affine[:3, 3] += affine[:3, axis] * (count - 1) / 2
        affine[:3, axis] *= count
        gone = set(row["missing_slices"] or ()) if int(row["missing_axis"]) == axis else set()
        missing = [i for i, p in enumerate(places) if set(p) <= gone] if gone else list(row["missing_slices"] or ())
        changed = {"spacing": spacing, "affine": affine.ravel().tolist(), "missing_slices": missing}
        return merged, remeasured(merged, {**row, **changed, "shape": list(merged.shape), "dtype": "float32"})

    def back(found: NDArray[Any], row: Row) -> NDArray[Any]:
        axis = slice_axis(row)
        return found.repeat(count, axis).take(range(int(row["shape"][axis])), axis)

    return Disturbance("thickness", f"{count} slices in one", change, back)


def _gaps(share: float, seed: int) -> Disturbance:
    def change(stored: Stored, row: Row) -> tuple[Stored, Row]:
        axis = slice_axis(row)
        gone = set(row["missing_slices"] or ()) if int(row["missing_axis"]) == axis else set()
        there = [i for i in range(stored.shape[axis]) if i not in gone]
        count = min(round(share * len(there)), len(there) - 1)
        lost = random(seed, SLICES, number_of(row)).permutation(len(there))[:count]
        gone |= {there[i] for i in lost}
        emptied = np.array(stored)
        np.moveaxis(emptied, axis, 0)[sorted(gone)] = 0
        return emptied, remeasured(emptied, {**row, "missing_slices": sorted(gone), "missing_axis": axis})

    return Disturbance("missing slices", f"{share:.0%} of the slices", change, lambda found, _row: found)


def _fewer(count: int, seed: int) -> Disturbance:
    def remain(group: Group) -> Group:
        series = sorted({member.series for member in group})
        if len(series) <= count:
            return ()
        order = random(seed, SERIES, zlib.crc32(group[0].study.encode())).permutation(len(series))
        lost = {series[place] for place in order[:count]}
        return tuple(member for member in group if member.series not in lost)

    level = f"{count} of each study"
    return Disturbance("missing series", level, lambda stored, row: (stored, row), lambda found, _row: found, remain)


def remeasured(stored: Stored, row: Row) -> Row:
    """The row with percentiles and occupancy of other voxels."""
    numbers = statistics(
        Volume(
            stored,
            np.array(row["affine"], dtype=np.float64).reshape(4, 4),
            float(row["slope"]),
            float(row["intercept"]),
            missing_slices=tuple(row["missing_slices"] or ()),
            missing_axis=int(row["missing_axis"]),
        )
    )
    return {**row, "percentiles": list(numbers.percentiles), "occupancy": numbers.occupancy}


def number_of(row: Row) -> int:
    """A number of a volume, so that its disturbance does not depend on which others are evaluated."""
    return zlib.crc32(str(row["volume"]).encode())
