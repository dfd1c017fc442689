"""How values look on a page, and how each leads to the row or the entry that it rests on.

Belongs here: filters of the templates. None of them looks into the lake.
"""

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from lineage.evidence.recorded import Entry, Record

_DIGEST_SHOWN = 12


class Cited:
    """Links to entries of the ledger, and the entries that were linked to, which the page shows at its end."""

    def __init__(self, record: Record) -> None:
        """Cite nothing yet."""
        self._record = record
        self._places: set[int] = set()

    def __call__(self, entry: Entry | int | None, text: object = None) -> Markup:
        """A link to an entry.

        Args:
            entry: the entry or its place; None gives plain text.
            text: what the link says; None: the place.
        """
        if entry is None:
            return Markup("{}").format("none" if text is None else text)
        place = entry if isinstance(entry, int) else entry.sequence
        self._places.add(place)
        return Markup('<a href="#entry-{}">{}</a>').format(place, place if text is None else text)

    @property
    def entries(self) -> list[Entry]:
        """What was cited so far, in the ledger's order."""
        return self._record.at(sorted(self._places))


@pass_context
def cite(context: Context, entry: Entry | int | None, text: object = None) -> Markup:
    """A link to an entry, which the page's `cited` remembers."""
    cited: Cited = context["cited"]
    return cited(entry, text)


@pass_context
def link(context: Context, name: str, kind: str) -> Markup:
    """A link to a licence, release or model by name, where it is among the page's `anchors`."""
    if f"{kind}-{name}" not in context["anchors"]:
        return Markup("{}").format(name)
    return Markup('<a href="#{}-{}">{}</a>').format(kind, name, name)


def to(text: object, anchor: str) -> Markup:
    """A link from a number to the row that it rests on."""
    return Markup('<a href="#{}">{}</a>').format(anchor, text)


def digest(value: str) -> Markup:
    """The head of a digest; the whole of it is in its title, and prints in the list of digests."""
    return Markup('<code title="{}">{}</code>').format(value, value[:_DIGEST_SHOWN])


def number(value: object) -> str:
    """A count with thin spaces between thousands, which no reader takes for a decimal sign."""
    return f"{value:,}".replace(",", "\u2009") if isinstance(value, int) else ""


def value(value: float) -> str:
    """A measure with four digits, or a count; no power of ten, which people misread, where there is a way round it."""
    return number(value) if isinstance(value, int) else number(round(value)) if abs(value) >= 1000 else f"{value:.4g}"
