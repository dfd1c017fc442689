"""What a prediction is worth against the truth, for each task.

Belongs here: metrics of MONAI and torchmetrics on one volume or on a set of answers, and what becomes of what they
leave undefined. Intervals are `training.evaluation.intervals`.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.data.labelled import Classes
from training.evaluation.intervals import Measure, Name, Places, mean_of

Better = Literal["higher", "lower"]
Column = NDArray[np.float64]

SEGMENTATION: Mapping[str, tuple[Better, str]] = {
    "dice": ("higher", ""),
    "surface_dice": ("higher", ""),
    "hausdorff95": ("lower", "mm"),
    "surface_distance": ("lower", "mm"),
}
"""Measures of a segmentation, which way is better, and their unit."""


def segmentation(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    classes: Classes,
    spacing: Sequence[float],
    tolerance_mm: float,
    *,
    surfaces: bool = True,
) -> dict[str, Column]:
    """Overlap and surface distances of two label maps, each (classes without background,).

    Where a class is in neither, all are NaN. Where it is in one of them only, Dice and surface Dice are 0 and the
    distances, which would be infinite, NaN: how many those are is told beside the means.

    Args:
        predicted: (x, y, z) label values.
        truth: (x, y, z) label values.
        classes: what values mean.
        spacing: voxel size in mm.
        tolerance_mm: distance up to which a surface counts as right.
        surfaces: whether surfaces are compared, which takes longer than all else; otherwise their values are NaN.

    Raises:
        TrainingError: if a label value is not among the classes.
    """
    import torch
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.meandice import compute_dice
    from monai.metrics.surface_dice import compute_surface_dice
    from monai.metrics.surface_distance import compute_average_surface_distance
    from torch.nn import functional

    count = len(classes.values)
    index = [classes.index(labels) for labels in (predicted, truth)]
    box = _around(index[0] + index[1])
    hot = [functional.one_hot(torch.from_numpy(i[box]), count).movedim(-1, 0)[None] for i in index]
    there = [h[0, 1:].flatten(1).any(1).numpy() for h in hot]
    neither, both = ~(there[0] | there[1]), there[0] & there[1]
    size = tuple(float(mm) for mm in spacing)
    found = {"dice": compute_dice(*hot, include_background=False, ignore_empty=False)}
    if surfaces:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is all 0.*|.*[Nn]a[Nn]/inf.*", category=UserWarning)
            warnings.filterwarnings("ignore", message=".*always_return_as_numpy.*", category=FutureWarning)
            found["surface_dice"] = compute_surface_dice(*hot, [tolerance_mm] * (count - 1), spacing=size)
            found["hausdorff95"] = compute_hausdorff_distance(*hot, percentile=95, spacing=size)
            found["surface_distance"] = compute_average_surface_distance(*hot, symmetric=True, spacing=size)
    values = {name: np.full(count - 1, np.nan) for name in SEGMENTATION}
    for name, tensor in found.items():
        value = tensor[0].double().numpy()
        missed = np.nan if SEGMENTATION[name][0] == "lower" else 0.0
        values[name] = np.where(neither, np.nan, np.where(both & np.isfinite(value), value, missed))
    return values


def _around(occupied: NDArray[np.int64]) -> tuple[slice, ...]:
    """The box of what is not background, with a voxel around it: distances are measured in there alone."""
    places = np.nonzero(occupied)
    if not len(places[0]):
        return tuple(slice(0, min(n, 2)) for n in occupied.shape)
    return tuple(slice(max(0, int(p.min()) - 1), int(p.max()) + 2) for p in places)


def segmentation_measures(
    values: Mapping[str, NDArray[np.float64]], names: Sequence[str], subjects: Sequence[str]
) -> dict[Name, Measure]:
    """Means over classes and of each class.

    Args:
        values: measure to (volumes, classes without background).
        names: of these classes.
        subjects: for each volume its person.
    """
    found: dict[Name, Measure] = {}
    for name, rows in values.items():
        better, unit = SEGMENTATION[name]
        found[(f"mean_{name}",)] = mean_of(_over_classes(rows), subjects, better, unit)
        for i, label in enumerate(names):
            found[(name, label)] = mean_of(rows[:, i], subjects, better, unit)
    return found


def _over_classes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = (~np.isnan(rows)).sum(1)
    return np.where(counts, np.nansum(rows, 1) / np.maximum(counts, 1), np.nan)


def classification(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> dict[Name, Measure]:
    """Area under the ROC curve (one class against the rest, mean over classes), balanced accuracy, accuracy.

    A class that no item of a set has, or that all have, has no curve and is left out of the mean of that set.

    Args:
        probabilities: (items, classes).
        truth: (items,) class of each.
    """
    import torch
    from torchmetrics.functional.classification import binary_auroc, multiclass_accuracy, multiclass_recall

    answers, right = torch.from_numpy(probabilities).float(), torch.from_numpy(truth)
    count = answers.shape[1]

    def auroc(places: Places) -> float:
        chosen, labels = answers[places], right[places]
        present = [c for c in range(count) if 0 < int((labels == c).sum()) < len(labels)]
        # of two classes one curve is the other's mirror image
        asked = present[-1:] if count == 2 else present
        curves = [binary_auroc(chosen[:, c], (labels == c).long(), validate_args=False) for c in asked]
        return float(torch.stack(curves).mean()) if curves else math.nan

    def balanced(places: Places) -> float:
        labels = right[places]
        recall = multiclass_recall(answers[places], labels, count, average=None, validate_args=False)
        return float(recall[torch.bincount(labels, minlength=count) > 0].mean())

    def accuracy(places: Places) -> float:
        found = multiclass_accuracy(answers[places], right[places], count, average="micro", validate_args=False)
        return float(found)

    return {
        ("auroc",): Measure(auroc),
        ("balanced_accuracy",): Measure(balanced),
        ("accuracy",): Measure(accuracy),
    }


def multilabel(probabilities: NDArray[np.float64], truth: NDArray[np.bool_]) -> dict[Name, Measure]:
    """The same where an item may be of several classes: each class against its absence, mean over classes.

    Args:
        probabilities: (items, classes).
        truth: (items, classes) whether the item is of the class.
    """
    pairs = [np.stack([1 - share, share], 1) for share in probabilities.T]
    each = [classification(pair, right.astype(np.int64)) for pair, right in zip(pairs, truth.T, strict=True)]

    def over_classes(name: Name) -> Measure:
        def statistic(places: Places) -> float:
            known = [v for found in each if not math.isnan(v := found[name].statistic(places))]
            return float(np.mean(known)) if known else math.nan

        return Measure(statistic)

    return {name: over_classes(name) for name in each[0]}


def regression(predicted: Column, truth: Column, subjects: Sequence[str], unit: str = "") -> dict[Name, Measure]:
    """Mean absolute error, and the share of the variance that is explained.

    Args:
        predicted: (items,) numbers.
        truth: (items,) numbers.
        subjects: for each item its person.
        unit: of the numbers.
    """
    import torch
    from torchmetrics.functional.regression import r2_score

    answers, right = torch.from_numpy(predicted), torch.from_numpy(truth)

    def explained(places: Places) -> float:
        # of equal truths there is no variance to explain
        if len(places) < 2 or float(right[places].std()) == 0:
            return math.nan
        return float(r2_score(answers[places], right[places]))

    errors = mean_of(np.abs(predicted - truth), subjects, "lower", unit)
    return {("mean_absolute_error",): errors, ("r2",): Measure(explained)}


def restoration(image: NDArray[np.float32], truth: NDArray[np.float32]) -> dict[str, float]:
    """Peak signal to noise ratio in dB and structural similarity of (x, y, z) intensities.

    The peak is the range of the truth.
    """
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    found, right = torch.from_numpy(image), torch.from_numpy(truth)
    peak = float(right.max() - right.min())
    if peak <= 0:
        return {"psnr": math.nan, "ssim": math.nan}
    kernel = [min(11, n - 1 + n % 2) for n in truth.shape]
    similarity = structural_similarity_index_measure(
        found[None, None], right[None, None], data_range=peak, gaussian_kernel=False, kernel_size=kernel
    )
    ratio = peak_signal_noise_ratio(found, right, data_range=peak)
    return {"psnr": float(ratio), "ssim": float(similarity)}
