"""What an evaluation found, a line a model, as the UI and the terminal show it.

Belongs here: choosing from `metrics.json` what people read first. All else is in that file and on the page.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

METRICS, PAGE = "metrics.json", "evaluation.html"
"""Names of an evaluation's numbers and of its page, in its folder."""


def read(folder: Path) -> Mapping[str, Any]:
    """The numbers of an evaluation."""
    found: Mapping[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    return found


def measured(metrics: Mapping[str, Any]) -> str:
    """The measure that the models are compared by, in words."""
    return " of ".join(reversed(metrics["main"])) or "mean_dice"


def standings(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each model with the value of the main measure and its interval; then those trained on few labels.

    Args:
        metrics: content of `metrics.json`.

    Returns:
        Lines with `model`, `labels` where some were trained on few, `value`, `low` and `high`; what is not defined is
        None.
    """
    main, shots = metrics["main"], metrics["few_shot"]
    lines = [{"model": name} | _estimate(_found(n, main)) for name, n in metrics["checkpoints"].items()] if main else []
    few = [{"model": s["model"], "labels": s["labels"] or "all", **_estimate(s["value"])} for s in shots]
    return [*lines, *few]


def _found(numbers: Mapping[str, Any], name: list[str]) -> Mapping[str, Any]:
    for part in name:
        numbers = numbers[part]
    return numbers


def _estimate(told: Mapping[str, Any]) -> dict[str, Any]:
    low, high = told["interval"] or (None, None)
    return {"value": told["mean"], "low": low, "high": high}
