"""An order in which most steps take their volumes from one group, such as a body part.

Belongs here: rearranging the order of `training.data.order`. Each epoch still serves every item once, and what a step
is served is a function of seed and step alone.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from functools import lru_cache

from training.data.order import exposure, random, served
from training.data.tokens import Key

REGIONS = 21
"""Stream of random numbers that orders whole steps; apart from those of `training.data.order`."""


class Order:
    """The order of a training: as `training.data.order` has it, rearranged by groups where there are several."""

    def __init__(self, groups: Sequence[Hashable], seed: int, batch_size: int) -> None:
        """Set an order.

        Args:
            groups: group of each item.
            seed: seed of the training.
            batch_size: samples a step, all processes together.
        """
        self._groups, self._seed, self._batch = tuple(groups), seed, batch_size
        self._rearranged = lru_cache(maxsize=4)(self._rearrange) if len(set(groups)) > 1 else None

    def __reduce__(self) -> tuple[type["Order"], tuple[Sequence[Hashable], int, int]]:
        """Loader processes get what it was made of."""
        return type(self), (self._groups, self._seed, self._batch)

    def key(self, key: Key) -> Key:
        """The key of the plain order whose sample is served at a place of this one."""
        if self._rearranged is None:
            return key
        epoch, place = divmod(key.step * self._batch + key.slot, len(self._groups))
        return Key(*divmod(epoch * len(self._groups) + self._rearranged(epoch)[place], self._batch))

    def exposure(self, items: Sequence[str], steps: int) -> dict[str, int]:
        """How often each item was served in the first steps, as `training.data.order.exposure`."""
        if self._rearranged is None:
            return exposure(items, self._seed, self._batch, steps)
        epochs, rest = divmod(self._batch * steps, len(items))
        counts = Counter(dict.fromkeys(items, epochs)) if epochs else Counter()
        first = epochs * len(items)
        counts.update(items[served(len(items), self._seed, first + p)] for p in self._rearranged(epochs)[:rest])
        return dict(sorted(counts.items()))

    def _rearrange(self, epoch: int) -> list[int]:
        """Places of an epoch in a new order: whole steps of one group where there are enough of it, the rest mixed."""
        count, size = len(self._groups), self._batch
        of: dict[Hashable, list[int]] = {}
        for place in range(count):
            of.setdefault(self._groups[served(count, self._seed, epoch * count + place)], []).append(place)
        whole = [places[i : i + size] for places in of.values() for i in range(0, len(places) - size + 1, size)]
        mixed = sorted(place for places in of.values() for place in places[len(places) // size * size :])
        whole = [whole[i] for i in random(self._seed, REGIONS, epoch).permutation(len(whole))]
        # the epoch begins inside a step: what fills that step comes before the whole ones
        lead = min(-epoch * count % size, count)
        while len(mixed) < lead and whole:
            mixed += whole.pop()
        return [*mixed[:lead], *(place for step in whole for place in step), *mixed[lead:]]
