"""Retrieval: how often what belongs to a query is among the first of a gallery, and how often by chance.

Belongs here: ranking by likeness. Where vectors come from is `training.evaluation.features` and the text encoder.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.intervals import Measure, Name, mean_of

TEXT_TO_IMAGE = "text_to_image"
"""First part of the names of measures whose queries are texts."""


@dataclass(frozen=True)
class Queries:
    """Ranked galleries.

    Attributes:
        likeness: (queries, gallery), higher is more alike.
        relevant: (queries, gallery) what belongs to the query.
        allowed: (queries, gallery) what may be found: not the query itself, nor other images of the same person.
        subjects: for each query its person.
    """

    likeness: NDArray[np.float64]
    relevant: NDArray[np.bool_]
    allowed: NDArray[np.bool_]
    subjects: tuple[str, ...]


def by_label(features: NDArray[np.float32], labels: Sequence[str], subjects: Sequence[str]) -> Queries:
    """Each image asks for images of other people with its label."""
    unit = _unit(features)
    names, persons = np.asarray(labels), np.asarray(subjects)
    return Queries(
        unit @ unit.T,
        names[:, None] == names[None],
        persons[:, None] != persons[None],
        tuple(subjects),
    )


def by_text(
    images: NDArray[np.float32], texts: NDArray[np.float32], said: Sequence[str], subjects: Sequence[str]
) -> Queries:
    """Each image asks for its text among all different ones; equal texts are one.

    Args:
        images: (n, width).
        texts: (n, width) of the images' texts, in their space.
        said: (n,) the texts.
        subjects: for each image its person.
    """
    first = {text: place for place, text in reversed(list(enumerate(said)))}
    gallery = sorted(first.values())
    likeness = _unit(images) @ _unit(texts[gallery]).T
    relevant = np.asarray(said)[:, None] == np.asarray([said[i] for i in gallery])[None]
    return Queries(likeness, relevant, np.ones_like(relevant), tuple(subjects))


def by_image(
    images: NDArray[np.float32], texts: NDArray[np.float32], said: Sequence[str], subjects: Sequence[str]
) -> Queries:
    """Each image's text asks for the images of which it is said, among all; equal texts ask alike and find all.

    Args:
        images: (n, width).
        texts: (n, width) of the images' texts, in their space.
        said: (n,) the texts.
        subjects: for each image its person.
    """
    words = np.asarray(said)
    relevant = words[:, None] == words[None]
    return Queries(_unit(texts) @ _unit(images).T, relevant, np.ones_like(relevant), tuple(subjects))


def _unit(features: NDArray[np.float32]) -> NDArray[np.float64]:
    values = features.astype(np.float64)
    found: NDArray[np.float64] = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return found


def hits(queries: Queries, ranks: Sequence[int]) -> tuple[dict[Name, Measure], dict[str, float | None]]:
    """For each rank k, how often something relevant is among the first k, and the same by chance.

    A query with nothing relevant in its gallery is undefined and left out. By chance: k items drawn at random hold none
    of r relevant ones among n in binomial(n - r, k) of binomial(n, k) ways.

    Returns:
        Measures, and for each rank the chance level, None where no query has an answer, with the mean size of the
        gallery as `gallery`.
    """
    import torch
    from torchmetrics.functional.retrieval import retrieval_hit_rate

    rows: dict[int, list[float]] = {k: [] for k in ranks}
    guesses: dict[int, list[float]] = {k: [] for k in ranks}
    for likeness, relevant, allowed in zip(queries.likeness, queries.relevant, queries.allowed, strict=True):
        scores, right = torch.from_numpy(likeness[allowed]), torch.from_numpy(relevant[allowed])
        count, there = len(right), int(right.sum())
        for k in ranks:
            found = float(retrieval_hit_rate(scores, right, top_k=min(k, count))) if there else math.nan
            rows[k].append(found)
            guesses[k].append(at_random(count, there, k) if there else math.nan)
    measures: dict[Name, Measure] = {
        (f"recall_at_{k}",): mean_of(np.array(values), queries.subjects) for k, values in rows.items()
    }
    levels = {f"recall_at_{k}": _mean(values) for k, values in guesses.items()}
    sizes = queries.allowed.sum(1)
    return measures, levels | {"gallery": float(sizes.mean()) if len(sizes) else 0.0}


def at_random(count: int, relevant: int, k: int) -> float:
    """Chance that k of `count` items drawn at random hold one of the relevant ones."""
    k = min(k, count)
    return 1 - math.comb(count - relevant, k) / math.comb(count, k)


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else None
