"""Pictures of an evaluation, as PNG in data URIs so that a page needs no other file.

Belongs here: drawing. Nothing is shown in a window: figures are made without pyplot and its global state.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

COLOURS = ("#1f6feb", "#d9822b", "#3fa45b", "#8e5bd0", "#c23b4b", "#5a6572", "#1aa6a6", "#b8a11c")
"""One a checkpoint or class, told apart also with the common colour blindnesses; used in turn."""


def boxes(dice: Mapping[str, NDArray[np.float64]], classes: Sequence[str]) -> str:
    """Dice of each class, one box a checkpoint.

    Args:
        dice: checkpoint to (volumes, classes), NaN where undefined.
        classes: their names.
    """
    figure = Figure(figsize=(max(6.0, 1.2 * len(classes) * len(dice) ** 0.5), 3.4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(dice)
    for number, (name, values) in enumerate(dice.items()):
        places = np.arange(len(classes)) + (number - (len(dice) - 1) / 2) * width
        columns = [column[~np.isnan(column)] for column in values.T]
        drawn = axes.boxplot(columns, positions=places, widths=width * 0.85, patch_artist=True, manage_ticks=False)
        for box in drawn["boxes"]:
            box.set(facecolor=COLOURS[number % len(COLOURS)], alpha=0.6)
        axes.plot([], [], "s", color=COLOURS[number % len(COLOURS)], label=name)
    axes.set(ylim=(-0.02, 1.02), ylabel="Dice", xticks=range(len(classes)), xticklabels=classes)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    return _encoded(figure)


def curves(losses: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """Training loss of each checkpoint over steps."""
    figure = Figure(figsize=(6.0, 3.0), layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(losses.items()):
        if points:
            steps, values = np.asarray(points, dtype=np.float64).T
            axes.plot(steps, values, color=COLOURS[number % len(COLOURS)], label=name)
            axes.legend(fontsize="small")
    axes.set(xlabel="step", ylabel="training loss")
    axes.grid(alpha=0.3)
    return _encoded(figure)


def overlay(
    image: NDArray[Any],
    truth: NDArray[Any],
    predicted: NDArray[Any],
    values: Sequence[int],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> str:
    """The axial slice with most labelled voxels: image, truth, prediction.

    Args:
        image: (x, y, z[, t]) stored voxels.
        truth: (x, y, z) label values.
        predicted: (x, y, z) label values.
        values: label values that may occur, background first.
        spacing: voxel size along x, y, z, so that the picture has the shape of the anatomy.
    """
    from matplotlib.colors import ListedColormap

    place = int(np.count_nonzero(truth, axis=(0, 1)).argmax())
    grey = image[..., 0] if image.ndim > 3 else image
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    colours = ListedColormap([COLOURS[i % len(COLOURS)] for i in range(max(1, len(values) - 1))])
    aspect = spacing[1] / spacing[0]
    low, high = np.percentile(grey[:, :, place], [1, 99])
    for axes, labels, title in zip(
        figure.subplots(1, 3), (None, truth, predicted), ("image", "truth", "prediction"), strict=True
    ):
        window = {"vmin": low, "vmax": max(high, low + 1e-6)}
        axes.imshow(grey[:, :, place].T, cmap="gray", origin="lower", aspect=aspect, **window)
        if labels is not None:
            index = np.searchsorted(values, labels[:, :, place].T)
            shown = np.ma.masked_equal(index, 0)
            classes = {"cmap": colours, "alpha": 0.55, "vmin": 0, "vmax": max(1, len(values) - 2)}
            axes.imshow(shown - 1, origin="lower", aspect=aspect, **classes)
        axes.set_title(title, fontsize="small")
        axes.axis("off")
    return _encoded(figure)


def _encoded(figure: Figure) -> str:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
