"""What goes wrong with an image, as one exception that carries a quarantine reason.

Belongs here: the exception. Reasons and remedies are `schemas.reasons`. Messages say what was found and needed, and
never quote a value of a file.
"""

from schemas.reasons import Reason


class ImagingError(ValueError):
    """An image cannot be used as it is.

    Attributes:
        reason: why, of the closed list that quarantine uses.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep both arguments in `args`, so that the error survives the way back from a worker process."""
        super().__init__(reason, message)
        self.reason = reason

    def __str__(self) -> str:
        """The message alone."""
        return str(self.args[1])
