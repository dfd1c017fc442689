"""Examination of a pre-trained checkpoint: probes on its frozen features, and retrieval with them.

Belongs here: which features and labels go into which probe, and what is left out and why. Fitting is
`training.evaluation.probes`.

A study's series are shown together. What is the same for all series of every study, such as a diagnosis, is asked of
studies, whose features are the mean of their volumes'; what tells series apart, such as the contrast, is asked of
volumes, each with the features that it has beside the others.
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
from training.evaluation.people import Group, Person, people, singles, studies, usable_people
from training.evaluation.probes import Known, Probe, chance, held_out, linear, nearest
from training.evaluation.retrieval import by_label, hits
from training.evaluation.robustness import Disturbance
from training.evaluation.scores import classification, regression

FITTED = 42
"""Stream of random numbers that chooses the volumes that probes are fitted on."""

Bank = Mapping[str, NDArray[np.float32]]
"""Volume to its features."""

Answers = Sequence[tuple[Group, Value]]
"""Volumes that are asked together, each with the answer; in order."""


@dataclass(frozen=True)
class Question:
    """One label that features are asked for.

    Attributes:
        name: of the label.
        asked_of: volumes, or studies.
        truth: of the split to score.
        probes: kind to fitted probe.
        known: what they were fitted on.
        chosen_on: what their strength was chosen on.
    """

    name: str
    asked_of: str
    truth: Answers
    probes: Mapping[str, Probe]
    known: Known
    chosen_on: str


def examiner(
    checkpoint: Checkpoint,
    release: Source,
    members: Sequence[Person],
    config: EvaluateConfig,
    *,
    of_studies: bool = False,
) -> Examiner:
    """Fit the probes of a pre-trained checkpoint on the training split.

    Args:
        checkpoint: a pre-trained one.
        release: gives volumes and labels.
        members: usable volumes of the split to score.
        config: what to ask for.
        of_studies: whether volumes of a study are seen, and asked, together.
    """
    model, name, grouped = frozen(checkpoint), checkpoint.manifest.name, studies if of_studies else singles
    train = _sample(grouped(usable_people(release, people(release, "train"))[0]), config)
    apart = [] if config.split == "validation" else people(release, "validation")
    validation, scored = grouped(usable_people(release, apart)[0]), grouped(members)
    known = labels(config.probes, release, [m for group in (*train, *validation, *scored) for m in group])
    bank = features(model, release.volumes(), [*train, *validation])
    questions, left_out = [], {}
    for label in config.probes:
        asked = _question(label, known[label], bank, train, validation, scored)
        if isinstance(asked, Question):
            questions.append(asked)
        else:
            left_out[label] = asked
    return _Pretrained(name, model, release, members, scored, config, questions, left_out)


def _sample(groups: Sequence[Group], config: EvaluateConfig) -> list[Group]:
    """Groups by chance, whole ones, of about as many volumes as are asked for; one at least."""
    order = random(config.seed, FITTED).permutation(len(groups))
    volumes = np.cumsum([len(groups[i]) for i in order])
    fit = int(np.searchsorted(volumes, config.probe_volumes, side="right"))
    return [groups[i] for i in sorted(order[: max(1, fit)])]


def _question(
    name: str,
    known: Mapping[str, Value],
    bank: Bank,
    train: Sequence[Group],
    validation: Sequence[Group],
    scored: Sequence[Group],
) -> Question | str:
    """Fitted probes of a label, or why there are none."""
    asked_of = _asked_of(known, [*train, *validation, *scored])
    fitted, held, truth = (_answers(known, groups, asked_of) for groups in (train, validation, scored))
    if not fitted or not truth:
        return "known of no volume of the training split or of this one"
    words = sorted({str(value) for _, value in fitted if isinstance(value, str)})
    if len(words) == 1:
        return "the same for all volumes of the training split"
    table = _known(fitted, bank, words)
    held = [(group, value) for group, value in held if not words or value in words]
    inside, outside = (table, _known(held, bank, words)) if held else held_out(table)
    probes = {"linear": linear(inside, outside), "nearest": nearest(inside, outside)}
    chosen_on = "validation split" if held else "a fifth of the training subjects"
    return Question(name, asked_of, truth, probes, inside, chosen_on)


def _asked_of(known: Mapping[str, Value], groups: Sequence[Group]) -> str:
    """Studies, where no two volumes of one have different values; volumes otherwise."""
    differ = any(len({known[m.volume] for m in group if m.volume in known}) > 1 for group in groups)
    return "volumes" if differ or all(len(group) == 1 for group in groups) else "studies"


def _answers(known: Mapping[str, Value], groups: Sequence[Group], asked_of: str) -> Answers:
    if asked_of == "volumes":
        groups = singles(member for group in groups for member in group)
    said = ((group, [known[m.volume] for m in group if m.volume in known]) for group in groups)
    return [(group, values[0]) for group, values in said if values]


def _known(answers: Answers, bank: Bank, words: Sequence[str]) -> Known:
    numbers = np.array([words.index(str(value)) if words else float(value) for _, value in answers])
    return Known(
        np.stack([np.mean([bank[m.volume] for m in group if m.volume in bank], 0) for group, _ in answers]),
        numbers.astype(np.int64) if words else numbers.astype(np.float64),
        tuple(group[0].subject for group, _ in answers),
        tuple(words),
    )


@dataclass(frozen=True)
class _Pretrained:
    """Probes of one checkpoint, ready to be asked."""

    name: str
    model: Frozen
    release: Source
    members: Sequence[Person]
    groups: Sequence[Group]
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
        bank = features(self.model, self.release.volumes(), self.groups, disturbance)
        measures: dict[Name, Measure] = {}
        notes: dict[str, Any] = {"left_out": dict(self.left_out), "questions": {}}
        for question in self.questions:
            found, told = self._asked(question, bank)
            measures |= found
            notes["questions"][question.name] = told
        if not measures and not self.config.few_shot and not disturbance:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
            raise TrainingError(
                f"{self.name}: found no label that features can be asked for ({reasons}), needed one with two values; "
                "name others in probes, or ask for few_shot"
            )
        return Scored(self.name, subjects, volumes, measures, next(iter(measures), ()), notes)

    def _asked(self, question: Question, bank: Bank) -> tuple[dict[Name, Measure], dict[str, Any]]:
        """Measures of a question, each study's at the place of its first volume, and what is told beside them."""
        words, count, subjects = question.known.classes, len(self.members), question.known.subjects
        there = [(group, value) for group, value in question.truth if any(m.volume in bank for m in group)]
        asked = [(group, value) for group, value in there if not words or value in words]
        told: dict[str, Any] = {
            "asked_of": question.asked_of,
            "asked": len(asked),
            "fitted_on": {question.asked_of: len(subjects), "subjects": len(set(subjects))},
            "chosen_on": question.chosen_on,
            "strength": {kind: probe.strength for kind, probe in question.probes.items()},
            "classes": list(words),
            "not_in_training": len(there) - len(asked),
        }
        if not asked:
            return {}, told
        truth = _known(asked, bank, words)
        place = {member.volume: i for i, member in enumerate(self.members)}
        kept = np.array([place[group[0].volume] for group, _ in asked], dtype=np.int64)
        told["chance"] = chance(question.known, truth)
        measures: dict[Name, Measure] = {}
        for kind, probe in question.probes.items():
            for name, measure in _judged(probe, truth).items():
                measures[(kind, question.name, *name)] = among(measure, kept, count)
        if words:
            queries = by_label(truth.features, [str(value) for _, value in asked], truth.subjects)
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
