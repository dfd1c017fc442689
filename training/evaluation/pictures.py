"""Pictures of an evaluation, as PNG in data URIs so that a page needs no other file.

Belongs here: drawing. Nothing is shown in a window: figures are made without pyplot and its global state.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

COLOURS = ("#1f6feb", "#d9822b", "#3fa45b", "#8e5bd0", "#c23b4b", "#5a6572", "#1aa6a6", "#b8a11c")
"""One a checkpoint or class, told apart also with the common colour blindnesses; used in turn."""

MARGIN = 0.4
"""Of what is labelled, seen around it."""

NARROW, WIDE = 6.4, 9.0
"""Inches of a figure."""


def colour(number: int) -> str:
    """The colour of the checkpoint or class of a number."""
    return COLOURS[number % len(COLOURS)]


def boxes(values: Mapping[str, NDArray[np.float64]], classes: Sequence[str], title: str = "Dice") -> str:
    """Values of each class, one box a checkpoint, a point a volume.

    Args:
        values: checkpoint to (volumes, classes), NaN where undefined.
        classes: their names.
        title: what the values are.
    """
    figure = Figure(
        figsize=(min(16.0, max(NARROW, 1.3 * len(classes) * len(values) ** 0.5)), 3.4), layout="constrained"
    )
    axes = figure.subplots()
    width = 0.8 / len(values)
    for number, (name, rows) in enumerate(values.items()):
        places = np.arange(len(classes)) + (number - (len(values) - 1) / 2) * width
        columns = [column[~np.isnan(column)] for column in rows.T]
        drawn = axes.boxplot(
            columns, positions=places, widths=width * 0.85, patch_artist=True, manage_ticks=False, showfliers=False
        )
        for box in drawn["boxes"]:
            box.set(facecolor=colour(number), alpha=0.45)
        for line in drawn["medians"]:
            line.set(color="#1c2430")
        for place, column in zip(places, columns, strict=True):
            spread = np.linspace(-0.25, 0.25, len(column)) * width
            axes.plot(place + spread, column, ".", color=colour(number), markersize=3, alpha=0.7)
        axes.plot([], [], "s", color=colour(number), label=name)
    axes.set(ylabel=title, xticks=range(len(classes)), xticklabels=classes)
    axes.grid(axis="y", alpha=0.3)
    _legend(axes)
    return encoded(figure)


def curves(losses: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """Training loss of each checkpoint over steps."""
    figure = Figure(figsize=(NARROW, 3.0), layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(losses.items()):
        if points:
            steps, values = np.asarray(points, dtype=np.float64).T[:2]
            axes.plot(steps, values, color=colour(number), label=name)
    axes.set(xlabel="step", ylabel="training loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if any(losses.values()):
        _legend(axes)
    return encoded(figure)


@dataclass(frozen=True)
class Point:
    """A value with its interval, of a row of a chart.

    Attributes:
        mean: the value.
        interval: around it, or None.
    """

    mean: float
    interval: tuple[float, float] | None


def rows(points: Mapping[str, Mapping[str, Point]], title: str, marks: Mapping[str, float] | None = None) -> str:
    """A chart of rows: for each, every checkpoint's value with its interval, and a mark such as chance.

    Args:
        points: row to checkpoint to point.
        title: what the values are.
        marks: row to a value to compare with; None: a line at 0.
    """
    names = list(dict.fromkeys(name for row in points.values() for name in row))
    figure = Figure(figsize=(NARROW, 0.9 + len(points) * (0.24 + 0.16 * len(names))), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(names):
        shift = (number - (len(names) - 1) / 2) * 0.7 / max(1, len(names))
        for place, row in enumerate(points.values()):
            if point := row.get(name):
                low, high = point.interval or (point.mean, point.mean)
                axes.plot([low, high], [place + shift] * 2, color=colour(number), linewidth=2, alpha=0.5)
                axes.plot(point.mean, place + shift, "o", color=colour(number), markersize=5)
        axes.plot([], [], "o", color=colour(number), label=name)
    if marks is None:
        axes.axvline(0, color="#5a6572", linewidth=1)
    else:
        for place, row_name in enumerate(points):
            if row_name in marks:
                axes.plot([marks[row_name]] * 2, [place - 0.42, place + 0.42], "--", color="#5a6572", linewidth=1.2)
        axes.plot([], [], "--", color="#5a6572", label="chance")
    axes.set(xlabel=title, yticks=range(len(points)), yticklabels=list(points), ylim=(len(points) - 0.5, -0.5))
    axes.xaxis.set_major_locator(MaxNLocator(5))  # more would run into one another where numbers are small
    axes.grid(axis="x", alpha=0.3)
    _legend(axes)
    return encoded(figure)


def shots(lines: Mapping[str, Mapping[str, Point]], title: str) -> str:
    """Values over numbers of labelled subjects, one line a way of starting.

    Args:
        lines: way to number of labels, as text and in order, to point.
        title: what the values are.
    """
    numbers = list(dict.fromkeys(labels for line in lines.values() for labels in line))
    figure = Figure(figsize=(NARROW, 3.2), layout="constrained")
    axes = figure.subplots()
    for number, (name, line) in enumerate(lines.items()):
        places = [numbers.index(labels) + (number - len(lines) / 2) * 0.03 for labels in line]
        axes.plot(places, [point.mean for point in line.values()], "o-", color=colour(number), label=name)
        for place, point in zip(places, line.values(), strict=True):
            axes.plot([place] * 2, point.interval or (point.mean,) * 2, color=colour(number), alpha=0.4, linewidth=2)
    axes.set(xticks=range(len(numbers)), xticklabels=numbers, xlim=(-0.5, len(numbers) - 0.5))
    axes.set(xlabel="labelled subjects", ylabel=title)
    axes.grid(alpha=0.3)
    _legend(axes)
    return encoded(figure)


def overlay(
    image: NDArray[Any],
    truth: NDArray[Any],
    predicted: NDArray[Any],
    names: Sequence[str],
    values: Sequence[int],
    spacing: Sequence[float],
) -> str:
    """The axial slice with most of the truth: the whole of it, and around the labels image, truth, prediction.

    Args:
        image: (x, y, z[, t]) stored voxels.
        truth: (x, y, z) label values.
        predicted: (x, y, z) label values.
        names: of the classes without background.
        values: label values that may occur, background first.
        spacing: voxel size along x, y, z, so that the picture has the shape of the anatomy.
    """
    from matplotlib.colors import ListedColormap

    shown = truth if truth.any() else predicted
    place = int(np.count_nonzero(shown, axis=(0, 1)).argmax())
    grey = (image[..., 0] if image.ndim > 3 else image)[:, :, place].astype(np.float64)
    across, up = _around(shown[:, :, place] > 0)
    figure = Figure(figsize=(WIDE, 2.7), layout="constrained")
    palette = ListedColormap([colour(i) for i in range(max(1, len(values) - 1))])
    low, high = np.nanpercentile(grey, [1, 99])
    look = {"cmap": "gray", "origin": "lower", "aspect": spacing[1] / spacing[0]}
    look |= {"vmin": low, "vmax": max(high, low + 1e-6)}
    whole, *near = figure.subplots(1, 4)
    whole.imshow(grey.T, **look)
    corner, width, height = (across.start - 0.5, up.start - 0.5), across.stop - across.start, up.stop - up.start
    whole.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="#d9822b"))
    _titled(whole, "slice")
    for axes, labels, title in zip(near, (None, truth, predicted), ("detail", "truth", "prediction"), strict=True):
        axes.imshow(grey[across, up].T, **look)
        if labels is not None:
            index = np.searchsorted(values, labels[across, up, place].T)
            above = np.ma.masked_equal(index, 0) - 1
            limits = {"vmin": -0.5, "vmax": max(1, len(values) - 1) - 0.5, "aspect": look["aspect"]}
            axes.imshow(above, cmap=palette, alpha=0.55, origin="lower", interpolation="nearest", **limits)
        _titled(axes, title)
    handles = [Rectangle((0, 0), 1, 1, color=colour(i), alpha=0.6) for i in range(len(names))]
    figure.legend(handles, list(names), loc="outside right center", fontsize="small", frameon=False)
    return encoded(figure)


def side_by_side(images: Mapping[str, NDArray[Any]], spacing: Sequence[float]) -> str:
    """The middle axial slice of several volumes of one grid, in one grey scale.

    Args:
        images: title to (x, y, z) intensities; the last one sets the scale.
        spacing: voxel size along x, y, z.
    """
    figure = Figure(figsize=(WIDE, 3.2), layout="constrained")
    *_, reference = images.values()
    place = reference.shape[2] // 2
    low, high = np.nanpercentile(reference[:, :, place], [1, 99.5])
    for axes, (title, image) in zip(figure.subplots(1, len(images), squeeze=False)[0], images.items(), strict=True):
        axes.imshow(
            image[:, :, place].T, cmap="gray", origin="lower", aspect=spacing[1] / spacing[0], vmin=low,
            vmax=max(high, low + 1e-6),
        )  # fmt: skip
        _titled(axes, title)
    return encoded(figure)


def _around(there: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The box of what is there with a margin, inside the slice; the whole slice where nothing is."""
    if not there.any():
        return slice(0, there.shape[0]), slice(0, there.shape[1])
    boxes = []
    for axis, size in enumerate(there.shape):
        places = np.flatnonzero(there.any(1 - axis))
        more = max(4, int(MARGIN * (places[-1] - places[0] + 1)))
        boxes.append(slice(max(0, int(places[0]) - more), min(size, int(places[-1]) + more + 1)))
    return boxes[0], boxes[1]


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize="small")
    axes.axis("off")


def _legend(axes: Axes) -> None:
    """The legend above the chart, where it covers nothing."""
    handles, _ = axes.get_legend_handles_labels()
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(3, max(1, len(handles))), fontsize="small", frameon=False
    )


def encoded(figure: Figure) -> str:
    """A figure as a data URI."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
