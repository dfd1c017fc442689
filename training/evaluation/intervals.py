"""Numbers with intervals: a statistic of scored volumes, resampled by subject.

Belongs here: what a measure is, its bootstrap interval, paired differences, means over seeds. Which measures a task has
is `training.evaluation.scores`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.config.evaluate import EvaluateConfig
from training.data.order import random

Places = NDArray[np.int64]
Statistic = Callable[[Places], float]
"""From places of items, some of them repeatedly, to a number; NaN where it is undefined for them."""

Name = tuple[str, ...]
"""Name of a measure, from the general to the particular: ("dice", "hippocampus")."""


@dataclass(frozen=True)
class Measure:
    """One number of a checkpoint.

    Attributes:
        statistic: gives it for any choice of items.
        values: (items,) where it is the mean over subjects of their items' means, NaN where undefined; None otherwise.
        known: (items,) items that it can be given for, where it is no such mean; None: all.
        better: whether more or less of it is wanted.
        unit: of the number, empty where it has none.
    """

    statistic: Statistic
    values: NDArray[np.float64] | None = None
    known: NDArray[np.bool_] | None = None
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""


@dataclass(frozen=True)
class Scored:
    """What a checkpoint was found to be worth on the items of a split.

    Attributes:
        name: of the checkpoint.
        subjects: for each item the person it is of.
        volumes: for each item its volume.
        measures: every number; none where there is nothing to ask.
        main: the one that checkpoints are compared by; empty where there is none.
        notes: facts beside the numbers: gallery sizes, chance levels, what was skipped.
    """

    name: str
    subjects: tuple[str, ...]
    volumes: tuple[str, ...]
    measures: Mapping[Name, Measure]
    main: Name
    notes: Mapping[str, Any]


def mean_of(
    values: NDArray[np.float64],
    subjects: Sequence[str],
    better: Literal["higher", "lower"] = "higher",
    unit: str = "",
) -> Measure:
    """The mean over subjects of (items,) values; undefined ones are NaN and are left out."""
    names = np.asarray(subjects)

    def statistic(places: Places) -> float:
        means = by_subject(values[places], names[places].tolist())
        return float(np.nanmean(means)) if len(means) and not np.isnan(means).all() else math.nan

    return Measure(statistic, values, None, better, unit)


def among(measure: Measure, places: Places, count: int) -> Measure:
    """A measure of some items as one of all of them: the others have no value.

    Args:
        measure: of the items at `places`.
        places: ascending.
        count: items in all.
    """
    position = np.full(count, -1)
    position[places] = np.arange(len(places))

    def statistic(chosen: Places) -> float:
        inside = position[chosen]
        inside = inside[inside >= 0]
        return measure.statistic(inside) if len(inside) else math.nan

    known = position >= 0
    values = None
    if measure.values is not None:
        values = np.full(count, np.nan)
        values[places] = measure.values
    if measure.known is not None:
        known[places] = measure.known
    return Measure(statistic, values, known, measure.better, measure.unit)


def by_subject(values: NDArray[np.float64], subjects: Sequence[str]) -> NDArray[np.float64]:
    """(subjects, ...) means of each subject's volumes, NaN left out: volumes of one person are not independent."""
    names = np.asarray(subjects)
    return np.array([mean(values[names == name]) for name in sorted(set(subjects))])


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means along the first axis, NaN left out; NaN where nothing is left."""
    counts = (~np.isnan(values)).sum(0)
    found: NDArray[np.float64] = np.where(counts, np.nansum(values, 0) / np.maximum(counts, 1), np.nan)
    return found


def estimate(
    measure: Measure, subjects: Sequence[str], config: EvaluateConfig, places: Places | None = None
) -> dict[str, Any]:
    """A measure with its interval, how many subjects it rests on, and how many items have no value.

    Args:
        measure: what to give.
        subjects: for each item its person.
        config: resamples and coverage.
        places: items to give it for; None: all.
    """
    return _told([measure], measure.statistic, measure.values, subjects, config, places)


def difference(
    first: Measure, other: Measure, subjects: Sequence[str], config: EvaluateConfig, places: Places | None = None
) -> dict[str, Any]:
    """The first measure minus the other on the same items, resampled together."""
    means = first.values is not None and other.values is not None
    values = first.values - other.values if means else None  # type: ignore[operator]

    def statistic(chosen: Places) -> float:
        return first.statistic(chosen) - other.statistic(chosen)

    return _told([first, other], statistic, values, subjects, config, places)


def over_seeds(measures: Sequence[Measure], subjects: Sequence[str], config: EvaluateConfig) -> dict[str, Any]:
    """The mean of the same measure of several seeds with an interval over subjects, and the spread between seeds.

    The spread is the standard deviation of the seeds' values; None for fewer than two.
    """
    rows = [measure.values for measure in measures if measure.values is not None]
    values = mean(np.stack(rows)) if len(rows) == len(measures) else None

    def statistic(chosen: Places) -> float:
        return float(np.mean([measure.statistic(chosen) for measure in measures]))

    every = np.arange(len(subjects))
    single = [value for measure in measures if not math.isnan(value := measure.statistic(every))]
    spread = float(np.std(single, ddof=1)) if len(single) > 1 else None
    told = _told(measures, statistic, values, subjects, config, None)
    return told | {"seeds": len(measures), "between_seeds": spread}


def _told(
    measures: Sequence[Measure],
    statistic: Statistic,
    values: NDArray[np.float64] | None,
    subjects: Sequence[str],
    config: EvaluateConfig,
    places: Places | None,
) -> dict[str, Any]:
    places = np.arange(len(subjects)) if places is None else places
    if values is not None:
        return _of_means(values[places], [subjects[i] for i in places], config)
    known = np.ones(len(subjects), bool)
    for measure in measures:
        known &= measure.known if measure.known is not None else True
    kept = places[known[places]]
    value = statistic(kept) if len(kept) else math.nan
    return {
        "mean": None if math.isnan(value) else value,
        "interval": _resampled(statistic, [subjects[i] for i in kept], kept, config),
        "subjects": len({subjects[i] for i in kept}),
        "undefined": len(places) - len(kept),
    }


def _of_means(values: NDArray[np.float64], subjects: Sequence[str], config: EvaluateConfig) -> dict[str, Any]:
    means = by_subject(values, subjects)
    known = means[~np.isnan(means)]
    return {
        "mean": float(known.mean()) if len(known) else None,
        "interval": interval(known, config),
        "subjects": len(known),
        "undefined": int(np.isnan(values).sum()),
    }


def interval(values: NDArray[np.float64], config: EvaluateConfig) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a mean over subjects; None for fewer than two subjects.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return None
    return _bounds(values[_picks(len(values), config)].mean(1), config)


def _resampled(
    statistic: Statistic, subjects: Sequence[str], places: Places, config: EvaluateConfig
) -> tuple[float, float] | None:
    """The interval of any statistic: subjects are drawn, each with all its items."""
    names = np.asarray(subjects)
    groups = [places[names == name] for name in sorted(set(subjects))]
    if len(groups) < 2:
        return None
    drawn = (np.concatenate([groups[i] for i in row]) for row in _picks(len(groups), config))
    found = np.array([statistic(chosen) for chosen in drawn])
    found = found[~np.isnan(found)]
    return _bounds(found, config) if len(found) > 1 else None


def _picks(count: int, config: EvaluateConfig) -> NDArray[np.int64]:
    return random(config.seed, 0).integers(0, count, (config.bootstrap, count))


def _bounds(found: NDArray[np.float64], config: EvaluateConfig) -> tuple[float, float]:
    tail = 50 * (1 - config.confidence)
    low, high = np.percentile(found, [tail, 100 - tail])
    return float(low), float(high)
