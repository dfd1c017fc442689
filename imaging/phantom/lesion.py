"""Lesions: where they may be, and one that is.

Belongs here: what the head, the knee and the reports all say of a lesion.
"""

from dataclasses import dataclass

import numpy as np

FRAME_RIGHT = 1
"""Sign of x on the person's right side in the frames of head and knee."""


@dataclass(frozen=True)
class Site:
    """A place where a lesion may grow.

    Attributes:
        name: as a radiologist names it.
        centre: mm in the frame of the body part; of a paired site, on the right.
        paired: whether the left side has it too.
    """

    name: str
    centre: tuple[float, float, float]
    paired: bool = False


@dataclass(frozen=True)
class Lesion:
    """An ellipsoid of diseased tissue.

    Attributes:
        site: where, as a radiologist says it.
        centre: mm in the frame of the body part.
        radii: semi-axes in mm.
        turn: angles that turn the axes, degrees.
    """

    site: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    turn: tuple[float, float, float]

    @property
    def size_mm(self) -> int:
        """Longest diameter, rounded as reports round it."""
        return round(2 * max(self.radii))


def grown(rng: np.random.Generator, sites: tuple[Site, ...], radii: tuple[float, float]) -> Lesion:
    """A lesion at one of the sites, of random size and turn."""
    site = sites[int(rng.integers(len(sites)))]
    x, y, z = site.centre
    side = FRAME_RIGHT if rng.integers(2) else -FRAME_RIGHT
    name = f"{'right' if side == FRAME_RIGHT else 'left'} {site.name}" if site.paired else site.name
    shift = rng.uniform(-4, 4, 3)
    sizes = rng.uniform(*radii, 3)
    turn = rng.uniform(-40, 40, 3)
    return Lesion(
        name,
        (float((side if site.paired else 1) * x + shift[0]), float(y + shift[1]), float(z + shift[2])),
        (float(sizes[0]), float(sizes[1]), float(sizes[2])),
        (float(turn[0]), float(turn[1]), float(turn[2])),
    )
