"""A scan of a body: stored integers and the truth they came from.

Belongs here: one series' voxels. Their header is `imaging.phantom.headers`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom import layers
from imaging.phantom.anatomy import Body, tissues
from imaging.phantom.physics import (
    Signal,
    attenuation,
    inversion_recovery,
    rician,
    sensitivity,
    spin_echo,
    spoiled_gradient_echo,
)
from imaging.phantom.scan import Scan, Technique
from imaging.phantom.tissue import Tissue

FULL_SCALE = 1400
"""Stored value of the brightest tissue: what scanners of 12 bits leave as headroom for noise and bright spots."""

FAT_LEFT = 0.12
"""Signal of fat after fat saturation, which every echo-planar diffusion protocol uses."""

CLIP = 4095
"""Largest stored value, 12 bits."""


@dataclass(frozen=True)
class Acquired:
    """Voxels of a series.

    Attributes:
        stored: (volumes, slices, rows, columns) stored integers, 0 to `CLIP`.
        truth: (slices, rows, columns) labels of `imaging.phantom.vocabulary.Label`.
    """

    stored: NDArray[np.uint16]
    truth: NDArray[np.uint8]


def acquire(body: Body, scan: Scan, field_t: float, noise: float, rng: np.random.Generator) -> Acquired:
    """Scan a body.

    Args:
        body: what lies in the scanner.
        scan: the series.
        field_t: field strength in tesla.
        noise: standard deviation in each channel, relative to the brightest tissue of the first volume, before
            averaging.
        rng: source of noise and coil sensitivity.
    """
    columns, rows, slices = scan.grid.shape
    points = scan.grid.points()
    painted = tissues(body, points, scan.grid.spacing[0])
    base = signal(scan, field_t)
    volumes = np.stack([base * attenuation(b, g) for b, g in zip(scan.bvals, scan.directions, strict=True)])
    image = layers.render(painted, volumes, points.shape[1])
    image *= sensitivity(np.asarray(points, dtype=np.float32), rng)
    brightest = float(base.max())
    image = rician(image, noise * brightest / scan.settings.averages**0.5, rng)
    stored = np.clip(np.rint(image * np.float32(FULL_SCALE / brightest)), 0, CLIP).astype(np.uint16)
    truth = layers.labels(painted, points.shape[1])
    return Acquired(stored.reshape(-1, slices, rows, columns), truth.reshape(slices, rows, columns))


def signal(scan: Scan, field_t: float) -> Signal:
    """(tissues,) signal of each tissue without diffusion weighting."""
    settings = scan.settings
    if settings.technique is Technique.GRADIENT_ECHO:
        return spoiled_gradient_echo(field_t, settings.te, settings.tr, settings.flip)
    if settings.ti is not None:
        return inversion_recovery(field_t, settings.te, settings.tr, settings.ti)
    plain = spin_echo(field_t, settings.te, settings.tr)
    if settings.technique is Technique.ECHO_PLANAR:
        plain[[Tissue.FAT, Tissue.MARROW]] *= FAT_LEFT
    return plain
