"""Results told apart by scanner, sex and age, without a number that could speak of one person.

Belongs here: which stratum a volume is in, and which may be shown. Intervals are `training.evaluation.intervals`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.config.evaluate import EvaluateConfig
from training.evaluation.intervals import Scored, estimate

UNKNOWN = "unknown"


def strata(
    scored: Scored, rows: Mapping[str, Mapping[str, Any]], config: EvaluateConfig
) -> dict[str, list[dict[str, Any]]]:
    """The main measure in each stratum of each column.

    Where a stratum is too small to be shown, the other counts of its column are rounded down, so that the small one
    cannot be had by taking them from the whole.

    Args:
        scored: one checkpoint's.
        rows: volume to its row of `curated/series`; empty where nothing is known.
        config: columns, age bands and the smallest stratum.

    Returns:
        Column to its strata in order, each with `stratum`, `subjects` as text and an estimate, or None in place of it.
    """
    if not rows:
        return {}
    found = {}
    for column in config.strata:
        named = [_stratum(column, rows.get(volume, {}), config) for volume in scored.volumes]
        found[column] = _column(scored, named, config)
    return found


def _column(scored: Scored, named: Sequence[str], config: EvaluateConfig) -> list[dict[str, Any]]:
    least = config.smallest_stratum
    places = {name: np.flatnonzero(np.asarray(named) == name) for name in sorted(set(named), key=_order)}
    subjects = {name: {scored.subjects[i] for i in chosen} for name, chosen in places.items()}
    hidden = any(len(group) < least for group in subjects.values())
    rows: list[dict[str, Any]] = []
    for name, chosen in places.items():
        count = len(subjects[name])
        if count < least:
            rows.append({"stratum": name, "subjects": f"fewer than {least}", "estimate": None})
            continue
        told = estimate(scored.measures[scored.main], scored.subjects, config, chosen)
        if hidden:
            told["subjects"] = count - count % least
        rows.append({"stratum": name, "subjects": _count(count, least, hidden=hidden), "estimate": told})
    return rows


def _count(count: int, least: int, *, hidden: bool) -> str:
    return f"at least {count - count % least}" if hidden else str(count)


def _stratum(column: str, row: Mapping[str, Any], config: EvaluateConfig) -> str:
    value = row.get(column)
    if value is None or value == "":
        return UNKNOWN
    if column == "age":
        return age_band(int(value), config.age_bands)
    return f"{value:g} T" if column == "field_strength" else str(value)


def age_band(age: int, bands: Sequence[int]) -> str:
    """The band of an age in whole years, given the first year of each band but the youngest."""
    edges = [0, *sorted(bands)]
    place = max(i for i, first in enumerate(edges) if age >= first)
    return f"{edges[place]} to {edges[place + 1] - 1}" if place + 1 < len(edges) else f"{edges[place]} and over"


def _order(name: str) -> tuple[bool, float, str]:
    first = name.split(maxsplit=1)[0]
    return name == UNKNOWN, float(first) if first.replace(".", "", 1).isdigit() else np.inf, name
