"""What can be wrong with a table or a zone as a whole, said the same way whoever notices it."""


class NotLocal(ValueError):
    """A step needs a local folder, and the zone lies on S3; the message names the place."""


class TableOutdated(ValueError):
    """The table was made under an older contract; the message says what to do."""


class TableNewer(ValueError):
    """The table was made under a contract that this version of Larmor does not know yet."""


class TableMissing(FileNotFoundError):
    """The table has no commit yet, or not the version asked for; the message says what makes it."""
