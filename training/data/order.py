"""In which order a training is served, without end: a function of a seed, whoever asks, on any number of processes.

Belongs here: order, exposure counts and random numbers. A training that starts again at step k is served what it would
have been served, without any state of a loader.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from training.data.tokens import Key
from training.errors import TrainingError

ORDER, CROP, MASK, AUGMENT = range(4)
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
    epochs, rest = divmod(batch_size * steps, len(items))
    counts = Counter(dict.fromkeys(items, epochs)) if epochs else Counter()
    counts.update(items[i] for i in _order(len(items), seed, epochs)[:rest])
    return dict(sorted(counts.items()))


class EndlessSampler(Sampler[list[Key]]):
    """The slots of each step that one process serves, from a step on, without end."""

    def __init__(self, batch_size: int, start: int = 0, rank: int = 0, world_size: int = 1) -> None:
        """Set a sampler.

        Args:
            batch_size: samples a step, all processes together.
            start: first step.
            rank: this process.
            world_size: processes.

        Raises:
            TrainingError: if the batch cannot be shared out equally, which would weigh samples unequally.
        """
        if batch_size % world_size:
            raise TrainingError(
                f"batch_size: found {batch_size} over {world_size} processes, needed a multiple of their number"
            )
        self._slots = range(rank, batch_size, world_size)
        self._start = start

    def __iter__(self) -> Iterator[list[Key]]:
        """Batches of keys."""
        step = self._start
        while True:
            yield [Key(step, slot) for slot in self._slots]
            step += 1
