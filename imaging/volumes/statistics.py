"""Numbers about a volume: intensity percentiles above the background, and a coarse map of where tissue is.

Belongs here: statistics that the lake keeps beside each volume. Quality measures with a meaning of their own are
another matter.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.volumes.volume import Volume

PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)

OCCUPANCY_BLOCK = 8
"""Edge of an occupancy block in voxels: small enough to follow a head's outline, 1/4096 of the voxels as bits."""

OCCUPANCY_SHARE = 1 / 64
"""Share of a block's voxels above the background from which it holds tissue; single noisy voxels do not count."""

DARK_SHARE = 0.3
"""A background is believed where its mean is below this share of the mean above it; otherwise the volume has none
(a crop inside tissue, a phase image), and all of it counts."""

FILLED_SPIKE = 3.0
"""How much more often than the next value the lowest one occurs where it was filled in, around what was measured."""

NOISE_SHARE = 0.12
"""Beside values that were filled in, a background is believed where its mean is below this share of the mean above it,
darker than any tissue of a stripped brain, and its voxels are more than this share."""

_BINS = 256
_DENSE_RANGE = 1 << 17
"""Integers over a range up to this, all of 16 bits, are counted in a table, which is exact and fast."""
_CHUNK = 1 << 18
"""Voxels counted at once; they stay in the processor's cache, which is ten times faster than all at once."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Numbers about a volume, as values (stored * slope + intercept).

    Attributes:
        threshold: voxels at or below it are background; below the lowest value where there is no background.
        percentiles: at `PERCENTILES` percent of the voxels above the background.
        mean: mean of the voxels above the background.
        std: their standard deviation.
        occupancy: which blocks hold tissue, one bit a block, C order over `occupancy_shape`, packed by numpy.packbits.
        occupancy_shape: blocks along x, y, z.
        levels: (n,) distinct values, rising, those of the background too.
        counts: (n,) how often each occurs.
        occupancy_block: edge of a block in voxels.
    """

    threshold: float
    percentiles: tuple[float, ...]
    mean: float
    std: float
    occupancy: bytes
    occupancy_shape: tuple[int, int, int]
    levels: Floats = field(repr=False, compare=False)
    counts: Floats = field(repr=False, compare=False)
    occupancy_block: int = OCCUPANCY_BLOCK


def statistics(volume: Volume) -> Statistics:
    """Percentiles, mean, deviation and occupancy of a volume.

    Percentiles are values that occur (inverse of the distribution function), exact for every integer type. Voxels that
    are not finite are left out. Missing slices are not looked at.
    """
    array = _without(volume.array, volume.missing_slices, volume.missing_axis)
    stored, numbers = _distribution(array)
    levels = stored.astype(np.float64) * volume.slope + volume.intercept
    if volume.slope < 0:
        levels, numbers = levels[::-1], numbers[::-1]
    threshold = background(levels, numbers)
    above = levels > threshold
    values, counts = levels[above], numbers[above]
    total = counts.sum()
    cumulative = np.cumsum(counts)
    ranks = np.maximum(np.ceil(np.array(PERCENTILES) / 100 * total), 1)
    mean = float((values * counts).sum() / total)
    variance = float((counts * (values - mean) ** 2).sum() / total)
    blocks = occupancy(volume, threshold)
    return Statistics(
        threshold=threshold,
        percentiles=tuple(float(v) for v in values[np.searchsorted(cumulative, ranks)]),
        mean=mean,
        std=float(np.sqrt(max(variance, 0.0))),
        occupancy=np.packbits(blocks, axis=None).tobytes(),
        occupancy_shape=(blocks.shape[0], blocks.shape[1], blocks.shape[2]),
        levels=levels,
        counts=numbers,
    )


def background(values: Floats, counts: Floats) -> float:
    """The value that separates background from tissue.

    Otsu's threshold on the logarithm of the intensities, clipped at their 99.5th percentile: air, with its Rician
    noise, is an order of magnitude darker than tissue, while tissues differ by a small factor. Where the darker class
    is not dark (see `DARK_SHARE`), or values are negative, as in phase images, there is no background.

    Args:
        values: (n,) distinct values, rising.
        counts: (n,) how often each occurs.

    Returns:
        The threshold; less than every value where there is no background.

    Source: N. Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9:62, 1979.
    """
    none = float(np.nextafter(values[0], -np.inf))
    if values[0] < 0 or values.size < 2:
        return none
    if values.size > 2 and counts[0] > FILLED_SPIKE * counts[1]:
        # what a scanner fills in is no noise, and would draw the cut between itself and noise
        cut, dark, share = _parted(values[1:], counts[1:])
        if dark < NOISE_SHARE and share > NOISE_SHARE:
            return cut
    cut, dark, _ = _parted(values, counts)
    return cut if dark < DARK_SHARE else none


def _parted(values: Floats, counts: Floats) -> tuple[float, float, float]:
    """Largest value of the darker class; its mean, as a share of the brighter one's; and its share of all."""
    # of all values but the lowest, which in a stripped or padded volume is most of it
    top = values[1:][min(np.searchsorted(np.cumsum(counts[1:]), 0.995 * counts[1:].sum()), values.size - 2)]
    shifted = np.log1p(np.minimum(values, top) / float(top) * 1000.0)
    histogram, edges = np.histogram(shifted, _BINS, weights=counts)
    dark = shifted < edges[otsu(histogram) + 1]
    if not dark.any() or dark.all():
        return float(values[0]), 1.0, 0.0
    means = [(values[part] * counts[part]).sum() / counts[part].sum() for part in (dark, ~dark)]
    return float(values[dark][-1]), float(means[0] / means[1]), float(counts[dark].sum() / counts.sum())


def occupancy(volume: Volume, threshold: float) -> NDArray[np.bool_]:
    """Which blocks hold tissue in any step.

    Args:
        volume: the volume.
        threshold: value at or below which a voxel is background.

    Returns:
        (ceil(x / 8), ceil(y / 8), ceil(z / 8)); blocks at the end may be smaller than 8 voxels.
    """
    tissue = _above(volume, threshold)
    sizes = [np.diff(np.append(np.arange(0, n, OCCUPANCY_BLOCK), n)) for n in tissue.shape]
    voxels = sizes[0][:, None, None] * sizes[1][None, :, None] * sizes[2][None, None, :]
    return np.asarray(_hits(tissue) >= np.maximum(np.ceil(voxels * OCCUPANCY_SHARE), 1))


def _hits(tissue: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many voxels of each block are set."""
    if tissue.flags.f_contiguous and not tissue.flags.c_contiguous:
        return _hits(tissue.T).T
    padded = np.pad(tissue, [(0, -n % OCCUPANCY_BLOCK) for n in tissue.shape])
    x, y, z = (n // OCCUPANCY_BLOCK for n in padded.shape)
    # eight bytes of 0 or 1 are one word; the product's highest byte is their sum, ten times faster than adding them
    words = np.ascontiguousarray(padded).view(np.uint64) * np.uint64(0x0101010101010101) >> np.uint64(56)
    rows = words.astype(np.uint16).reshape(x, OCCUPANCY_BLOCK, y, OCCUPANCY_BLOCK, z)
    return np.asarray(rows.sum(axis=(1, 3), dtype=np.int64))


def _above(volume: Volume, threshold: float) -> NDArray[np.bool_]:
    """(x, y, z) whether any step is above the threshold; missing slices are not."""
    array: NDArray[Any] = volume.array
    stored = (threshold - volume.intercept) / volume.slope
    if array.ndim == 4:
        array = array.max(axis=3) if volume.slope > 0 else array.min(axis=3)
    tissue = array > stored if volume.slope > 0 else array < stored
    for index in volume.missing_slices:
        tissue[(slice(None),) * volume.missing_axis + (index,)] = False
    return np.asarray(tissue)


def _without(array: NDArray[Any], missing: tuple[int, ...], axis: int) -> NDArray[Any]:
    return np.delete(array, missing, axis) if missing and len(missing) < array.shape[axis] else array


def _distribution(array: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
    """Distinct stored values, rising, and how often each occurs."""
    if array.dtype.kind == "f":
        array = array[np.isfinite(array)]
        if not array.size:
            return np.zeros(1), np.ones(1)
    else:
        low, high = int(array.min()), int(array.max())
        if high - low < _DENSE_RANGE:
            table = np.zeros(high - low + 1, np.int64)
            flat = array.ravel(order="K")
            for start in range(0, flat.size, _CHUNK):
                table += np.bincount(flat[start : start + _CHUNK].astype(np.int64) - low, minlength=table.size)
            present = np.flatnonzero(table)
            return present + low, table[present].astype(np.float64)
    values, counts = np.unique(array, return_counts=True)
    return values, counts.astype(np.float64)


def otsu(histogram: Floats) -> int:
    """The last bin of the lower class of a histogram that Otsu's threshold makes."""
    weight = np.cumsum(histogram)
    moment = np.cumsum(histogram * np.arange(histogram.size))
    below, above = weight[:-1], weight[-1] - weight[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (moment[-1] * below / weight[-1] - moment[:-1]) ** 2 / (below * above)
    between = np.nan_to_num(between, nan=-1.0, posinf=-1.0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    # the classes may be parted by an empty gap over which every cut is equally good: take its middle
    return int(best[best.size // 2])
