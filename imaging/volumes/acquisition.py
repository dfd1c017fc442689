"""How a volume was acquired: when each slice, in which direction phase was encoded, what each step shows.

Belongs here: the facts, and what becomes of them when axes are permuted and flipped. Where they come from is
`imaging.volumes.acquired`; nothing here knows DICOM. A fact that nothing states is None, never a guess.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imaging.volumes.geometry import Canonical

CHEMISTRY = {
    "water": frozenset({"WATER", "W", "DIXON_W", "DIXON_WATER", "WATER_ONLY"}),
    "fat": frozenset({"FAT", "F", "DIXON_F", "DIXON_FAT", "FAT_ONLY"}),
    "in-phase": frozenset({"IN_PHASE", "INPHASE", "IN PHASE", "IP", "DIXON_IP", "IN"}),
    "out-of-phase": frozenset(
        {"OUT_PHASE", "OPP_PHASE", "OUTPHASE", "OUT PHASE", "OUT_OF_PHASE", "OPPOSED_PHASE", "OP", "DIXON_OP", "OPP"}
        | {"OUT"}
    ),
    "fat-fraction": frozenset({"FAT_FRACTION", "FATFRACTION", "FAT FRACTION", "FATFRAC", "FF", "PDFF", "DIXON_FF"}),
}
"""Values of Image Type (0008,0008) or Frame Type (0008,9007) from the third on, as vendors spell them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """How a volume was acquired; None, or empty, where nothing states it.

    Attributes:
        slice_times: seconds from the volume's start of each slice along `slice_axis`, those of the first step.
        slice_axis: axis along which slices were stacked.
        phase_encoding: BIDS' PhaseEncodingDirection along the voxel axes: i, i-, j, j-, k or k-. None also where an
            axis is stated and its polarity is not, as Philips' and Canon's scanners do.
        readout_time: BIDS' TotalReadoutTime, s, of echo-planar scans.
        step_kinds: what each step of the fourth axis is: control, label, m0scan; or `inversion 100 ms` where steps
            differ in inversion time.
        chemistry: water, fat, in-phase, out-of-phase or fat-fraction.
        coil: element of the coil array that an uncombined image was received with.
        echo_time: ms.
        inversion_time: ms; None where steps differ.
        flip_angle: degrees.
        repetition_time: ms.
    """

    slice_times: tuple[float, ...] | None = None
    slice_axis: int = 2
    phase_encoding: str | None = None
    readout_time: float | None = None
    step_kinds: tuple[str, ...] | None = None
    chemistry: str | None = None
    coil: str | None = None
    echo_time: float | None = None
    inversion_time: float | None = None
    flip_angle: float | None = None
    repetition_time: float | None = None

    def of_steps(self, steps: NDArray[np.int64]) -> "Acquisition":
        """Of some steps of the volume alone."""
        kinds = self.step_kinds
        return replace(self, step_kinds=None if kinds is None else tuple(kinds[step] for step in steps))

    def along(self, moved: Canonical) -> "Acquisition":
        """The same along axes that were permuted and flipped."""
        axis, flipped = moved.axis(self.slice_axis), moved.flips[moved.axis(self.slice_axis)]
        times = self.slice_times[::-1] if self.slice_times and flipped else self.slice_times
        return replace(self, slice_times=times, slice_axis=axis, phase_encoding=_moved(self.phase_encoding, moved))


def _moved(direction: str | None, moved: Canonical) -> str | None:
    if direction is None:
        return None
    axis = moved.axis("ijk".index(direction[0]))
    return "ijk"[axis] + ("-" if direction.endswith("-") != moved.flips[axis] else "")
