"""What every way of scoring a checkpoint gives.

Belongs here: the interface. Those of pre-trained checkpoints are `training.evaluation.pretrained`, those of tasks
`training.evaluation.finetuned`.
"""

from dataclasses import dataclass
from typing import Protocol

from training.evaluation.intervals import Scored
from training.evaluation.robustness import Disturbance


@dataclass(frozen=True)
class Picture:
    """A case to look at.

    Attributes:
        image: PNG as a data URI.
        caption: what it shows, without a name of a person, study or volume.
    """

    image: str
    caption: str


class Examiner(Protocol):
    """Scores one checkpoint on one split."""

    def scored(self, disturbance: Disturbance | None = None) -> Scored:
        """What it is worth on the scans as they are, or on worse ones of the same persons."""

    def picture(self, scored: Scored, place: int) -> Picture | None:
        """An item of what was scored, to be looked at; None where there is nothing to see."""
