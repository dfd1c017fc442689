"""The errors of this room. Each says what was found, what was needed and the remedy, and quotes no value of a file."""


class TrainingError(ValueError):
    """A training, evaluation or prediction cannot go on as asked."""


class CheckpointError(TrainingError):
    """A checkpoint is missing, incomplete, or not the one its manifest speaks of."""


class BusyError(TrainingError):
    """Another process trains in the same folder."""
