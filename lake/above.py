"""What rooms above the lake do for whoever opened a release: they record accesses and show galleries.

Belongs here: finding them. The lake imports no room above it; an installation names in its package metadata, as entry
points of one group, what stands there.
"""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

GROUP = "larmor.lake"
"""Group of the entry points; see `pyproject.toml`."""


class NotInstalled(RuntimeError):
    """A room above is not there; the message says which and what to do."""


def found(name: str) -> Callable[..., Any]:
    """What an installation offers: `accessed` of `lineage.access`, or `look` of `orchestration.gallery.notebook`.

    Raises:
        NotInstalled: if it offers nothing under that name: no read goes without its record.
    """
    for point in entry_points(group=GROUP, name=name):
        offered: Callable[..., Any] = point.load()
        return offered
    raise NotInstalled(
        f"found no {name!r} among the entry points of {GROUP}, needed the whole of Larmor; install it anew with "
        "make setup, or pip install larmor"
    )
