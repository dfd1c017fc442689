"""A disk without space, however a library says it.

Belongs here: its signs, and the one line that a person is told.
"""

DISK_FULL = (
    "found no space left on the disk, needed more; free some and run the same command again, what was committed is kept"
)

_SIGNS = ("No space left on device", "disk is full", "disk I/O error", "File too large", "Disk quota exceeded")
"""The system's words (ENOSPC, EFBIG, EDQUOT), and SQLite's, which keeps Dagster's record and often meets it first."""


def is_full(message: str) -> bool:
    """Whether an error's message says that there is no space left."""
    return any(sign in message for sign in _SIGNS)
