"""What the audit report says of an evaluation: each model's main measure, and whether it was proved apart.

Belongs here: reading the numbers that an evaluation left. What is measured, and how, is on the evaluation's own page.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Score:
    """A model that was evaluated.

    Attributes:
        model: its name.
        value: of the main measure; None: not defined.
        low: of its interval; None: it has none.
        high: of its interval.
        seen: test subjects that it was trained on; None: not said.
        apart: whether a proof holds that it saw none of the test set; None: none was made.
    """

    model: str
    value: float | None
    low: float | None
    high: float | None
    seen: int | None
    apart: bool | None


@dataclass(frozen=True)
class Scores:
    """What an evaluation found.

    Attributes:
        measure: the main one, in words; empty where several models share none.
        split: that it was measured on.
        subjects: people in it.
        confidence: of the intervals, 0 to 1.
        models: a line each.
    """

    measure: str
    split: str
    subjects: int
    confidence: float
    models: list[Score]


def scores(data: bytes) -> Scores | None:
    """What an evaluation found; None where its numbers are not of a kind that has a main measure.

    Args:
        data: its `metrics.json`.
    """
    try:
        said = json.loads(data)
        main = said["main"]
        return Scores(
            " of ".join(part.replace("_", " ") for part in reversed(main)),
            said["split"],
            said["subjects"],
            said["config"]["confidence"],
            [_score(name, _at(numbers, main), said) for name, numbers in said["checkpoints"].items()],
        )
    except (ValueError, KeyError, TypeError):
        return None  # an older version's, or none of ours: the page then shows its plain numbers


def _at(numbers: Any, path: list[str]) -> Mapping[str, Any]:
    for part in path:
        numbers = numbers[part]
    found: Mapping[str, Any] = numbers
    return found


def _score(name: str, told: Mapping[str, Any], said: Mapping[str, Any]) -> Score:
    low, high = told["interval"] or (None, None)
    proof = said["proof"].get(name, {})
    return Score(name, told["mean"], low, high, said["seen"].get(name), proof.get("holds"))
