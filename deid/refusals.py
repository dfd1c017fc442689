"""A file that may not pass, and why; never what it holds.

Belongs here: the exception that carries a typed reason from any depth of this room to whoever quarantines.
"""

from schemas.reasons import Reason


class Refused(ValueError):
    """A file is held back.

    Attributes:
        reason: why, of the closed list; its `remedy` says what to do.
    """

    def __init__(self, reason: Reason) -> None:
        """Refuse for a reason of the closed list."""
        super().__init__(f"found a file to be held back ({reason.value}); {reason.remedy}")
        self.reason = reason

    def __reduce__(self) -> tuple[type["Refused"], tuple[Reason]]:
        """Pickle by reason, so that a worker process can hand it back."""
        return Refused, (self.reason,)
