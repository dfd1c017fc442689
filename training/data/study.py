"""Studies: the series of one examination as one sample, some of them left out, none of them made up.

Belongs here: which volumes make a study, which of them a sample shows, where their tokens are in the patient. How a
window of one volume is read is `training.data.windows`; which windows attend to one another is told by
`Windows.studies` and done in `training.networks.attention`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from training.config.pretrain import StudyConfig
from training.data.batch import Windows
from training.data.conditions import conditions_of, forget
from training.data.order import EqualSteps, Steps, random, served
from training.data.raw import Cut, Raw
from training.data.source import Arrays
from training.data.tokens import Key, pack_plans
from training.data.windows import Sample

SERIES, FORGET = 30, 31
"""Streams of random numbers that leave out series, and what is known of them; apart from those of
`training.data.order`."""

ONE_BY_ONE = EqualSteps(1)
"""How the data set of single volumes is to cut its order, so that a study finds its volumes in it: `Key(p, 0)` is what
the order serves at position p."""


@dataclass(frozen=True)
class Known:
    """What is known of a volume besides what `training.data.volume.Facts` says.

    Attributes:
        study: what it belongs to.
        affine: (4, 4) from voxel index to RAS+ millimetres.
        conditions: (C,) as `training.data.conditions.conditions_of`.
    """

    study: str
    affine: NDArray[np.float64]
    conditions: NDArray[np.float32]


def known(
    arrays: Arrays, volumes: Sequence[str], described: Mapping[str, Mapping[str, Any]], *, alone: bool = False
) -> list[Known]:
    """What is known of volumes.

    Args:
        arrays: table of the volumes.
        volumes: their ids.
        described: volume to its row of `curated/series`, as `Source.described` gives them.
        alone: take each volume for a study of its own.
    """
    return [
        Known(
            volume if alone else row["study"],
            np.array(row["affine"], dtype=np.float64).reshape(4, 4),
            conditions_of(row, described.get(volume)),
        )
        for volume, row in zip(volumes, arrays.rows(volumes), strict=True)
    ]


class Studies:
    """The studies of some volumes, in the order in which each first appears, and which volumes a sample shows."""

    def __init__(self, of: Sequence[str], config: StudyConfig, seed: int) -> None:
        """Group volumes.

        Args:
            of: study of each volume.
            config: how series are left out.
            seed: seed of the training.
        """
        self._config, self._seed = config, seed
        names = {name: place for place, name in enumerate(dict.fromkeys(of))}
        self._study = np.array([names[name] for name in of], dtype=np.int64)
        self._volumes = np.argsort(self._study, kind="stable")
        self._ends = np.concatenate([[0], np.bincount(self._study).cumsum()])

    def __len__(self) -> int:
        """Number of studies."""
        return len(self._ends) - 1

    def at(self, position: int) -> list[int]:
        """The volumes that the sample at a position of the training shows: some of one study, at least one."""
        study, epoch = served(len(self), self._seed, position), position // len(self)
        shown = _shown(self, epoch)
        return [int(v) for v in self._volumes[self._ends[study] : self._ends[study + 1]] if shown[v]]

    def place(self, volume: int, epoch: int) -> int:
        """Position at which the order of single volumes serves a volume in an epoch."""
        return int(_places(len(self._study), self._seed, epoch)[volume])

    def exposure(self, volumes: Sequence[str], samples: int) -> dict[str, int]:
        """How often each volume was shown in the first samples of a training; what was left out does not count."""
        counts: Counter[str] = Counter()
        for epoch in range(samples // len(self)):
            counts.update(volumes[v] for v in np.flatnonzero(_shown(self, epoch)).tolist())
        for position in range(samples // len(self) * len(self), samples):
            counts.update(volumes[v] for v in self.at(position))
        return dict(sorted(counts.items()))

    def shown(self, epoch: int) -> NDArray[np.bool_]:
        """(volumes,) which are shown in an epoch.

        Each is left out by chance, then all but as many as are wanted, at random; a study never loses its last one.
        """
        chance = random(self._seed, SERIES, epoch).random(len(self._study))
        ranked = np.lexsort((-chance, self._study))
        rank = np.empty(len(ranked), dtype=np.int64)
        rank[ranked] = np.arange(len(ranked)) - self._ends[self._study[ranked]]
        stays: NDArray[np.bool_] = (chance >= self._config.series_dropout) & (rank < self._config.most_series)
        return stays | (rank == 0)


@lru_cache(maxsize=4)
def _shown(studies: Studies, epoch: int) -> NDArray[np.bool_]:
    return studies.shown(epoch)


@lru_cache(maxsize=4)
def _places(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """(count,) position at which each item is served in an epoch."""
    first = epoch * count
    return first + np.argsort([served(count, seed, first + place) for place in range(count)])


@dataclass(frozen=True)
class Shown:
    """One volume of a sample: its windows, where it is in the patient, and how it was acquired.

    Attributes:
        sample: its windows.
        affine: (4, 4) from voxel index to RAS+ millimetres.
        conditions: (C,) as far as they are told.
    """

    sample: Sample
    affine: NDArray[np.float64]
    conditions: NDArray[np.float32]

    def centre(self, cut: Cut) -> NDArray[np.float64]:
        """(3,) middle of a window in RAS+ millimetres."""
        middle = np.array(self.sample.start) + cut.start + (np.array(cut.shape) - 1) / 2
        return np.asarray(self.affine[:3, :3] @ middle + self.affine[:3, 3])

    def positions(self, cut: Cut, origin: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n, 3) centres of a window's tokens in millimetres along the patient's axes, from a point of the patient."""
        axes = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return (cut.plan.positions @ axes.T + (self.centre(cut) - origin)).astype(np.float32)


class StudyDataset(Dataset[tuple[Shown, ...]]):
    """Studies as samples: for each of its series that is shown, what the data set of single volumes serves of it.

    A series' windows are those that a training on single volumes would see of it in the same epoch, so that crops,
    masks and variations are decided in one place. A series that is left out, or was never acquired, is not there.
    """

    def __init__(
        self,
        windows: Dataset[Sample],
        volumes: Sequence[Known],
        config: StudyConfig,
        seed: int,
        steps: Steps,
    ) -> None:
        """Set a data set.

        Args:
            windows: gives samples of the volumes by key, with `ONE_BY_ONE` as its steps and the same seed.
            volumes: what is known of them, in its order.
            config: how series and conditions are left out.
            seed: seed of the training.
            steps: how the order of studies is cut into steps.
        """
        self.studies = Studies([volume.study for volume in volumes], config, seed)
        self._windows, self._volumes, self._config = windows, volumes, config
        self._seed, self._steps = seed, steps

    def __getitem__(self, key: Key) -> tuple[Shown, ...]:
        """The sample at a place of the training."""
        position = self._steps.first(key.step) + key.slot
        epoch = position // len(self.studies)
        return tuple(self._shown(volume, self.studies.place(volume, epoch)) for volume in self.studies.at(position))

    def _shown(self, volume: int, place: int) -> Shown:
        found, draw = self._volumes[volume], random(self._seed, FORGET, place)
        told = forget(found.conditions, self._config.condition_dropout if self._config.conditions else 1.0, draw)
        return Shown(self._windows[Key(place, 0)], found.affine, told)


@dataclass(frozen=True)
class Gather:
    """Samples of a step to one batch; can be sent to loader processes.

    Attributes:
        attend: study, so that tokens of a study's series attend to one another and lie along the patient's axes, in
            millimetres from the middle of its windows; or series, so that each window is as it would be alone.
    """

    attend: str

    def __call__(self, studies: Sequence[tuple[Shown, ...]]) -> Raw:
        """The batch, whose windows a device is still to make; each series of a study is a sample of it.

        Windows of one kind and number stand together, a study's series beside one another: views of a study attend to
        themselves alone, as views of a volume do.
        """
        series = [shown for study in studies for shown in study]
        firsts = np.cumsum([0, *(len(study) for study in studies)])
        groups = [
            [(place, series[place].sample.cuts[number]) for place in range(first, last)]
            for first, last in pairwise(firsts)
            for number in range(len(series[first].sample.cuts))
        ]
        if self.attend == "series":  # windows of a sample stand together, as without studies
            groups = [[(place, cut)] for place, shown in enumerate(series) for cut in shown.sample.cuts]
        cuts = [found for group in groups for found in group]
        frame = Windows(
            images=(),
            tokens=pack_plans(
                [cut.plan for _, cut in cuts],
                [series[place].sample.key for place, _ in cuts],
                [cut.extras for _, cut in cuts],
            ),
            kinds=tuple(cut.kind for _, cut in cuts),
            samples=tuple(place for place, _ in cuts),
            conditions=torch.from_numpy(np.stack([series[place].conditions for place, _ in cuts])),
        )
        if self.attend == "study":
            positions = np.concatenate([_together([(series[place], cut) for place, cut in group]) for group in groups])
            frame = replace(
                frame,
                studies=tuple(number for number, group in enumerate(groups) for _ in group),
                tokens=replace(frame.tokens, positions=torch.from_numpy(positions)),
            )
        return Raw(frame, tuple(cut for _, cut in cuts), tuple(shown.sample.crop for shown in series))

    def collate(self, studies: Sequence[tuple[Shown, ...]]) -> Windows:
        """As calling it, with the windows made where the caller is."""
        return self(studies).on_device()


def _together(windows: Sequence[tuple[Shown, Cut]]) -> NDArray[np.float32]:
    """(T, 3) positions of tokens of windows that attend to one another.

    Coordinates of a scanner hold for all series of a study whose patient lay still, which is what registration-free
    reading relies on, too. Rotary attention knows differences alone, so the common middle only keeps numbers small.
    """
    origin = np.mean([shown.centre(cut) for shown, cut in windows], axis=0)
    return np.concatenate([shown.positions(cut, origin) for shown, cut in windows])
