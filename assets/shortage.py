"""What a machine lacks, however a library says it: space on the disk, files that a process may have open.

Belongs here: its signs, and the one line that a person is told.
"""

DISK_FULL = (
    "found no space left on the disk, needed more; free some and run the same command again, what was committed is kept"
)

TOO_FEW_FILES = (
    "found more files open than this machine allows a process, needed fewer or a higher limit; say ulimit -n 4096 in "
    "the shell (LimitNOFILE= of a service), then the same command again, what was committed is kept"
)

_SIGNS = {
    "No space left on device": DISK_FULL,
    "disk is full": DISK_FULL,
    "disk I/O error": DISK_FULL,
    "File too large": DISK_FULL,
    "Disk quota exceeded": DISK_FULL,
    "Too many open files": TOO_FEW_FILES,
}
"""The system's words (ENOSPC, EFBIG, EDQUOT, EMFILE), which an import that fails repeats, and SQLite's, which keeps
Dagster's record and often meets it first."""


def lacking(message: str) -> str | None:
    """What to tell a person of whom the machine lacks something, by an error's message; None: it says no such thing."""
    return next((told for sign, told in _SIGNS.items() if sign in message), None)
