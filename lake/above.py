"""What rooms above the lake do for whoever reads in it: they ask roles, record accesses and show galleries.

Belongs here: finding them, and the record of a read. The lake imports no room above it; an installation names in its
package metadata, as entry points of one group, what stands there.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lake.zones import Lake

GROUP = "larmor.lake"
"""Group of the entry points; see `pyproject.toml`."""


NOT_STATED = "not stated"
"""Purpose of a read for which nobody gave one."""


class NotInstalled(RuntimeError):
    """A room above is not there; the message says which and what to do."""


@cache  # an installation does not change under a process, and looking through its packages takes 50 ms
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


def recorded(lake: "Lake", what: str, rows: int, purpose: str | None = None, **facts: Any) -> None:
    """Record that somebody reads here, after the roles were asked; once for each opening, not for each crop.

    Args:
        lake: the lake.
        what: a table, `<zone>/<table>`, or a release.
        rows: how many rows or volumes.
        purpose: what for; None: `LARMOR_PURPOSE`, else that it was not stated.
        facts: more that the record says, for example `release` and `split`.

    Raises:
        NotInstalled: if nothing is there that records.
        lineage.terms.refusal.Refusal: if the installation has roles, and none gives the principal the zone.
    """
    found("accessed")(lake, "read", what, rows, purpose or lake.settings.purpose or NOT_STATED, **facts)
