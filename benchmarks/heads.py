"""Made-up heads for measurements of storage, and the windows that are cut from them.

Belongs here: what is stored and read. Ways of storing it are `benchmarks.crops` and `benchmarks.codecs`.
"""

import numpy as np
from numpy.typing import NDArray

SHAPE, CROP = (224, 224, 160), 96
"""A 1 mm head, and the crop that pre-training of 3D models takes."""
MEGABYTES = float(np.prod(SHAPE)) * 2 / 1e6
"""Of one head as 16-bit integers."""

Window = tuple[slice, ...]
WHOLE: Window = tuple(slice(0, n) for n in SHAPE)


def head(seed: int) -> NDArray[np.int16]:
    """A bright ellipsoid with texture in a Rician background, as compressible as a head."""
    random = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1.2, 1.2, n) for n in SHAPE), indexing="ij", sparse=True)
    inside = sum(axis**2 for axis in axes) < 1
    signal = np.where(inside, 600 + 200 * np.sin(8 * axes[0]) * np.cos(7 * axes[1]), 0)
    noise = random.normal(0, 12, (2, *SHAPE))
    return np.hypot(signal + noise[0], noise[1]).astype(np.int16)


def windows(number: int) -> list[Window]:
    """Windows of `CROP` voxels an edge, the same in every run."""
    random = np.random.default_rng(0)
    starts = [[int(random.integers(0, n - CROP)) for n in SHAPE] for _ in range(number)]
    return [tuple(slice(s, s + CROP) for s in start) for start in starts]
