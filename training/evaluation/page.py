"""The page of an evaluation: one HTML file that a scientist and a compliance officer read, with no other file needed.

Belongs here: which tables and pictures it shows. Words and layout are `templates/evaluation.html.j2`, drawing is
`training.evaluation.pictures`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.card import environment
from training.checkpoint import Checkpoint
from training.evaluation import pictures
from training.evaluation.examiner import Picture
from training.evaluation.intervals import Scored
from training.evaluation.pictures import Point
from training.evaluation.retrieval import TEXT_TO_IMAGE

WORDS = {
    "mean_dice": "Dice, mean of classes",
    "dice": "Dice",
    "mean_surface_dice": "surface Dice, mean of classes",
    "surface_dice": "surface Dice",
    "mean_hausdorff95": "95th percentile Hausdorff distance, mean of classes",
    "hausdorff95": "95th percentile Hausdorff distance",
    "mean_surface_distance": "average surface distance, mean of classes",
    "surface_distance": "average surface distance",
    "auroc": "area under the ROC curve",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "mean_absolute_error": "mean absolute error",
    "r2": "R²",
    "psnr": "PSNR",
    "psnr_input": "PSNR of the input",
    "psnr_gain": "PSNR gained on the input",
    "mean_psnr": "PSNR, mean of noise levels",
    "mean_psnr_input": "PSNR of the input, mean of noise levels",
    "mean_psnr_gain": "PSNR gained on the input, mean of noise levels",
    "ssim": "SSIM",
    "ssim_input": "SSIM of the input",
    "ssim_gain": "SSIM gained on the input",
    "mean_ssim": "SSIM, mean of noise levels",
    "mean_ssim_input": "SSIM of the input, mean of noise levels",
    "mean_ssim_gain": "SSIM gained on the input, mean of noise levels",
    "linear": "linear probe",
    "nearest": "nearest neighbours",
    "field_strength": "field strength",
}
"""Names of measures as people read them."""


def words(name: str) -> str:
    """A name as people read it."""
    return WORDS.get(name, name.replace("_", " "))


def number(told: Mapping[str, Any] | None) -> str:
    """An estimate as text: its mean and interval."""
    if told is None or told["mean"] is None:
        return "none"
    digits = 3 if abs(told["mean"]) < 10 else 1
    text = f"{told['mean']:z.{digits}f}"
    if told["interval"]:
        low, high = told["interval"]
        text += f" [{low:z.{digits}f}, {high:z.{digits}f}]"
    return text


def render(
    name: str,
    metrics: Mapping[str, Any],
    scored: Sequence[Scored],
    loaded: Sequence[Checkpoint],
    cases: Sequence[Picture | None],
) -> str:
    """The page as HTML.

    Args:
        name: of the evaluation.
        metrics: content of `metrics.json`.
        scored: every checkpoint's scores.
        loaded: the same checkpoints.
        cases: pictures of the worst cases of the first one, worst first.
    """
    main = metrics["main"]
    return (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            name=name,
            metrics=metrics,
            words=words,
            number=number,
            main=", ".join(words(part) for part in main),
            clean=[_found(metrics["checkpoints"][s.name], main) for s in scored],
            holds=all(proof["holds"] for proof in metrics["proof"].values()),
            results=_results(scored, metrics),
            questions=_questions(scored, metrics),
            boxes=_boxes(scored),
            retrieval=_retrieval(scored, metrics),
            robustness=_robustness(metrics),
            shots=_shots(metrics),
            curves=pictures.curves({c.manifest.name: c.metrics.get("curve") or [] for c in loaded}),
            strata=[column for column, rows in _strata(metrics).items() if len(rows) > 1],
            alike=[column for column, rows in _strata(metrics).items() if len(rows) < 2],
            cases=[case for case in cases if case],
            worst_of=scored[0].name,
        )
    )


def _strata(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """Columns with the first checkpoint's strata; those of all checkpoints are the same."""
    return next(iter(metrics["strata"].values()), {})


def _results(scored: Sequence[Scored], metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every measure that is no probe's, a row each, in groups: the mean first, then its parts."""
    rows = []
    for name, measure in scored[0].measures.items():
        if len(name) > 2:
            continue
        told = [_found(metrics["checkpoints"][s.name], name) for s in scored]
        rows.append(
            {
                "name": " - ".join(words(part) for part in name),
                "part": len(name) > 1,
                "unit": measure.unit,
                "better": measure.better,
                "values": told,
                "undefined": max(value["undefined"] for value in told if value) if any(told) else 0,
            }
        )
    return rows


def _questions(scored: Sequence[Scored], metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What frozen features were asked, a table a label."""
    tables = []
    for label, about in scored[0].notes.get("questions", {}).items():
        rows = []
        for name, measure in scored[0].measures.items():
            if len(name) == 3 and name[1] == label and name[0] != "retrieval":
                told = [_found(metrics["checkpoints"][s.name], name) for s in scored]
                level = {"mean": about.get("chance", {}).get(name[2]), "interval": None}
                row = {"probe": words(name[0]), "measure": words(name[2]), "better": measure.better}
                rows.append({**row, "values": told, "chance": level})
        tables.append({"label": words(label), "about": about, "rows": rows})
    return tables


def _found(numbers: Mapping[str, Any], name: Sequence[str]) -> Mapping[str, Any] | None:
    found: Any = numbers
    for part in name:
        found = found.get(part) if found else None
    return found


def _boxes(scored: Sequence[Scored]) -> str | None:
    classes = scored[0].notes.get("classes")
    if not classes or any(("dice", classes[0]) not in s.measures for s in scored):
        return None
    columns = {s.name: [s.measures["dice", label].values for label in classes] for s in scored}
    return pictures.boxes(
        {name: np.stack([v for v in values if v is not None], 1) for name, values in columns.items()}, classes
    )


def _retrieval(scored: Sequence[Scored], metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Rows of recall with their chance level and gallery, and the chart of them."""
    rows, points, marks = [], {}, {}
    for name in scored[0].measures:
        if "recall_at" not in name[-1]:
            continue
        about = scored[0].notes.get("questions", {}).get(name[1], {}) if len(name) == 3 else scored[0].notes
        level = about.get(f"{TEXT_TO_IMAGE}_chance" if name[0] == TEXT_TO_IMAGE else "retrieval_chance", {})
        told = {s.name: _found(metrics["checkpoints"][s.name], name) for s in scored}
        kind = words(name[1] if len(name) == 3 else name[0] if len(name) == 2 else _asked(about))
        title = f"{kind}, first {name[-1].rpartition('_')[2]}"
        rows.append({"name": title, "values": list(told.values()), "chance": level.get(name[-1]), **_gallery(level)})
        points[title] = {k: _point(v) for k, v in told.items() if v and v["mean"] is not None}
        marks[title] = level.get(name[-1])
    if not rows:
        return None
    known = {title: value for title, value in marks.items() if value is not None}
    return {"rows": rows, "chart": pictures.rows(points, "share of queries answered", known)}


def _asked(about: Mapping[str, Any]) -> str:
    """What an image asks for, of a model that was trained for retrieval."""
    return "image_to_text" if about.get("retrieval_by") == "text" else str(about.get("target", "image_to_image"))


def _gallery(level: Mapping[str, float]) -> dict[str, float | None]:
    return {"gallery": level.get("gallery")}


def _point(told: Mapping[str, Any]) -> Point:
    return Point(told["mean"], told["interval"])


def _robustness(metrics: Mapping[str, Any]) -> str | None:
    points = {
        f"{row['kind']}: {row['level']}": {
            name: _point(told["change"])
            for name, told in row["checkpoints"].items()
            if told["change"] and told["change"]["mean"] is not None
        }
        for row in metrics["robustness"]
    }
    return pictures.rows(points, "change against the scans as they are") if any(points.values()) else None


def _shots(metrics: Mapping[str, Any]) -> str | None:
    lines: dict[str, dict[str, Point]] = {}
    for row in metrics["few_shot"]:
        if row["value"]["mean"] is not None:
            line = lines.setdefault(f"{row['checkpoint']}: {row['what']}", {})
            line[str(row["labels"] or "all")] = _point(row["value"])
    return pictures.shots(lines, "mean Dice") if lines else None
