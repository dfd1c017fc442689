"""The comparison as a picture.

Belongs here: drawing. The numbers are `lake.tiering.comparison`.
"""

import io

from lake.tiering.comparison import OPTIMUM, STANDARD, Comparison
from lake.tiering.costs import STRETCH

_PARTS = ("storage", "requests", "retrieval", "moves", "early")


def plot(comparison: Comparison, kind: str = "png") -> bytes:
    """Costs by part for each way, and the sum of costs over time.

    Args:
        comparison: what to draw.
        kind: png or svg.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    bars, lines = figure.subplots(1, 2)
    ways = [row["way"] for row in comparison.rows()]
    left = [0.0] * len(ways)
    for part in _PARTS:
        values = [getattr(comparison.bills[way], part) for way in ways]
        bars.barh(ways, values, left=left, label=part)
        left = [a + b for a, b in zip(left, values, strict=True)]
    bars.legend(fontsize=8)
    bars.set_xlabel(f"{comparison.currency} over {comparison.days} days")
    for way in ways:
        total, points = 0.0, []
        for cost in comparison.bills[way].monthly:
            total += cost
            points.append(total)
        style = "k--" if way == OPTIMUM else "k:" if way == STANDARD else "-"
        lines.plot([STRETCH * (i + 1) for i in range(len(points))], points, style, label=way)
    lines.legend(fontsize=7)
    lines.set_xlabel("days")
    lines.set_ylabel(f"{comparison.currency}, summed up")
    target = io.BytesIO()
    figure.savefig(target, format=kind, dpi=90)
    return target.getvalue()
