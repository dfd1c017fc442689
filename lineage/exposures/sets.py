"""What a training served as few compressed sets: exactly which volumes, how often, and in which epoch.

Belongs here: the arithmetic of sets of numbers. Which volume has which number is `lineage.exposures.register`.

A training is a list of passes: a set, and in how many epochs, one after the other, it was served whole. An order that
serves every volume once an epoch makes two of them, however long it is: the full epochs, and the one it stopped in. So
a hundred epochs over 200,000 volumes are some tens of kilobytes.

Source of the compressed sets: Lemire, Kai, Kaser, Consistently faster and smaller compressed bitmaps with Roaring,
Software: Practice and Experience 46(11), 2016; portable format: github.com/RoaringBitmap/RoaringFormatSpec.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Pass:
    """A set of volumes that was served whole, once an epoch.

    Attributes:
        times: in how many epochs, one after the other.
        volumes: numbers of the volumes.
    """

    times: int
    volumes: BitMap


def passes(counts: Mapping[int, int]) -> list[Pass]:
    """The passes of an order that serves every volume at most once an epoch, and none twice before all others once.

    Of any other order they say how often each volume was served, exactly, and not in which epoch.

    Args:
        counts: number of a volume to samples; in any order.
    """
    numbers = np.fromiter(counts.keys(), np.int64, len(counts))
    samples = np.fromiter(counts.values(), np.int64, len(counts))
    found, before = [], 0
    for count in np.unique(samples[samples > 0]).tolist():
        found.append(Pass(count - before, _set(numbers[samples >= count])))
        before = count
    return found


def passes_of(epochs: Iterable[Collection[int]]) -> list[Pass]:
    """The passes of epochs whose sets are known; those that served the same, one after the other, are one."""
    found: list[Pass] = []
    for volumes in (_set(np.fromiter(epoch, np.int64, len(epoch))) for epoch in epochs):
        if found and found[-1].volumes == volumes:
            found[-1] = Pass(found[-1].times + 1, volumes)
        elif volumes:
            found.append(Pass(1, volumes))
    return found


def seen(of: Iterable[Pass]) -> BitMap:
    """Every volume that was served."""
    return BitMap.union(BitMap(), *(each.volumes for each in of))


def counted(of: Sequence[Pass]) -> tuple[Numbers, Numbers]:
    """(n,) numbers of the volumes that were served, ascending, and (n,) how often each was."""
    numbers = members(seen(of))
    samples = np.zeros(len(numbers), np.int64)
    for each in of:
        samples[np.searchsorted(numbers, members(each.volumes))] += each.times
    return numbers, samples


def epoch(of: Iterable[Pass], number: int) -> BitMap:
    """What was served in an epoch, counted from 1; nothing after the last."""
    for each in of:
        number -= each.times
        if number <= 0:
            return each.volumes
    return BitMap()


def epochs(of: Iterable[Pass]) -> int:
    """How many epochs there were, the last one perhaps not whole."""
    return sum(each.times for each in of)


def members(volumes: BitMap) -> Numbers:
    """(n,) numbers in a set, ascending."""
    return np.frombuffer(volumes.to_array(), np.uint32).astype(np.int64)


def packed(volumes: BitMap) -> tuple[str, bytes]:
    """SHA-256 and bytes of a set; the same for the same set, however it was put together."""
    again = _set(members(volumes))
    again.run_optimize()
    data = again.serialize()
    return hashlib.sha256(data).hexdigest(), data


def unpacked(data: bytes) -> BitMap:
    """A set from its bytes."""
    return BitMap.deserialize(data)


def _set(numbers: Numbers) -> BitMap:
    return BitMap(np.sort(numbers).astype(np.uint32))
