"""Examination of a fine-tuned checkpoint by its task, and of segmentation: label maps against label maps.

Belongs here: which task is scored how. Tasks that speak of whole volumes are `training.evaluation.told`, restoration is
`training.evaluation.restored`; metrics are `training.evaluation.scores`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.checkpoint import Checkpoint
from training.config.evaluate import EvaluateConfig
from training.data.labelled import Classes, classes_of, labelled
from training.data.source import Source
from training.errors import TrainingError
from training.evaluation.examiner import Examiner, Picture
from training.evaluation.inference import Model, model_of, predict
from training.evaluation.intervals import Scored
from training.evaluation.people import Person
from training.evaluation.pictures import overlay
from training.evaluation.restored import Restored
from training.evaluation.robustness import Disturbance
from training.evaluation.scores import SEGMENTATION, segmentation, segmentation_measures
from training.evaluation.told import Classified, Numbered, Retrieved
from training.tasks.regions import joined, membership, parted

Make = Callable[[str, Model, Source, Sequence[Person], EvaluateConfig], Examiner]


def judged_as(task: str) -> str:
    """The task whose measures a task is scored by: how a segmentation was learned is no matter."""
    return "segmentation" if task == "semi" else task


def examiner(checkpoint: Checkpoint, release: Source, members: Sequence[Person], config: EvaluateConfig) -> Examiner:
    """How a fine-tuned checkpoint is scored.

    Args:
        checkpoint: a fine-tuned one.
        release: gives volumes and what the task is compared with.
        members: usable volumes of the split to score.
        config: what to evaluate and how.

    Raises:
        TrainingError: if the split does not hold what the task is compared with, or the task is none that is known.
    """
    known: dict[str, Make] = {
        "classification": Classified.of,
        "regions": RegionSegments.of,
        "regression": Numbered.of,
        "restoration": Restored,
        "retrieval": Retrieved.of,
        "segmentation": Segments.of,
        "semi": Segments.of,
    }
    name, task = checkpoint.manifest.name, checkpoint.manifest.task
    if task not in known:
        raise TrainingError(f"{name}: found task {task!r}, needed one of {', '.join(sorted(known))}")
    return known[task](name, model_of(checkpoint), release, members, config)


@dataclass(frozen=True)
class Segments:
    """A model of segmentation and the labelled volumes that it is scored on."""

    name: str
    model: Model
    release: Source
    members: Sequence[Person]
    config: EvaluateConfig

    @classmethod
    def of(
        cls, name: str, model: Model, release: Source, members: Sequence[Person], config: EvaluateConfig
    ) -> "Segments":
        """The model and the labelled volumes among members.

        Raises:
            TrainingError: if there is none, or a label means what the model does not know.
        """
        found = labelled(members)
        there = classes_of(release.labels(), found)
        if unknown := set(there.names) - set(model.classes.names):
            raise TrainingError(
                f"found label values {sorted(unknown)} that {name} does not know, needed the classes it was trained on"
            )
        names = {member.volume for member in found}
        return cls(name, model, release, [m for m in members if m.volume in names], config)

    @property
    def classes(self) -> Classes:
        """What label values mean."""
        return self.model.classes

    @property
    def names(self) -> list[str]:
        """Names of the classes without the background."""
        return [self.classes.names[value] for value in self.classes.values[1:]]

    def scored(self, disturbance: Disturbance | None = None) -> Scored:
        """Dice and surface distances; of disturbed scans Dice alone."""
        rows = [self._row(member, disturbance) for member in self.members]
        values = {name: np.array([row[name] for row in rows]) for name in SEGMENTATION}
        kept = {name: column for name, column in values.items() if not disturbance or name == "dice"}
        subjects, volumes = tuple(m.subject for m in self.members), tuple(m.volume for m in self.members)
        measures = segmentation_measures(kept, self.names, subjects)
        return Scored(self.name, subjects, volumes, measures, ("mean_dice",), {"classes": self.names})

    def picture(self, scored: Scored, place: int) -> Picture | None:
        """Image, truth and prediction of a volume."""
        member, arrays = self.members[place], self.release.volumes()
        stored, row = arrays.array(member.volume), arrays.row(member.volume)
        truth, predicted = self.truth(member), self.predicted(member)
        drawn = [self.classes.names[value] for value in self.classes.values[1:]]
        image = overlay(stored, truth, predicted, drawn, self.classes.values, row["spacing"])
        values = scored.measures[scored.main].values
        assert values is not None, "Dice is a mean of volumes"
        return Picture(image, f"Mean Dice {values[place]:.2f}; {row['contrast']}, {row['body_part']}.")

    def _row(self, member: Person, disturbance: Disturbance | None) -> dict[str, NDArray[np.float64]]:
        truth = self.truth(member)
        predicted = self.predicted(member, disturbance)
        if predicted.shape != truth.shape:
            raise TrainingError(
                f"found a label map of shape {truth.shape} for a volume of shape {predicted.shape}, needed the same; "
                "map it onto the volume again (stage labels)"
            )
        spacing = self.release.volumes().row(member.volume)["spacing"]
        return self.compared(predicted, truth, spacing, surfaces=disturbance is None)

    def compared(
        self, predicted: NDArray[Any], truth: NDArray[Any], spacing: Sequence[float], *, surfaces: bool
    ) -> dict[str, NDArray[np.float64]]:
        """Measure to (names,) values of two label maps."""
        return segmentation(predicted, truth, self.classes, spacing, self.config.tolerance_mm, surfaces=surfaces)

    def truth(self, member: Person) -> NDArray[Any]:
        """(x, y, z) label values of a volume."""
        assert member.label, "only labelled members are scored"
        return self.release.labels().array(member.label)

    def predicted(self, member: Person, disturbance: Disturbance | None = None) -> NDArray[Any]:
        """(x, y, z) label values that the model gives, on the voxels of the scan that there is."""
        arrays = self.release.volumes()
        stored, row = arrays.array(member.volume), arrays.row(member.volume)
        if disturbance is None:
            return predict(self.model, stored, row, overlap=self.config.overlap)
        worse = predict(self.model, *disturbance.change(stored, row), overlap=self.config.overlap)
        return disturbance.back(worse, row)


@dataclass(frozen=True)
class RegionSegments(Segments):
    """A model of regions that overlap: each is compared for itself, whatever others a voxel is in."""

    @classmethod
    def of(
        cls, name: str, model: Model, release: Source, members: Sequence[Person], config: EvaluateConfig
    ) -> "RegionSegments":
        """The model and the labelled volumes among members.

        Raises:
            TrainingError: if there is none, or their classes are not those that regions are made of.
        """
        found = labelled(members)
        membership(model.task.options.regions, classes_of(release.labels(), found))
        names = {member.volume for member in found}
        return cls(name, model, release, [m for m in members if m.volume in names], config)

    @property
    def names(self) -> list[str]:
        """Names of the regions."""
        return list(self.model.task.options.regions)

    def truth(self, member: Person) -> NDArray[Any]:
        """(x, y, z) label values of a volume, each the set of regions that a voxel is in."""
        classes = classes_of(self.release.labels(), [member])
        inside = membership(self.model.task.options.regions, classes)
        return joined(inside[:, classes.index(super().truth(member))])

    def compared(
        self, predicted: NDArray[Any], truth: NDArray[Any], spacing: Sequence[float], *, surfaces: bool
    ) -> dict[str, NDArray[np.float64]]:
        """Measure to (regions,) values of two label maps."""
        said, right = (parted(labels, len(self.names)) for labels in (predicted, truth))
        one, asked = Classes({0: "outside", 1: "inside"}), self.config.tolerance_mm
        rows = [segmentation(a, b, one, spacing, asked, surfaces=surfaces) for a, b in zip(said, right, strict=True)]
        return {name: np.concatenate([row[name] for row in rows]) for name in SEGMENTATION}
