"""Steps by a budget of tokens instead of a number of volumes.

Belongs here: how many tokens a volume's windows take, how the endless order is cut into steps that hold about as many
tokens each, and how a step is dealt to processes so that none waits for another.

A step takes samples in their order for as long as they fit into `ranks` packs of `budget` tokens, each put where there
is most room. `ranks` is a number of the configuration, not of the processes at hand: on any number of processes the
steps and the order of samples are the same, and only who serves a sample of a step differs. With at least `ranks`
processes none exceeds the budget; with fewer each has more to do, in parts where `micro_tokens` says so.
"""

import heapq
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from training.config.model import ModelConfig
from training.data.order import served
from training.data.plan import layout, planned
from training.data.tokens import Key, grid_of
from training.data.views import View
from training.data.volume import Facts, Window, patch_of
from training.errors import TrainingError


def limits(
    facts: Sequence[Facts], model: ModelConfig, crop_mm: Sequence[float], views: Sequence[View]
) -> NDArray[np.int64]:
    """(volumes, views) tokens that the fullest window of a volume has, from its row alone.

    No more than the window has room for at the view's largest share, and no more than the occupancy map shows in the
    whole volume.
    """
    found = np.empty((len(facts), len(views)), np.int64)
    for row, volume in enumerate(facts):
        patch = patch_of(volume, model.patch_mm, model.patch_menu)
        whole = len(planned(volume, layout(volume, Window((0, 0, 0), volume.shape), patch)))
        for column, view in enumerate(views):
            edges = [
                min(n, max(1, round(mm * view.share[1] / size)))
                for n, mm, size in zip(volume.shape, crop_mm, volume.spacing, strict=True)
            ]
            found[row, column] = min(whole, int(np.prod(grid_of(edges, patch))))
    return found


def costs(most: NDArray[np.int64], views: Sequence[View]) -> NDArray[np.int64]:
    """(volumes,) tokens that a sample of each volume takes, all its windows together.

    Args:
        most: (volumes, views) of `limits`.
        views: windows that each sample gives.
    """
    return most @ np.array([view.count for view in views], np.int64)


class PackedSteps:
    """Steps of about as many tokens each; fulfils `training.data.order.Steps`."""

    def __init__(self, costs: Sequence[int], seed: int, budget: int, ranks: int) -> None:
        """Set how an order is cut.

        Args:
            costs: tokens of a sample of each item.
            seed: seed of the order.
            budget: most tokens of a pack, unless a single sample has more: that is a pack of its own.
            ranks: packs a step.
        """
        self._costs = [int(cost) for cost in costs]
        self._seed, self._budget, self._ranks = seed, budget, ranks
        self._firsts = [0]
        self._dealt = lru_cache(maxsize=8)(self._deal)

    def __reduce__(self) -> tuple[type["PackedSteps"], tuple[list[int], int, int, int]]:
        """Loader processes get what it was made of."""
        return type(self), (self._costs, self._seed, self._budget, self._ranks)

    def first(self, step: int) -> int:
        """Position of a step's first sample; steps before it are gone through once, by their costs alone."""
        while len(self._firsts) <= step:
            position = self._firsts[-1]
            self._firsts.append(position + sum(map(len, self._taken(position))))
        return self._firsts[step]

    def keys(self, step: int, rank: int, world_size: int) -> list[Key]:
        """The samples that one process serves in a step.

        Raises:
            TrainingError: if the step has fewer samples than there are processes.
        """
        dealt = self._dealt(step, world_size)
        if not all(dealt):
            raise TrainingError(
                f"tokens_per_rank: found a step of {sum(map(len, dealt))} samples for {world_size} processes, needed "
                "one for each; use more tokens_per_rank, or fewer processes"
            )
        return [Key(step, slot) for slot in dealt[rank]]

    def _cost(self, position: int) -> int:
        return self._costs[served(len(self._costs), self._seed, position)]

    def _taken(self, position: int) -> list[list[int]]:
        """Positions from one on that make a step, in packs: each is put where there is most room, while it fits."""
        packs: list[list[int]] = [[] for _ in range(self._ranks)]
        loads = [(0, pack) for pack in range(self._ranks)]
        while True:
            load, pack = loads[0]
            cost = self._cost(position)
            if load and load + cost > self._budget:
                return packs
            packs[pack].append(position)
            heapq.heapreplace(loads, (load + cost, pack))
            position += 1

    def _deal(self, step: int, world_size: int) -> list[list[int]]:
        """The slots of a step for each process."""
        first = self.first(step)
        count = self.first(step + 1) - first
        tokens = [self._cost(first + slot) for slot in range(count)]
        dealt = shared_out(tokens, world_size)
        if world_size == self._ranks and max(sum(tokens[slot] for slot in part) for part in dealt) > self._budget:
            # what fits in one arrangement need not fit in a better balanced one
            dealt = [[position - first for position in pack] for pack in self._taken(first)]
        return dealt


def shared_out(tokens: Sequence[int], count: int) -> list[list[int]]:
    """Samples dealt to `count` parts of about equal tokens; none is empty where there are as many samples.

    The largest goes first, each to the part that has least so far (Graham, Bounds on Multiprocessing Timing Anomalies,
    1969: at most 4/3 of the best). No two parts differ by more than the largest sample.

    Args:
        tokens: of each sample, at least 1.
        count: parts.

    Returns:
        Places of the samples of each part, ascending.
    """
    parts: list[list[int]] = [[] for _ in range(count)]
    loads = [(0, part) for part in range(count)]
    for place in sorted(range(len(tokens)), key=lambda i: (-tokens[i], i)):
        load, part = loads[0]
        parts[part].append(place)
        heapq.heapreplace(loads, (load + tokens[place], part))
    return [sorted(part) for part in parts]
