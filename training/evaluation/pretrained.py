"""Examination of a pre-trained checkpoint: probes on its frozen features, and retrieval with them.

Belongs here: which features and labels go into which probe, and what is left out and why. Fitting is
`training.evaluation.probes`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.checkpoint import Checkpoint
from training.config.evaluate import EvaluateConfig
from training.data.order import random
from training.data.source import Source
from training.errors import TrainingError
from training.evaluation.examiner import Examiner, Picture
from training.evaluation.features import Frozen, Value, features, frozen, labels
from training.evaluation.intervals import Measure, Name, Scored, among
from training.evaluation.people import Person, people, usable_people
from training.evaluation.probes import Known, Probe, chance, held_out, linear, nearest
from training.evaluation.retrieval import by_label, hits
from training.evaluation.robustness import Disturbance
from training.evaluation.scores import classification, regression

FITTED = 42
"""Stream of random numbers that chooses the volumes that probes are fitted on."""


@dataclass(frozen=True)
class Question:
    """One label that features are asked for.

    Attributes:
        name: of the label.
        truth: of the split's volumes, volume to value.
        probes: kind to fitted probe.
        known: what they were fitted on.
        chosen_on: what their strength was chosen on.
    """

    name: str
    truth: Mapping[str, Value]
    probes: Mapping[str, Probe]
    known: Known
    chosen_on: str


def examiner(checkpoint: Checkpoint, release: Source, members: Sequence[Person], config: EvaluateConfig) -> Examiner:
    """Fit the probes of a pre-trained checkpoint on the training split.

    Args:
        checkpoint: a pre-trained one.
        release: gives volumes and labels.
        members: usable volumes of the split to score.
        config: what to ask for.
    """
    model, name = frozen(checkpoint), checkpoint.manifest.name
    train = _sample(usable_people(release, people(release, "train"))[0], config)
    apart = [] if config.split == "validation" else people(release, "validation")
    validation, _ = usable_people(release, apart)
    arrays = release.volumes()
    known = labels(config.probes, release, [*train, *validation, *members])
    bank = {m.volume: f for m, f in zip(train, features(model, arrays, [m.volume for m in train]), strict=True)}
    more = features(model, arrays, [m.volume for m in validation])
    bank |= {m.volume: f for m, f in zip(validation, more, strict=True)}
    questions, left_out = [], {}
    for label in config.probes:
        asked = _question(label, known[label], bank, train, validation, members)
        if isinstance(asked, Question):
            questions.append(asked)
        else:
            left_out[label] = asked
    return _Pretrained(name, model, release, members, config, questions, left_out)


def _sample(members: Sequence[Person], config: EvaluateConfig) -> list[Person]:
    order = random(config.seed, FITTED).permutation(len(members))[: config.probe_volumes]
    return [members[i] for i in sorted(order)]


def _question(
    name: str,
    known: Mapping[str, Value],
    bank: Mapping[str, NDArray[np.float32]],
    train: Sequence[Person],
    validation: Sequence[Person],
    members: Sequence[Person],
) -> Question | str:
    """Fitted probes of a label, or why there are none."""
    fitted = [m for m in train if m.volume in known]
    if not fitted or not any(m.volume in known for m in members):
        return "known of no volume of the training split or of this one"
    words = sorted({str(known[m.volume]) for m in fitted if isinstance(known[m.volume], str)})
    if len(words) == 1:
        return "the same for all volumes of the training split"
    table = _known(fitted, known, bank, words)
    held = [m for m in validation if m.volume in known and (not words or known[m.volume] in words)]
    inside, outside = (table, _known(held, known, bank, words)) if held else held_out(table)
    probes = {"linear": linear(inside, outside), "nearest": nearest(inside, outside)}
    truth = {m.volume: known[m.volume] for m in members if m.volume in known}
    return Question(name, truth, probes, inside, "validation split" if held else "a fifth of the training subjects")


def _known(
    members: Sequence[Person],
    values: Mapping[str, Value],
    bank: Mapping[str, NDArray[np.float32]],
    words: Sequence[str],
) -> Known:
    found = [values[m.volume] for m in members]
    numbers = np.array([words.index(str(v)) if words else float(v) for v in found])
    return Known(
        np.stack([bank[m.volume] for m in members]),
        numbers.astype(np.int64) if words else numbers.astype(np.float64),
        tuple(m.subject for m in members),
        tuple(words),
    )


@dataclass(frozen=True)
class _Pretrained:
    """Probes of one checkpoint, ready to be asked."""

    name: str
    model: Frozen
    release: Source
    members: Sequence[Person]
    config: EvaluateConfig
    questions: Sequence[Question]
    left_out: Mapping[str, str]

    def picture(self, scored: Scored, place: int) -> Picture | None:
        """Nothing: features are not to be seen."""
        return None

    def scored(self, disturbance: Disturbance | None = None) -> Scored:
        """Scores of all probes and of retrieval."""
        volumes = tuple(m.volume for m in self.members)
        subjects = tuple(m.subject for m in self.members)
        vectors = features(self.model, self.release.volumes(), volumes, disturbance)
        measures: dict[Name, Measure] = {}
        notes: dict[str, Any] = {"left_out": dict(self.left_out), "questions": {}}
        for question in self.questions:
            found, told = self._asked(question, vectors)
            measures |= found
            notes["questions"][question.name] = told
        if not measures and not self.config.few_shot:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
            raise TrainingError(
                f"{self.name}: found no label that features can be asked for ({reasons}), needed one with two values; "
                "name others in probes, or ask for few_shot"
            )
        return Scored(self.name, subjects, volumes, measures, next(iter(measures), ()), notes)

    def _asked(self, question: Question, vectors: NDArray[np.float32]) -> tuple[dict[Name, Measure], dict[str, Any]]:
        words, count = question.known.classes, len(self.members)
        named = [i for i, m in enumerate(self.members) if m.volume in question.truth]
        values = [question.truth[self.members[i].volume] for i in named]
        kept = np.array([i for i, v in zip(named, values, strict=True) if not words or v in words], dtype=np.int64)
        chosen = [self.members[i] for i in kept]
        bank = {m.volume: vectors[i] for i, m in zip(kept, chosen, strict=True)}
        told: dict[str, Any] = {
            "fitted_on": {"volumes": len(question.known.subjects), "subjects": len(set(question.known.subjects))},
            "chosen_on": question.chosen_on,
            "strength": {kind: probe.strength for kind, probe in question.probes.items()},
            "classes": list(words),
            "not_in_training": len(named) - len(kept),
        }
        if not len(kept):
            return {}, told
        truth = _known(chosen, question.truth, bank, words)
        told["chance"] = chance(question.known, truth)
        measures: dict[Name, Measure] = {}
        for kind, probe in question.probes.items():
            for name, measure in _judged(probe, truth).items():
                measures[(kind, question.name, *name)] = among(measure, kept, count)
        if words:
            queries = by_label(truth.features, [str(question.truth[m.volume]) for m in chosen], truth.subjects)
            found, level = hits(queries, self.config.recall_at)
            told["retrieval_chance"] = level
            for name, measure in found.items():
                measures[("retrieval", question.name, *name)] = among(measure, kept, count)
        return measures, told


def _judged(probe: Probe, truth: Known) -> dict[Name, Measure]:
    answers = probe.answer(truth.features)
    if truth.classes:
        found = classification(answers, truth.values.astype(np.int64))
        return {name: found[name] for name in (("balanced_accuracy",), ("auroc",), ("accuracy",))}
    return regression(answers, truth.values.astype(np.float64), truth.subjects)
