"""What can be wrong with staging, said the same way whoever notices it."""


class StagingError(ValueError):
    """A release cannot be staged; the message says what is missing and what to do."""
