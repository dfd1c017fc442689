"""What is known of a file without reading it.

Belongs here: that one fact, which folders and object stores tell alike.
"""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Found:
    """A file of a location.

    Attributes:
        name: its path below the location, with slashes.
        bytes: its size.
        changed: when it was last written, UTC.
    """

    name: str
    bytes: int
    changed: dt.datetime
