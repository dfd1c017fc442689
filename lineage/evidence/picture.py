"""The way of the data as a picture: stations as boxes with their counts, in the zones where they lie.

Belongs here: where boxes and arrows stand, as numbers that the template draws. The counts come from
`lineage.evidence.gathered`. Lengths are units of the picture's own grid, which scales with the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass

WIDTH, HEIGHT = 1102, 424

_COLUMN, _ROW = 180, 92
_LEFT, _TOP = 28, 52
_BOX_WIDTH, _BOX_HEIGHT = 146, 62


@dataclass(frozen=True)
class Box:
    """A station.

    Attributes:
        key: its count among the report's counts.
        title: what is counted.
        anchor: section of the report that says more.
        column: place from the left.
        row: place from the top.
    """

    key: str
    title: str
    anchor: str
    column: int
    row: int

    @property
    def x(self) -> int:
        """Left edge."""
        return _LEFT + self.column * _COLUMN

    @property
    def y(self) -> int:
        """Upper edge."""
        return _TOP + self.row * _ROW


BOXES = (
    Box("deliveries", "Deliveries", "deliveries", 0, 0),
    Box("files", "Files received", "deliveries", 0, 1),
    Box("quarantined", "Quarantined", "quarantine", 0, 2),
    Box("reports", "Reports", "deliveries", 1, 0),
    Box("instances", "Instances", "deliveries", 1, 1),
    Box("decisions", "Decisions", "decisions", 1, 2),
    Box("series", "Series", "deliveries", 2, 1),
    Box("labels", "Labels", "deliveries", 3, 0),
    Box("volumes", "Volumes", "deliveries", 3, 1),
    Box("releases", "Releases", "releases", 4, 1),
    Box("models", "Models", "models", 5, 1),
    Box("exposures", "Exposures", "models", 5, 0),
    Box("evaluations", "Evaluations", "models", 5, 2),
)

_ARROWS = (
    ("deliveries", "files"),
    ("files", "quarantined"),
    ("files", "instances"),
    ("instances", "decisions"),
    ("instances", "series"),
    ("instances", "reports"),
    ("series", "volumes"),
    ("labels", "volumes"),
    ("volumes", "releases"),
    ("releases", "models"),
    ("models", "exposures"),
    ("models", "evaluations"),
)

_ZONES = (
    ("restricted", "Restricted zone, PHI", 0, 0),
    ("curated", "Curated zone, no PHI", 1, 4),
    ("models", "Models", 5, 5),
)


def drawn(counts: Mapping[str, int]) -> dict[str, object]:
    """What the template draws.

    Args:
        counts: one number for each box, by its key.

    Raises:
        KeyError: if a box has no count.
    """
    places = {box.key: box for box in BOXES}
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "boxes": [(box, counts[box.key]) for box in BOXES],
        "box": (_BOX_WIDTH, _BOX_HEIGHT),
        "arrows": [_arrow(places[start], places[end]) for start, end in _ARROWS],
        "zones": [
            {"name": name, "title": title, "x": _LEFT + first * _COLUMN - 16, "width": _span(first, last)}
            for name, title, first, last in _ZONES
        ],
        "ledger": {"x": _LEFT - 16, "y": HEIGHT - 76, "width": _span(0, 5)},
        "sentence": ", ".join(f"{counts[box.key]} {box.title.lower()}" for box in BOXES),
    }


def _span(first: int, last: int) -> int:
    return (last - first) * _COLUMN + _BOX_WIDTH + 32


def _arrow(start: Box, end: Box) -> tuple[int, int, int, int]:
    """From edge to edge: to the right between columns, up or down inside one."""
    if start.column != end.column:
        middle = start.y + _BOX_HEIGHT // 2
        return start.x + _BOX_WIDTH, middle, end.x - 3, middle
    centre = start.x + _BOX_WIDTH // 2
    if end.row > start.row:
        return centre, start.y + _BOX_HEIGHT, centre, end.y - 3
    return centre, start.y, centre, end.y + _BOX_HEIGHT + 3
