"""Who acts, and when: the two facts that every record of this room carries.

Belongs here: the principal's name and the clock. What the principal may do is a matter of terms and zones.
"""

import datetime as dt
import getpass
import os
import re

from lake.zones import Lake

_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+\\-]{0,127}")


class PrincipalError(ValueError):
    """The configured principal cannot be a name in the record."""


def principal(lake: Lake) -> str:
    """Who acts: `LARMOR_PRINCIPAL`, or the operating system's user.

    A run of Dagster that a proxy's user started opens its lake with that user as the principal (`assets.resources`).

    Raises:
        PrincipalError: if the name has characters that a user's name or address does not have, as the stamp of a run
            has whose user the proxy did not name.
    """
    name = lake.settings.principal or _system_user()
    if not _PRINCIPAL.fullmatch(name):
        raise PrincipalError(
            "found an unusable principal, needed a user's name or address; set LARMOR_PRINCIPAL, or start the run "
            "through the proxy that names its users"
        )
    return name


def now() -> str:
    """The time, UTC, RFC 3339 with microseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _system_user() -> str:
    # a container may run as a number that no user has
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
