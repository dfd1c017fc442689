"""Checkpoints as they were recorded, each with what its own training served and which checkpoints it came from.

Belongs here: reading them, of lakes of any age, and the way from a checkpoint to its ancestors. Asking whom they saw is
`lineage.exposures.exposures`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
from pyroaring import BitMap

from lake.zones import Lake
from lineage.exposures import kept, older, register
from lineage.exposures.sets import Pass, unpacked
from lineage.exposures.training import Checkpoint, Training
from schemas.tables import EXPOSED_CHECKPOINTS, EXPOSURE_SETS


@dataclass(frozen=True)
class Records:
    """What is recorded of all checkpoints.

    Attributes:
        checkpoints: in the order in which they were recorded; a model that was trained again has several.
        volumes: the register, `number` and the columns that were asked for.
        older: sets of lakes that were recorded by an older version, by digest.
    """

    checkpoints: list[Checkpoint]
    volumes: pa.Table
    older: Mapping[str, BitMap]
    _lake: Lake

    @classmethod
    def read(cls, lake: Lake, columns: tuple[str, ...] = register.KEYS) -> "Records":
        """Read them.

        Args:
            lake: the lake.
            columns: what is needed of the volumes.
        """
        before = older.read(lake)
        volumes = before.volumes.select(["number", *columns]) if before else register.volumes(lake, columns)
        found = list(_checkpoints(lake))
        there = {each.name for each in found}
        first = [each for each in before.checkpoints if each.name not in there] if before else []
        return cls([*first, *found], volumes, before.sets if before else {}, lake)

    @cached_property
    def newest(self) -> dict[str, Checkpoint]:
        """The last recorded checkpoint of each model."""
        return {each.model: each for each in self.checkpoints}

    @cached_property
    def by_weights(self) -> dict[str, list[Checkpoint]]:
        """Checkpoints of each digest of weights; the same weights can stand under several names."""
        found: dict[str, list[Checkpoint]] = {}
        for each in self.checkpoints:
            found.setdefault(each.weights, []).append(each)
        return found

    def parents(self, checkpoint: Checkpoint) -> list[Checkpoint]:
        """The checkpoints that it came from directly."""
        return [parent for weights in checkpoint.parents for parent in self.by_weights.get(weights, [])]

    @cached_property
    def _children(self) -> dict[str, list[Checkpoint]]:
        found: dict[str, list[Checkpoint]] = {}
        for each in self.checkpoints:
            for weights in each.parents:
                found.setdefault(weights, []).append(each)
        return found

    def descendants(self, checkpoint: Checkpoint) -> list[Checkpoint]:
        """It and all that came from it, each once, itself first."""
        return _reached(checkpoint, lambda each: self._children.get(each.weights, []))

    def family(self, checkpoint: Checkpoint) -> list[Checkpoint]:
        """It and all that it came from, each once, itself first."""
        return _reached(checkpoint, self.parents)

    def sets(self) -> Iterator[tuple[str, BitMap]]:
        """Digest and volumes of every set that is recorded."""
        for batch in kept.batches(self._lake.table(EXPOSURE_SETS), ["digest", "bitmap"]):
            for digest, data in zip(batch["digest"].to_pylist(), batch["bitmap"].to_pylist(), strict=True):
                yield digest, unpacked(data)
        yield from self.older.items()

    def passes(self, trainings: list[Training]) -> list[list[Pass]]:
        """What each of these trainings served."""
        wanted = {digest for training in trainings for digest in training.sets}
        found = {digest: volumes for digest, volumes in self.sets() if digest in wanted}
        return [
            [Pass(times, found[digest]) for times, digest in zip(training.times, training.sets, strict=True)]
            for training in trainings
        ]


def _reached(first: Checkpoint, further: Callable[[Checkpoint], list[Checkpoint]]) -> list[Checkpoint]:
    found: dict[Checkpoint, None] = {}
    waiting = [first]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = None
            waiting += further(each)
    return list(found)


def _checkpoints(lake: Lake) -> Iterator[Checkpoint]:
    columns = ["sequence", "model", "checkpoint", "release", "parents", "times", "sets"]
    rows = kept.read(lake.table(EXPOSED_CHECKPOINTS), columns).sort_by("sequence").to_pydict()
    for model, weights, release, parents, times, sets in zip(*(rows[name] for name in columns[1:]), strict=True):
        yield Checkpoint(model, weights, tuple(parents), (Training(model, release, tuple(times), tuple(sets)),))
