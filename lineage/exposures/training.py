"""What is known of a checkpoint: its trainings and its parents, by the digests of sets and weights.

Belongs here: the words that the files of this room share.
"""

from dataclasses import dataclass

Name = tuple[str, str]
"""Model and digest of the weights."""


@dataclass(frozen=True, eq=False)
class Training:
    """What one training served.

    Attributes:
        via: model that was trained.
        release: release it was trained on.
        times: in how many epochs, one after the other, each set was served.
        sets: digest of each.
    """

    via: str
    release: str
    times: tuple[int, ...]
    sets: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint.

    Attributes:
        model: name of the model.
        weights: digest of its weights.
        parents: digests of the weights it came from: where it started, and what taught it.
        trainings: its own one; of older lakes also those of its ancestors, whose weights were not recorded with it.
    """

    model: str
    weights: str
    parents: tuple[str, ...]
    trainings: tuple[Training, ...]

    @property
    def name(self) -> Name:
        """What it is told by."""
        return self.model, self.weights
