"""GE's scans of both polarities of phase encoding in one series, whose reversed volumes are stored upside down.

Belongs here: which steps those are, and taking the polarities apart. The sequence `epi_pepolar` writes the same
position and orientation into every image, though rows of the reversed polarity come in the other order; user variable
12 says in which order polarities come. Turning rows over is `imaging.volumes.normalize`.

Source: dcm2niix, notes on GE, and what it makes of such series; neurolabusc/dcm_qa_polar.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imaging.headers.diffusion import GE_ACQUISITION, PrivateElements
from imaging.headers.values import Values

if TYPE_CHECKING:
    from imaging.volumes.series import VolumePlan

FORWARD, REVERSED, REVERSED_FIRST, FORWARD_FIRST = range(4)
"""Values of user variable 12."""

PEPOLAR_PRIVATE: Mapping[int, frozenset[int]] = {0x0019: frozenset({0x9C, 0xB3})}
"""Low bytes of the private elements that are read, by group: name of the pulse sequence, user variable 12."""

_TURNED = {"j": "j-", "j-": "j"}


def pepolar(values: Values, private: PrivateElements) -> int:
    """In which order polarities come; `FORWARD` of every scan that is not made with that sequence.

    Raises:
        ImagingError: HEADER_INVALID where the variable is no whole number.
    """
    if b"epi_pepolar" not in values.raw(private.tag(GE_ACQUISITION, 0x9C)).lower():
        return FORWARD
    mode = values.integer(private.tag(GE_ACQUISITION, 0xB3))
    return mode if mode in (REVERSED, REVERSED_FIRST, FORWARD_FIRST) else FORWARD


def by_polarity(plan: "VolumePlan", mode: int) -> list["VolumePlan"]:
    """The forward and the reversed steps of a volume, each as one; the volume alone where all are forward."""
    if mode == FORWARD:
        return [plan]
    steps = np.arange(len(plan.instances))
    reversed_ = np.ones(len(steps), bool) if mode == REVERSED else steps % 2 == (mode == FORWARD_FIRST)
    parts = [(_of_steps(plan, steps[reversed_ == turned]), turned) for turned in (False, True)]
    return [_turned(part) if turned else part for part, turned in parts if len(part.instances)]


def _of_steps(plan: "VolumePlan", steps: NDArray[np.int64]) -> "VolumePlan":
    several = len(steps) > 1
    return replace(
        plan,
        instances=plan.instances[steps],
        frames=plan.frames[steps],
        slopes=plan.slopes[steps],
        intercepts=plan.intercepts[steps],
        bvals=None if plan.bvals is None else plan.bvals[steps],
        gradients=None if plan.gradients is None else plan.gradients[steps],
        times=plan.times[steps] - plan.times[steps[0]] if plan.times is not None and several else None,
        kind=plan.kind if several else "static",
        acquisition=plan.acquisition.of_steps(steps),
    )


def _turned(plan: "VolumePlan") -> "VolumePlan":
    stated = plan.acquisition.phase_encoding or ""
    acquisition = replace(plan.acquisition, phase_encoding=_TURNED.get(stated, plan.acquisition.phase_encoding))
    return replace(plan, upside_down=True, acquisition=acquisition)
