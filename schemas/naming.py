"""The names people give to things: deliveries, licences, releases, models.

Belongs here: what such a name may look like. They become folders, partition keys and table values, so they are narrow.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def checked_name(name: str) -> str:
    """The name, if it can be a folder, a partition key and a part of a URI on every system.

    Raises:
        ValueError: if it has other characters than lower-case letters, digits, dot, dash and underscore, starts with
            one of the latter three, or has more than 64 characters.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            "found a name with other characters, needed 1 to 64 of a-z, 0-9, '.', '-' and '_', the first a letter or "
            "digit; names are seen by everybody, so keep people's names and dates out of them"
        )
    return name


Name = Annotated[str, AfterValidator(checked_name)]
