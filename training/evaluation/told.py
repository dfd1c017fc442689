"""Examination of models that tell something of whole volumes: a class, a number, or what is alike.

Belongs here: answers beside the truth. Where the truth is found is the task's (`training.data.targets`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from training.config.evaluate import EvaluateConfig
from training.data.captions import Captions
from training.data.source import Source
from training.data.targets import found
from training.data.tokens import Key
from training.errors import TrainingError
from training.evaluation.examiner import Picture
from training.evaluation.inference import Model, answer
from training.evaluation.intervals import Measure, Name, Scored
from training.evaluation.people import Person
from training.evaluation.retrieval import TEXT_TO_IMAGE, by_image, by_label, by_text, hits
from training.evaluation.robustness import Disturbance
from training.evaluation.scores import classification, multilabel, regression


@dataclass(frozen=True)
class _Told:
    """A model and the volumes of which the truth is known.

    Attributes:
        name: of the checkpoint.
        model: what answers.
        release: gives volumes.
        members: volumes of which the truth is known.
        truth: of each of them.
        config: what to evaluate and how.
        left_out: reason to the number of volumes that are not scored for it.
    """

    name: str
    model: Model
    release: Source
    members: Sequence[Person]
    truth: Sequence[Any]
    config: EvaluateConfig
    left_out: Mapping[str, int]

    def picture(self, scored: Scored, place: int) -> Picture | None:
        """Nothing: an answer of a whole volume is not to be seen."""
        return None

    def answers(self, disturbance: Disturbance | None) -> list[Mapping[str, Any]]:
        """What the model says of each volume."""
        arrays, facts = self.release.volumes(), []
        for member in self.members:
            stored, row = arrays.array(member.volume), arrays.row(member.volume)
            seen = disturbance.change(stored, row) if disturbance else (stored, row)
            facts.append(answer(self.model, *seen, overlap=self.config.overlap).facts)
        return facts

    def _scored(self, measures: Mapping[Name, Measure], main: str, **notes: Any) -> Scored:
        subjects, volumes = tuple(m.subject for m in self.members), tuple(m.volume for m in self.members)
        return Scored(self.name, subjects, volumes, measures, (main,), {"not_scored": dict(self.left_out), **notes})


class Classified(_Told):
    """A model of classification."""

    @classmethod
    def of(
        cls, name: str, model: Model, release: Source, members: Sequence[Person], config: EvaluateConfig
    ) -> "Classified":
        """The model and the volumes that are of a class it knows.

        Raises:
            TrainingError: if there is none.
        """
        classes, several = _classes(model), bool(model.task.options.multi_label)
        truth: dict[str, Any] = {}
        left_out: dict[str, int] = {}
        for volume, cells in found(release, members, model.task.options.where).items():
            names = _parted(cells, model.task.options.separator) if several else cells
            if unknown := [n for n in names if n not in classes]:
                _count(left_out, "of a class that was not trained on", len(unknown) > 0)
            elif several or len(names) == 1:
                truth[volume] = np.isin(classes, names) if several else classes.index(names[0])
            else:
                _count(left_out, "of several classes")
        return cls(name, model, release, *_kept(name, members, truth, left_out), config, left_out)

    def scored(self, disturbance: Disturbance | None = None) -> Scored:
        """Area under the ROC curve, balanced accuracy, accuracy."""
        classes = _classes(self.model)
        shares = np.array([[f["probabilities"][c] for c in classes] for f in self.answers(disturbance)])
        truth = np.array(self.truth)
        measures = multilabel(shares, truth) if truth.ndim > 1 else classification(shares, truth.astype(np.int64))
        return self._scored(measures, "auroc", target=self.model.task.options.target, values=classes)


class Numbered(_Told):
    """A model of regression."""

    @classmethod
    def of(
        cls, name: str, model: Model, release: Source, members: Sequence[Person], config: EvaluateConfig
    ) -> "Numbered":
        """The model and the volumes that have a number.

        Raises:
            TrainingError: if there is none.
        """
        left_out: dict[str, int] = {}
        task: Any = model.task
        encoded = task.encode(found(release, members, task.options.where))
        for reason in encoded.skipped.values():
            _count(left_out, reason)
        truth = {volume: float(number) for volume, number in encoded.targets.items()}
        return cls(name, model, release, *_kept(name, members, truth, left_out), config, left_out)

    def scored(self, disturbance: Disturbance | None = None) -> Scored:
        """Mean absolute error and explained variance."""
        told = np.array([f["value"] for f in self.answers(disturbance)], np.float64)
        options, subjects = self.model.task.options, [m.subject for m in self.members]
        measures = regression(told, np.array(self.truth, np.float64), subjects, options.unit)
        return self._scored(measures, "mean_absolute_error", target=options.target)


class Retrieved(_Told):
    """A model of retrieval, by a target or by text."""

    @classmethod
    def of(
        cls, name: str, model: Model, release: Source, members: Sequence[Person], config: EvaluateConfig
    ) -> "Retrieved":
        """The model and the volumes that have the target, or a text.

        Raises:
            TrainingError: if there is none.
        """
        left_out: dict[str, int] = {}
        if model.task.options.alike == "text":
            truth = texts(release, [m.volume for m in members], model)
        else:
            said = found(release, members, model.task.options.where)
            truth = {volume: cells[0] for volume, cells in said.items() if len(cells) == 1}
            _count(left_out, "several targets", len(said) > len(truth), len(said) - len(truth))
        return cls(name, model, release, *_kept(name, members, truth, left_out), config, left_out)

    def scored(self, disturbance: Disturbance | None = None) -> Scored:
        """Recall at the ranks that are asked for: of images, or of an image's text and of a text's images."""
        vectors = np.array([f["embedding"] for f in self.answers(disturbance)], np.float32)
        said, subjects = [str(text) for text in self.truth], [m.subject for m in self.members]
        main, by = f"recall_at_{self.config.recall_at[0]}", self.model.task.options.alike
        if by == "target":
            measures, level = hits(by_label(vectors, said, subjects), self.config.recall_at)
            return self._scored(measures, main, retrieval_chance=level, retrieval_by=by)
        network: Any = self.model.network
        with torch.inference_mode():
            spoken = network.texts(said).numpy()
        measures, level = hits(by_text(vectors, spoken, said, subjects), self.config.recall_at)
        back, level_back = hits(by_image(vectors, spoken, said, subjects), self.config.recall_at)
        measures |= {(TEXT_TO_IMAGE, *name): measure for name, measure in back.items()}
        chances = {"retrieval_chance": level, f"{TEXT_TO_IMAGE}_chance": level_back}
        return self._scored(measures, main, retrieval_by=by, **chances)


def texts(release: Source, volumes: Sequence[str], model: Model) -> dict[str, str]:
    """What is said of volumes, whole and in one wording, as the model's training composed it."""
    whole = model.task.options.text_encoder.model_copy(update={"whole_share": 1.0})
    captions = Captions.of(release, volumes, whole, model.config.seed)
    said = {volume: captions.at(volume, Key(0, 0)).text for volume in volumes}
    return {volume: text for volume, text in said.items() if text}


def _classes(model: Model) -> list[str]:
    return [str(name) for _, name in sorted(model.about["classes"].items())]


def _parted(cells: Sequence[str], separator: str) -> list[str]:
    return [part.strip() for cell in cells for part in cell.split(separator) if part.strip()]


def _count(counts: dict[str, int], reason: str, there: bool = True, number: int = 1) -> None:
    if there:
        counts[reason] = counts.get(reason, 0) + number


def _kept(
    name: str, members: Sequence[Person], truth: Mapping[str, Any], left_out: dict[str, int]
) -> tuple[list[Person], list[Any]]:
    kept = [member for member in members if member.volume in truth]
    if not kept:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "nothing is said of them"
        raise TrainingError(
            f"found no volume of {len(members)} whose truth {name} can be compared with ({reasons}), needed at least "
            "one; evaluate another split, or bring the values that it was trained on"
        )
    if rest := len(members) - len(kept) - sum(left_out.values()):
        left_out["of which nothing is said"] = rest
    return kept, [truth[member.volume] for member in kept]
