"""How a series was acquired, as numbers that a network can be told: contrast, timing, field, orientation.

Belongs here: which facts, from rows of `curated/volumes` and `curated/series` to a vector, and leaving some out at
random. What a network makes of them is `training.networks.conditions`.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "contrast": (
        "T1", "T2", "T2*", "PD", "FLAIR", "DWI", "ADC", "BOLD", "SWI", "MRA", "perfusion", "fieldmap", "localizer",
        "derived",
    ),
    "contrast_agent": ("none", "given"),
    "fat_suppression": ("none", "suppressed"),
    "part": ("magnitude", "phase", "real", "imaginary"),
    "plane": ("axial", "coronal", "sagittal", "oblique"),
    "dimensions": ("2D", "3D"),
}  # fmt: skip
"""Columns with a closed list of answers; another answer is one that is not known. Lists only ever grow at their end:
a checkpoint knows answers by their place."""

NUMBERS: tuple[str, ...] = ("echo_time", "repetition_time", "inversion_time", "flip_angle", "field_strength")
"""Columns with a positive number: ms, ms, ms, degrees, tesla."""

COLUMNS: tuple[str, ...] = (*CATEGORIES, *NUMBERS)
"""Order of the conditions in a vector."""

_ROW = Mapping[str, Any]


def conditions_of(volume: _ROW, series: _ROW | None = None) -> NDArray[np.float32]:
    """(C,) how a volume was acquired: the place of a category's answer, a number as it is, NaN where it is not known.

    Args:
        volume: row of `curated/volumes`; what it says counts before what its series says, since echoes of one series
            have times of their own.
        series: row of `curated/series`; None: only what the volume's row says is known.
    """
    rows = [volume, series or {}]
    answers = [_first(_category(row.get(name), known) for row in rows) for name, known in CATEGORIES.items()]
    numbers = [_first(_number(row.get(name)) for row in rows) for name in NUMBERS]
    return np.array([*answers, *numbers], dtype=np.float32)


def _first(values: Any) -> float:
    return next((value for value in values if not math.isnan(value)), math.nan)


def _category(answer: Any, known: tuple[str, ...]) -> float:
    return float(known.index(answer)) if answer in known else math.nan


def _number(value: Any) -> float:
    # scanners write 0 where a time does not apply, and a logarithm needs more than 0
    return float(value) if value is not None and math.isfinite(value) and value > 0 else math.nan


def forget(conditions: NDArray[np.float32], share: float, draw: np.random.Generator) -> NDArray[np.float32]:
    """Conditions with some made unknown, so that a network learns to do with what a hospital knows.

    Args:
        conditions: (C,) of a window.
        share: chance of each condition to be forgotten, and of all of them at once.
        draw: random numbers; as many are drawn whatever the share.
    """
    chances = draw.random(len(conditions) + 1)
    return np.where((chances[1:] < share) | (chances[0] < share), np.float32(np.nan), conditions)
