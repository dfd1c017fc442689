"""Labelled windows for fine-tuning: few subjects, crops around what is labelled, varied intensities.

Belongs here: which labels are used, what their values mean, and the data set. Unlabelled windows are `training.data`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.order import AUGMENT, CROP, random, served
from training.data.source import Arrays, Member, Source, usable
from training.data.tokens import Key, Tokens, pack
from training.data.volume import RANGE, Facts, image_of, normalize, patch_of, tokens_of, window
from training.errors import TrainingError

SUBJECTS = 10
"""Stream of random numbers that chooses labelled subjects; apart from those of `training.data`."""


@dataclass(frozen=True)
class Classes:
    """What label values mean: values in ascending order are classes 0, 1, ...; 0 is the background.

    Attributes:
        names: value to name.
    """

    names: Mapping[int, str]

    @property
    def values(self) -> list[int]:
        """Label values in the order of classes."""
        return sorted(self.names)

    def index(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        """Class indices of label values.

        Raises:
            TrainingError: if a value is not in the scheme.
        """
        values = np.asarray(self.values)
        place = np.searchsorted(values, labels).clip(max=len(values) - 1)
        if (unknown := values[place] != labels).any():
            found = sorted({int(value) for value in np.unique(labels[unknown])})
            raise TrainingError(
                f"found label values {found} that the scheme does not name, needed one of {self.values}; add them to "
                "label_scheme of the delivery and ingest it again"
            )
        return place.astype(np.int64)

    def restore(self, index: NDArray[Any]) -> NDArray[np.uint16]:
        """Label values of class indices."""
        return np.asarray(self.values, dtype=np.uint16)[index]


def classes_of(labels: Arrays, members: Sequence[Member]) -> Classes:
    """The classes that the label maps of members share.

    Raises:
        TrainingError: if they were labelled by different schemes.
    """
    schemes = {row["scheme"] for row in labels.rows([member.label for member in members if member.label])}
    merged: dict[int, str] = {}
    for scheme in sorted(schemes):
        for value, name in json.loads(scheme).items():
            if merged.setdefault(int(value), name) != name:
                raise TrainingError(
                    f"found two meanings of label value {value} in one release, needed one scheme; freeze a release of "
                    "the deliveries that share it"
                )
    return Classes({0: "background"} | merged)


def labelled(members: Sequence[Member]) -> list[Member]:
    """The members that have a label map, by subject and volume.

    Raises:
        TrainingError: if none has.
    """
    found = sorted((m for m in members if m.label), key=lambda m: (m.subject, m.volume))
    if not found:
        raise TrainingError(
            f"found no label among {len(members)} volumes of the split, needed at least one; freeze a release with "
            "label_task, or with another split"
        )
    return found


def chosen(release: Source, config: FinetuneConfig) -> list[Member]:
    """The labelled training volumes of as many subjects as the configuration asks for, chosen by its seed.

    Raises:
        TrainingError: if there are fewer.
    """
    members = labelled(release.members("train"))
    subjects = sorted({member.subject for member in members})
    if config.labels > len(subjects):
        raise TrainingError(
            f"labels: found {len(subjects)} labelled training subjects, needed {config.labels}; ask for fewer, or 0 "
            "for all"
        )
    count = config.labels or len(subjects)
    taken = {subjects[i] for i in random(config.seed, SUBJECTS).permutation(len(subjects))[:count]}
    return [member for member in members if member.subject in taken]


@dataclass(frozen=True)
class LabelledSample:
    """One sample of fine-tuning."""

    key: Key
    image: NDArray[np.float32]
    tokens: Tokens
    labels: NDArray[np.int64]


class LabelledDataset(Dataset[LabelledSample]):
    """Random windows of labelled volumes; the key of a sample decides everything about it."""

    def __init__(self, release: Source, members: Sequence[Member], classes: Classes, config: FinetuneConfig) -> None:
        """Set a data set of these members."""
        self._arrays, self._labels = release.volumes(), release.labels()
        self._classes, self._config = classes, config
        names = {member.volume: member.label for member in members if member.label}
        self.facts, self.skipped = usable(self._arrays, sorted(names))
        self._names = names

    def __getitem__(self, key: Key) -> LabelledSample:
        """The sample at a place of the training."""
        config = self._config
        facts = self.facts[served(len(self.facts), config.seed, key.step * config.batch_size + key.slot)]
        draw = random(config.seed, CROP, key.step, key.slot)
        name = self._names[facts.volume]
        labels = self._labels.array(name)
        if labels.shape != facts.shape:
            raise TrainingError(
                f"found a label map of shape {labels.shape} for a volume of shape {facts.shape}, needed the same; "
                "map it onto the volume again (stage labels)"
            )
        step = int(draw.integers(facts.steps)) if facts.steps else 0
        place = window(facts, config.crop_mm, self._centre(labels, facts, draw), step)
        values, tissue = normalize(self._arrays.crop(facts.volume, *place.reading(facts)), facts)
        if config.augment:
            values = varied(values, random(config.seed, AUGMENT, key.step, key.slot))
        patch = patch_of(facts, config.model.patch_mm, config.model.patch_menu)
        tokens = tokens_of(values, tissue, facts, place, patch)
        box = tuple(slice(s, s + n) for s, n in zip(place.start, place.shape, strict=True))
        image = image_of(values, facts, place)
        return LabelledSample(key, image, tokens, self._classes.index(labels[box]))

    def _centre(self, labels: NDArray[Any], facts: Facts, draw: np.random.Generator) -> NDArray[np.int64]:
        """A voxel of a class that is drawn, each present class alike, or any voxel."""
        present = [value for value in np.unique(labels) if value]
        if present and draw.random() < self._config.foreground:
            voxels = np.flatnonzero(labels == present[draw.integers(len(present))])
            return np.array(np.unravel_index(voxels[draw.integers(len(voxels))], labels.shape))
        return draw.integers(0, facts.shape)


def varied(values: NDArray[np.float32], draw: np.random.Generator) -> NDArray[np.float32]:
    """Intensities as another scan might have given them: gamma, gain, offset, a smooth bias field, noise.

    Args:
        values: (x, y, z) normalized intensities.
        draw: random numbers.
    """
    unit = np.clip((values - RANGE[0]) / (RANGE[1] - RANGE[0]), 0, 1)
    varied = unit ** np.float32(np.exp(draw.normal(0, 0.1))) * (RANGE[1] - RANGE[0]) + RANGE[0]
    for axis, size in enumerate(values.shape):
        slope = np.linspace(-1, 1, size, dtype=np.float32) * np.float32(draw.normal(0, 0.05))
        varied = varied + np.expand_dims(slope, tuple(a for a in range(3) if a != axis))
    varied = varied * np.float32(np.exp(draw.normal(0, 0.05))) + np.float32(draw.normal(0, 0.05))
    varied = varied + draw.normal(0, 0.05, values.shape).astype(np.float32) * np.float32(draw.random())
    return np.clip(varied, *RANGE).astype(np.float32)


def collate_labelled(samples: Sequence[LabelledSample]) -> Windows:
    """Samples of a step to one batch."""
    return Windows(
        tuple(torch.from_numpy(sample.image) for sample in samples),
        pack([sample.tokens for sample in samples], [sample.key for sample in samples]),
        tuple(torch.from_numpy(sample.labels) for sample in samples),
    )
