"""Evaluation: fine-tuned checkpoints on the same unseen volumes, with intervals, as numbers and as one page.

Belongs here: scores and their intervals. Pictures are `training.evaluation.pictures`, words and layout of the page are
`templates/evaluation.html.j2`. Metrics come from MONAI.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import checkpoint
from training.config.evaluate import EvaluateConfig
from training.data.labelled import Classes, classes_of, labelled
from training.data.order import random
from training.data.source import Member, Source, usable
from training.errors import TrainingError
from training.evaluation.inference import Model, model_of, predict
from training.result import Result
from training.running.fit import Report
from training.running.workspace import write_atomically

PAGE, METRICS = "evaluation.html", "metrics.json"


@dataclass(frozen=True)
class Scores:
    """Dice of one checkpoint.

    Attributes:
        name: of the checkpoint.
        dice: (volumes, classes without background), NaN where a class is neither there nor predicted.
        worst: index of the volume with the lowest mean, and the prediction for it.
    """

    name: str
    dice: NDArray[np.float64]
    worst: tuple[int, NDArray[np.uint16]]


def evaluate(
    config: EvaluateConfig,
    release: Source,
    checkpoints: Sequence[Path],
    out: Path,
    report: Report,
) -> Result:
    """Score fine-tuned checkpoints on one split; the first is compared with each other one.

    Args:
        config: what to evaluate on and how.
        release: where the volumes and labels are.
        checkpoints: folders of fine-tuned models with the same classes.
        out: folder for `evaluation.html` and `metrics.json`.
        report: called with every event.

    Raises:
        TrainingError: if there is no labelled volume, a checkpoint was trained on one of them, or the checkpoints have
            different classes.
    """
    loaded = [checkpoint.load(folder) for folder in checkpoints]
    members = labelled(release.members(config.split, sealed_ok=config.split == "test"))
    seen = {c.manifest.name: sorted(c.seen() & {m.volume for m in members}) for c in loaded}
    _refuse_seen(seen, config)
    models = [model_of(c) for c in loaded]
    classes = _common(models, classes_of(release.labels(), members))
    arrays = release.volumes()
    kept, skipped = usable(arrays, [member.volume for member in members])
    members = [member for member in members if member.volume in {facts.volume for facts in kept}]
    scores = []
    for model, found in zip(models, loaded, strict=True):
        scores.append(_score(model, found.manifest.name, release, members, classes, config.overlap))
        mean = float(np.nanmean(scores[-1].dice)) if not np.isnan(scores[-1].dice).all() else None
        report({"event": "scored", "checkpoint": found.manifest.name, "mean_dice": mean})
    subjects = [member.subject for member in members]
    metrics = {
        "release": release.manifest.name,
        "release_sha256": release.sha256,
        "split": config.split,
        "subjects": len(set(subjects)),
        "volumes": len(members),
        "skipped": skipped,
        "seen": {name: len(volumes) for name, volumes in seen.items()},
        "checkpoints": {s.name: _numbers(s, c, subjects, classes, config) for s, c in zip(scores, loaded, strict=True)},
        "differences": {s.name: difference(scores[0], s, subjects, config) for s in scores[1:]},
    }
    _write(out, metrics, scores, loaded, release, members, classes)
    report({"event": "finished", "folder": str(out)})
    return Result(out.name, out, None, metrics)


def _refuse_seen(seen: Mapping[str, Sequence[str]], config: EvaluateConfig) -> None:
    if config.allow_seen:
        return
    for name, volumes in seen.items():
        if volumes:
            raise TrainingError(
                f"found {len(volumes)} volumes of split {config.split} that {name} or an ancestor was trained on, "
                "needed unseen ones; evaluate on another release or split, or say allow_seen: true"
            )


def _common(models: Sequence[Model], classes: Classes) -> Classes:
    for model in models:
        if model.classes != models[0].classes:
            raise TrainingError("found checkpoints with different classes, needed the same; evaluate them apart")
    known = models[0].classes if models else classes
    if unknown := set(classes.names) - set(known.names):
        raise TrainingError(
            f"found label values {sorted(unknown)} that the checkpoints do not know, needed the classes they were "
            "trained on"
        )
    return known


def _score(
    model: Model, name: str, release: Source, members: Sequence[Member], classes: Classes, overlap: float
) -> Scores:
    arrays, labels = release.volumes(), release.labels()
    rows, worst, lowest = [], (0, np.zeros((1, 1, 1), np.uint16)), np.inf
    for number, member in enumerate(members):
        assert member.label, "only labelled members are scored"
        predicted = predict(model, arrays.array(member.volume), arrays.row(member.volume), overlap=overlap)
        rows.append(dice(predicted, labels.array(member.label), classes))
        mean = np.nan if np.isnan(rows[-1]).all() else float(np.nanmean(rows[-1]))
        if mean < lowest:
            worst, lowest = (number, predicted), mean
    return Scores(name, np.array(rows), worst)


def dice(predicted: NDArray[Any], truth: NDArray[Any], classes: Classes) -> NDArray[np.float64]:
    """(classes without background,) Dice of two label maps; NaN where a class is in neither.

    Raises:
        TrainingError: if a label value is not among the classes.
    """
    import torch
    from monai.metrics.meandice import compute_dice
    from torch.nn import functional

    count = len(classes.values)
    hot = [
        functional.one_hot(torch.from_numpy(classes.index(labels)), count).movedim(-1, 0)[None]
        for labels in (predicted, truth)
    ]
    found: NDArray[np.float64] = compute_dice(*hot, include_background=False, ignore_empty=False)[0].double().numpy()
    both_empty = ~(hot[0].bool() | hot[1].bool())[0, 1:].any(-1).any(-1).any(-1).numpy()
    return np.where(both_empty, np.nan, found)


def by_subject(values: NDArray[np.float64], subjects: Sequence[str]) -> NDArray[np.float64]:
    """(subjects, ...) means of each subject's volumes, NaN left out: volumes of one person are not independent."""
    names = np.asarray(subjects)
    return np.array([_mean(values[names == name]) for name in sorted(set(subjects))])


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = (~np.isnan(values)).sum(0)
    mean: NDArray[np.float64] = np.where(counts, np.nansum(values, 0) / np.maximum(counts, 1), np.nan)
    return mean


def interval(values: NDArray[np.float64], config: EvaluateConfig) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a mean over subjects; None for fewer than two subjects.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return None
    picks = random(config.seed, 0).integers(0, len(values), (config.bootstrap, len(values)))
    tail = 50 * (1 - config.confidence)
    low, high = np.percentile(values[picks].mean(1), [tail, 100 - tail])
    return float(low), float(high)


def estimate(values: NDArray[np.float64], config: EvaluateConfig) -> dict[str, Any]:
    """Mean over subjects with its interval, and how many subjects it rests on."""
    known = values[~np.isnan(values)]
    return {
        "mean": float(known.mean()) if len(known) else None,
        "interval": interval(values, config),
        "subjects": len(known),
    }


def difference(first: Scores, other: Scores, subjects: Sequence[str], config: EvaluateConfig) -> dict[str, Any]:
    """Mean Dice of the first minus the other, on the same subjects."""
    means = [_mean(by_subject(scores.dice, subjects).T) for scores in (first, other)]
    return estimate(means[0] - means[1], config)


def _numbers(
    scores: Scores,
    found: checkpoint.Checkpoint,
    subjects: Sequence[str],
    classes: Classes,
    config: EvaluateConfig,
) -> dict[str, Any]:
    per_subject = by_subject(scores.dice, subjects)
    names = [classes.names[value] for value in classes.values[1:]]
    return {
        "mean_dice": estimate(_mean(per_subject.T), config),
        "dice": {name: estimate(per_subject[:, i], config) for i, name in enumerate(names)},
        "parent": found.manifest.parent,
        "network": found.config["config"]["network"],
        "labelled_subjects": found.metrics.get("subjects"),
        "steps": found.manifest.steps,
        "weights_sha256": found.manifest.weights_sha256,
    }


def _write(
    out: Path,
    metrics: Mapping[str, Any],
    scores: Sequence[Scores],
    loaded: Sequence[checkpoint.Checkpoint],
    release: Source,
    members: Sequence[Member],
    classes: Classes,
) -> None:
    from training.card import environment
    from training.evaluation import pictures

    number, predicted = scores[0].worst
    member = members[number]
    arrays, labels = release.volumes(), release.labels()
    assert member.label, "only labelled members are scored"
    names = [classes.names[value] for value in classes.values[1:]]
    page = (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            name=out.name,
            metrics=metrics,
            classes=names,
            boxes=pictures.boxes({s.name: s.dice for s in scores}, names),
            curves=pictures.curves({c.manifest.name: c.metrics.get("curve") or [] for c in loaded}),
            worst=pictures.overlay(
                arrays.array(member.volume),
                labels.array(member.label),
                predicted,
                classes.values,
                arrays.row(member.volume)["spacing"],
            ),
            worst_of=scores[0].name,
        )
    )
    write_atomically(out / PAGE, page.encode())
    write_atomically(out / METRICS, json.dumps(metrics, indent=1, allow_nan=False).encode())
