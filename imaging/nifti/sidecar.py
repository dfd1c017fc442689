"""What the files beside a NIfTI image say of it: a BIDS sidecar, gradients, the order of ASL steps.

Belongs here: from their content to a complete volume, along its RAS+ axes. Only numbers and words of closed lists are
taken; free text never is. Numbers that a header holds as 32-bit floats are taken from the sidecar where both agree,
because an export of ours states them exactly. Finding the files is `stages.beside`, writing them `stages.sidecars`.
"""

import dataclasses
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imaging.errors import ImagingError
from imaging.nifti import nifti
from imaging.volumes.acquisition import CHEMISTRY, Acquisition
from imaging.volumes.geometry import Canonical
from imaging.volumes.volume import KINDS, PARTS, Volume
from schemas.reasons import Reason

_DIRECTION = re.compile(r"[ijk]-?")
_STEP = re.compile(r"control|label|m0scan|deltam|cbf|inversion \d{1,6}(\.\d{1,6})? ms")
_COIL = re.compile(r"[A-Za-z]{1,3}\d{1,2}")
_LARGEST_SECONDS = 1e6
_IDENTITY = ((0, 1, 2), (False, False, False))


@dataclass(frozen=True)
class Beside:
    """Content of the files beside an image.

    Attributes:
        facts: fields of its JSON sidecars, the nearest winning.
        bval: its `.bval` file.
        bvec: its `.bvec` file.
        context: its `aslcontext.tsv`.
        part: part of the complex image that its name states.
        functional: whether its name says that steps follow each other by the repetition time.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    bval: str | None = None
    bvec: str | None = None
    context: str | None = None
    part: str = "unknown"
    functional: bool = False


def read(source: bytes | Path, beside: Beside) -> Volume:
    """A NIfTI image with what the files beside it say.

    Args:
        source: the image's bytes, or where it is.
        beside: what lies beside it.

    Raises:
        ImagingError: as `imaging.nifti.nifti.read`, and HEADER_INVALID where the files beside it contradict the image.
    """
    volume, moved = nifti.opened(source)
    facts = beside.facts
    bvals, bvecs = _gradients(beside, volume, moved)
    missing = _missing(facts, moved)
    return dataclasses.replace(
        volume,
        affine=_affine(facts, volume, moved),
        slope=_exact(facts, "Slope", volume.slope),
        intercept=_exact(facts, "Intercept", volume.intercept),
        kind=_kind(facts, volume, bvals),
        part=_word(facts, "Part", PARTS) or beside.part,
        bvals=bvals,
        bvecs=bvecs,
        times=_times(beside, volume),
        missing_slices=missing,
        missing_axis=moved.axis(_axis(facts, "MissingSlicesAxis", 2)) if missing else 2,
        acquisition=_acquisition(beside, volume, moved).along(moved),
    )


def number(facts: Mapping[str, Any], name: str, low: float = 0.0, high: float = _LARGEST_SECONDS) -> float | None:
    """A finite number of a sidecar; None where it is absent, no number, or outside what such a fact can be."""
    value = facts.get(name)
    return float(value) if _is_number(value) and low <= value <= high else None


def milliseconds(facts: Mapping[str, Any], name: str) -> float | None:
    """A time that a sidecar states in seconds."""
    seconds = number(facts, name)
    # rounding to the nanosecond undoes what binary fractions add
    return round(seconds * 1000, 6) if seconds else None


def _word(facts: Mapping[str, Any], name: str, known: Sequence[str] | Mapping[str, Any]) -> str | None:
    value = facts.get(name)
    return value if isinstance(value, str) and value in known and value != "unknown" else None


def _numbers(facts: Mapping[str, Any], name: str, count: int) -> NDArray[np.float64] | None:
    """As many finite numbers as needed."""
    values = facts.get(name)
    if not isinstance(values, list) or len(values) != count:
        return None
    return np.array(values, dtype=np.float64) if all(map(_is_number, values)) else None


def _is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a finite number that a double can hold; JSON knows integers without end."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # false for NaN too


def _affine(facts: Mapping[str, Any], volume: Volume, moved: Canonical) -> NDArray[np.float64]:
    stated = _numbers(facts, "Affine", 16)
    if stated is None or (moved.permutation, moved.flips) != _IDENTITY:
        return volume.affine
    stated = stated.reshape(4, 4)
    return stated if _as_floats(stated) == _as_floats(volume.affine) else volume.affine


def _exact(facts: Mapping[str, Any], name: str, header: float) -> float:
    stated = number(facts, name, -math.inf, math.inf)
    return stated if stated is not None and _as_floats(stated) == _as_floats(header) else header


def _as_floats(numbers: ArrayLike) -> list[float]:
    """Numbers as a header of NIfTI-1 holds them."""
    with np.errstate(over="ignore"):
        return np.asarray(numbers, dtype=np.float64).astype(np.float32).ravel().tolist()


def _kind(facts: Mapping[str, Any], volume: Volume, bvals: NDArray[np.float64] | None) -> str:
    stated = _word(facts, "Kind", KINDS)
    if stated and (stated != "diffusion" or bvals is not None):
        return stated
    return "diffusion" if bvals is not None else volume.kind


def _gradients(
    beside: Beside, volume: Volume, moved: Canonical
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """b-values, and directions along the volume's axes.

    Source: FSL, "What conventions do the bvecs use?": along the file's voxel axes, the first against its index where
    the file's affine has a positive determinant.
    """
    bvals = None if beside.bval is None else _table(beside.bval, (1, volume.steps)).ravel()
    if beside.bvec is None or bvals is None:
        return bvals, None
    directions = _table(beside.bvec, (3, volume.steps)).T
    signs = np.where(moved.flips, -1.0, 1.0)
    parity = np.linalg.det(np.eye(3)[list(moved.permutation)]) * signs.prod()
    first = -1.0 if np.linalg.det(volume.affine[:3, :3]) * parity > 0 else 1.0
    # adding zero turns a negative zero into a zero
    return bvals, (directions * [first, 1.0, 1.0])[:, list(moved.permutation)] * signs + 0.0


def _table(text: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """A table of numbers; one that stands on its side is turned."""
    try:
        rows = [[float(item) for item in line.split()] for line in text.splitlines() if line.strip()]
    except ValueError:
        raise _contradiction("found gradients that are no numbers") from None
    if len({len(row) for row in rows}) == 1:
        table = np.array(rows)
        table = table.T if table.shape == shape[::-1] and table.shape != shape else table
        if table.shape == shape and np.isfinite(table).all():
            return table
    raise _contradiction("found other gradients than one for each step of the image")


def _times(beside: Beside, volume: Volume) -> NDArray[np.float64] | None:
    facts = beside.facts
    if volume.array.ndim == 3:
        return _numbers(facts, "Times", 1)
    stated = _numbers(facts, "Times", volume.steps)
    if stated is None and "Kind" not in facts:
        stated = _numbers(facts, "VolumeTiming", volume.steps)
        step = number(facts, "RepetitionTime") if beside.functional else None
        if stated is None:
            return np.arange(volume.steps, dtype=np.float64) * step if step else volume.times
    return stated


def _missing(facts: Mapping[str, Any], moved: Canonical) -> tuple[int, ...]:
    places, axis = facts.get("MissingSlices"), _axis(facts, "MissingSlicesAxis", 2)
    if not isinstance(places, list) or not all(isinstance(place, int) for place in places):
        return ()
    depth = moved.shape[moved.axis(axis)]
    return tuple(sorted({moved.place(axis, place) for place in places if 0 <= place < depth}))


def _axis(facts: Mapping[str, Any], name: str, default: int) -> int:
    value = facts.get(name)
    return "ijk".index(value[0]) if isinstance(value, str) and _DIRECTION.fullmatch(value) else default


def _acquisition(beside: Beside, volume: Volume, moved: Canonical) -> Acquisition:
    """How the image was acquired, along the axes of its file."""
    facts = beside.facts
    direction = facts.get("PhaseEncodingDirection")
    coil = facts.get("Coil")
    axis = _axis(facts, "SliceEncodingDirection", 2)
    return Acquisition(
        slice_times=_slice_times(facts, moved.shape[moved.axis(axis)]),
        slice_axis=axis,
        phase_encoding=direction if isinstance(direction, str) and _DIRECTION.fullmatch(direction) else None,
        readout_time=number(facts, "TotalReadoutTime"),
        step_kinds=_step_kinds(beside, volume.steps),
        chemistry=_word(facts, "Chemistry", CHEMISTRY),
        coil=coil if isinstance(coil, str) and _COIL.fullmatch(coil) else None,
        echo_time=milliseconds(facts, "EchoTime"),
        inversion_time=milliseconds(facts, "InversionTime"),
        flip_angle=number(facts, "FlipAngle", 0, 360),
        repetition_time=milliseconds(facts, "RepetitionTimeExcitation") or milliseconds(facts, "RepetitionTime"),
    )


def _slice_times(facts: Mapping[str, Any], depth: int) -> tuple[float, ...] | None:
    """Seconds of each slice, in the order of the file; a minus at the axis says that they are stated backwards."""
    times = _numbers(facts, "SliceTimes", depth)
    if times is None:
        times = _numbers(facts, "SliceTiming", depth)
    if times is None or (times < 0).any():
        return None
    backwards = str(facts.get("SliceEncodingDirection", "")).endswith("-")
    return tuple(float(time) for time in (times[::-1] if backwards else times))


def _step_kinds(beside: Beside, steps: int) -> tuple[str, ...] | None:
    kinds = beside.facts.get("StepKinds")
    if kinds is None and beside.context:
        kinds = beside.context.split("\n")[1:]
        kinds = [kind.strip() for kind in kinds if kind.strip()]
    if not isinstance(kinds, list) or len(kinds) != steps:
        return None
    known = all(isinstance(kind, str) and _STEP.fullmatch(kind) for kind in kinds)
    return tuple(kinds) if known else None


def _contradiction(found: str) -> ImagingError:
    return ImagingError(Reason.HEADER_INVALID, f"{found}, needed what fits it")
