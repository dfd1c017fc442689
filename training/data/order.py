"""In which order a training is served, without end: a function of a seed, whoever asks, on any number of processes.

Belongs here: order, exposure counts and random numbers. A training that starts again at step k is served what it would
have been served, without any state of a loader.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from training.data.tokens import Key
from training.errors import TrainingError

ORDER, CROP, MASK, AUGMENT, VIEW = range(5)
"""Streams of random numbers, so that adding a draw to one does not shift another."""


def random(seed: int, stream: int, *place: int) -> np.random.Generator:
    """The random numbers of a place in a training, the same whoever asks, whenever."""
    return np.random.default_rng([seed, stream, *place])


def served(count: int, seed: int, position: int) -> int:
    """Which of `count` items is served at a position: every item once an epoch, each epoch in an order of its own."""
    epoch, place = divmod(position, count)
    return int(_order(count, seed, epoch)[place])


@lru_cache(maxsize=8)
def _order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return random(seed, ORDER, epoch).permutation(count)


class Steps(Protocol):
    """How the endless order is cut into steps: a function of the configuration, whoever asks."""

    def first(self, step: int) -> int:
        """Position of a step's first sample in the order, which is how many samples were served before it."""

    def keys(self, step: int, rank: int, world_size: int) -> list[Key]:
        """What one process serves in a step; never nothing.

        Raises:
            TrainingError: if the step cannot be shared out to so many.
        """


@dataclass(frozen=True)
class EqualSteps:
    """Steps of as many samples each.

    Attributes:
        batch_size: samples a step, all processes together.
    """

    batch_size: int

    def first(self, step: int) -> int:
        """Position of a step's first sample."""
        return step * self.batch_size

    def keys(self, step: int, rank: int, world_size: int) -> list[Key]:
        """Every `world_size`-th sample of the step.

        Raises:
            TrainingError: if processes would serve different numbers of samples.
        """
        if self.batch_size % world_size:
            raise TrainingError(
                f"batch_size: found {self.batch_size} over {world_size} processes, needed a multiple of their number"
            )
        return [Key(step, slot) for slot in range(rank, self.batch_size, world_size)]


def exposure(items: Sequence[str], seed: int, batch_size: int, steps: int) -> dict[str, int]:
    """How often each item was served in the first steps of a training, whatever the number of processes.

    Args:
        items: what is served, in the order of the data set.
        seed: seed of the training.
        batch_size: samples a step, all processes together.
        steps: steps done.

    Returns:
        Item to samples; items never served are left out.
    """
    return exposed(items, seed, batch_size * steps)


def exposed(items: Sequence[str], seed: int, samples: int) -> dict[str, int]:
    """How often each item was among the first samples of a training: after n steps these are `Steps.first(n)`.

    Args:
        items: what is served, in the order of the data set.
        seed: seed of the training.
        samples: samples served, all processes together.

    Returns:
        Item to samples; items never served are left out.
    """
    epochs, rest = divmod(samples, len(items))
    counts = Counter(dict.fromkeys(items, epochs)) if epochs else Counter()
    counts.update(items[i] for i in _order(len(items), seed, epochs)[:rest])
    return dict(sorted(counts.items()))


class EndlessSampler(Sampler[list[Key]]):
    """What one process serves in each step, from a step on, without end."""

    def __init__(self, steps: Steps | int, start: int = 0, rank: int = 0, world_size: int = 1) -> None:
        """Set a sampler.

        Args:
            steps: how the order is cut into steps; a number: so many samples a step, all processes together.
            start: first step.
            rank: this process.
            world_size: processes.

        Raises:
            TrainingError: if steps cannot be shared out to so many processes.
        """
        self._steps = EqualSteps(steps) if isinstance(steps, int) else steps
        self._start, self._place = start, (rank, world_size)
        self._steps.keys(start, *self._place)

    def __iter__(self) -> Iterator[list[Key]]:
        """Batches of keys."""
        step = self._start
        while True:
            yield self._steps.keys(step, *self._place)
            step += 1
