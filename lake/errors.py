"""What can be wrong with a table or a zone as a whole, said the same way whoever notices it."""

RESTORE = "restore it from a copy of the lake (larmor doctor scrub, with LARMOR_MIRROR) or from a backup"
"""What to do about a file that is not whole."""


class NotLocal(ValueError):
    """A step needs a local folder, and the zone lies on S3; the message names the place."""


class TableOutdated(ValueError):
    """The table was made under an older contract; the message says what to do."""


class TableNewer(ValueError):
    """The table was made under a contract that this version of Larmor does not know yet."""


class TableDamaged(ValueError):
    """A file of the table's log is not whole; the message names it and what to do."""


class TableMissing(FileNotFoundError):
    """The table has no commit yet, or not the version asked for; the message says what makes it."""
