"""Labelled windows for fine-tuning: few subjects, crops around what is labelled, bent and with varied intensities.

Belongs here: which labels are used, what their values mean, and the data set. How windows are bent is
`training.data.deform`; those beside which there is no label are `training.data.unlabelled`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.deform import bent
from training.data.order import AUGMENT, CROP, random, served
from training.data.source import Arrays, Member, Source, usable
from training.data.tokens import Key, Tokens, pack, tokenize
from training.data.volume import RANGE, Facts, Window, measured, normalize, occupied, patch_of, window
from training.errors import TrainingError

SUBJECTS, DEFORM = 10, 11
"""Streams of random numbers that choose labelled subjects and bend windows; apart from those of `training.data`."""

ABSENT = np.float32(-1)
"""Intensity of what was not measured, that of the darkest tissue, as `training.data.volume.image_of` has it."""

MARGIN = 0.15
"""What is read beyond a window on each side before it is bent, against its extent: less comes from repeated borders."""


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
class Scene:
    """A window as it was read, bent if it is to be.

    Attributes:
        facts: the volume.
        values: (x, y, z) normalized intensities, the lowest one where nothing was measured.
        measured: (x, y, z) voxels that were measured.
        inside: (x, y, z) voxels that lie in the volume and were measured.
        tissue: (x, y, z) voxels above the background.
        labels: (x, y, z) label values or class indices; of no voxel where nothing is known.
    """

    facts: Facts
    values: NDArray[np.float32]
    measured: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    tissue: NDArray[np.bool_]
    labels: NDArray[Any]

    def sample(self, key: Key, config: FinetuneConfig, draw: np.random.Generator | None) -> "LabelledSample":
        """Its image and tokens, with varied intensities where random numbers are given."""
        values = self.values if draw is None else varied(self.values, draw)
        image = np.where(self.measured, values, ABSENT).astype(np.float32)
        patch = patch_of(self.facts, config.model.patch_mm, config.model.patch_menu)
        tokens = tokenize(image, self.inside, self.tissue, self.facts.spacing, patch)
        return LabelledSample(key, image, tokens, self.labels.astype(np.int64))


def scene(
    arrays: Arrays,
    labels: NDArray[Any] | None,
    facts: Facts,
    place: Window,
    strength: float,
    draw: np.random.Generator,
) -> Scene:
    """Read a window of a volume and its labels, and bend it.

    Args:
        arrays: where the voxels are.
        labels: (X, Y, Z) label values of the whole volume; None where nothing is known.
        facts: the volume.
        place: the window.
        strength: of the bending; 0: none.
        draw: random numbers of the bending.
    """
    wide = widened(place, facts) if strength else place
    values, tissue = normalize(arrays.crop(facts.volume, *wide.reading(facts)), facts)
    found = measured(facts, wide) & np.isfinite(values)
    values, tissue = np.where(found, values, ABSENT), tissue & occupied(facts, wide)
    known = np.zeros((0, 0, 0), np.int64) if labels is None else labels[box(wide)]
    if not strength:
        return Scene(facts, values, found, found, tissue, known)
    start = [a - b for a, b in zip(place.start, wide.start, strict=True)]
    bend = bent(place.shape, start, facts.spacing, strength, draw)
    inside, tissue = bend.nearest(found, beyond=False), bend.nearest(tissue, beyond=False)
    known = bend.nearest(known) if known.size else known
    return Scene(facts, bend.intensities(values), bend.nearest(found), inside, tissue, known)


def box(place: Window) -> tuple[slice, ...]:
    """The window as slices of its volume."""
    return tuple(slice(start, start + size) for start, size in zip(place.start, place.shape, strict=True))


def widened(place: Window, facts: Facts) -> Window:
    """A window with a margin on each side, as far as the volume goes."""
    margin = [round(MARGIN * n) for n in place.shape]
    first = [max(0, s - m) for s, m in zip(place.start, margin, strict=True)]
    last = [min(n, s + e + m) for s, e, m, n in zip(place.start, place.shape, margin, facts.shape, strict=True)]
    x, y, z = (b - a for a, b in zip(first, last, strict=True))
    return Window((first[0], first[1], first[2]), (x, y, z), place.step)


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
        return self.at(key, key.step * config.batch_size + key.slot)

    def at(self, key: Key, position: int) -> LabelledSample:
        """The sample of a key at a place of the order in which volumes are served."""
        config = self._config
        facts = self.facts[served(len(self.facts), config.seed, position)]
        draw = random(config.seed, CROP, key.step, key.slot)
        labels = self._labels.array(self._names[facts.volume])
        if labels.shape != facts.shape:
            raise TrainingError(
                f"found a label map of shape {labels.shape} for a volume of shape {facts.shape}, needed the same; "
                "map it onto the volume again (stage labels)"
            )
        step = int(draw.integers(facts.steps)) if facts.steps else 0
        place = window(facts, config.crop_mm, self._centre(labels, facts, draw), step)
        bending = random(config.seed, DEFORM, key.step, key.slot)
        seen = scene(self._arrays, labels, facts, place, config.deform, bending)
        seen = replace(seen, labels=self._classes.index(seen.labels))
        return seen.sample(key, config, random(config.seed, AUGMENT, key.step, key.slot) if config.augment else None)

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
