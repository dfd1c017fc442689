"""The curves of a finished training: a table and a picture, beside the model.

Belongs here: how they look. Where the numbers come from is `training.running.workspace`.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from training.running.sinks import numbers_of

TABLE, PICTURE = "curves.csv", "curves.png"

_FIRST = ("loss", "samples_per_s", "data_wait", "mfu")
"""Always drawn; then what the objective and the probes showed, as far as there is room."""

_PANELS = 12
_ACROSS = 3


def table(events: Sequence[Mapping[str, Any]]) -> str:
    """Reports as CSV, a line a step, a column a number; a number that a step lacks is empty."""
    rows = by_step(events)
    names = sorted({name for row in rows.values() for name in row})
    out = io.StringIO()
    writer = csv.DictWriter(out, ["step", *names], lineterminator="\n")
    writer.writeheader()
    for step, row in sorted(rows.items()):
        writer.writerow({"step": step, **row})
    return out.getvalue()


def by_step(events: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """Numbers of every step that something was reported of."""
    rows: dict[int, dict[str, float]] = {}
    for event in events:
        if "step" in event and (numbers := numbers_of(event)):
            rows.setdefault(int(event["step"]), {}).update(numbers)
    return rows


def picture(events: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The curves as a PNG; None where there are fewer than two steps to draw."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = sorted(by_step(events).items())
    if len(rows) < 2:
        return None
    there = {name for _, row in rows for name in row}
    shown = sorted(name for name in there if name.startswith(("monitors.", "probe.")))
    names = [*(name for name in _FIRST if name in there), *shown][:_PANELS]
    down = -(-len(names) // _ACROSS)
    figure = Figure(figsize=(3.2 * _ACROSS, 2.2 * down), layout="constrained")
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(down, _ACROSS, place)
        points = [(step, row[name]) for step, row in rows if name in row]
        axes.plot(*zip(*points, strict=True), linewidth=1.2, marker="." if len(points) < 20 else "")
        axes.set_title(name, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out)
    return out.getvalue()
