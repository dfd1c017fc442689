"""From tissue to signal: sequence equations, coil sensitivity, noise.

Belongs here: what a scanner does to the truth. The settings it does it with are `imaging.phantom.scan`.
"""

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.tissue import Tissue, column, t1_at

_THREE = np.array([[2.0, 2.0, -1.0], [-1.0, 2.0, 2.0], [2.0, -1.0, 2.0]])

Signal = NDArray[np.float64]
"""(tissues,) signal of each tissue, relative to water at full relaxation."""


def spin_echo(field_t: float, te: float, tr: float) -> Signal:
    """Spin echo: rho (1 - exp(-TR/T1)) exp(-TE/T2), times in ms.

    Source: Brown et al., Magnetic Resonance Imaging, 2nd ed. (2014), section 8.3, for TE much shorter than TR.
    """
    return np.asarray(column("density") * (1 - np.exp(-tr / t1_at(field_t))) * np.exp(-te / column("t2")))


def inversion_recovery(field_t: float, te: float, tr: float, ti: float) -> Signal:
    """Magnitude inversion recovery: rho |1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2), times in ms.

    Source: Brown et al. (2014), section 8.4; Hajnal et al., JCAT 16 (1992) 841-844 for fluid attenuation.
    """
    t1 = t1_at(field_t)
    recovered = np.abs(1 - 2 * np.exp(-ti / t1) + np.exp(-tr / t1))
    return np.asarray(column("density") * recovered * np.exp(-te / column("t2")))


def fluid_null(field_t: float, tr: float) -> float:
    """Inversion time in ms at which fluid gives no signal: T1 (ln 2 - ln(1 + exp(-TR/T1))).

    Source: `inversion_recovery` set to zero and solved for TI.
    """
    t1 = float(t1_at(field_t)[Tissue.CSF])
    return t1 * float(np.log(2) - np.log1p(np.exp(-tr / t1)))


def spoiled_gradient_echo(field_t: float, te: float, tr: float, flip: float) -> Signal:
    """Spoiled gradient echo: rho sin a (1 - E1) / (1 - E1 cos a) exp(-TE/T2*), times in ms, angle in degrees.

    Source: Ernst and Anderson, Rev. Sci. Instrum. 37 (1966) 93-102; Brown et al. (2014), section 18.1.
    """
    recovery = np.exp(-tr / t1_at(field_t))
    angle = np.deg2rad(flip)
    steady = np.sin(angle) * (1 - recovery) / (1 - recovery * np.cos(angle))
    return np.asarray(column("density") * steady * np.exp(-te / column("t2_star")))


def attenuation(b: float, direction: NDArray[np.float64]) -> Signal:
    """Diffusion attenuation exp(-b g'Dg) of each tissue for a b-value in s/mm2.

    Args:
        b: b-value in s/mm2.
        direction: (3,) unit vector of the gradient in patient axes; only squares count, so LPS and RAS are the same.

    Source: Basser, Mattiello, LeBihan, Biophys. J. 66 (1994) 259-267.
    """
    diffusivity = column("diffusivity") * 1e-3
    return np.asarray(np.exp(-b * (diffusivity @ (direction * direction))))


def directions(count: int) -> NDArray[np.float64]:
    """(count, 3) unit vectors spread over half the sphere, none along an axis so that every axis is felt.

    Source: golden-section spiral; for three, the mutually perpendicular set of a scanner's three-scan trace, turned.
    """
    if count == len(_THREE):
        return _THREE / 3
    step = np.arange(count)
    height = (step + 0.5) / count
    angle = step * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def sensitivity(points: NDArray[np.float32], rng: np.random.Generator, strength: float = 0.18) -> NDArray[np.float32]:
    """(n,) smooth receive sensitivity about 1: a random quadratic over 250 mm, the points (3, n) in mm."""
    unit = points / np.float32(125)
    terms = np.concatenate([unit, unit * unit, unit * np.roll(unit, 1, axis=0)])
    weights = rng.uniform(-strength, strength, 9).astype(np.float32)
    return np.asarray(np.exp(np.clip(weights @ terms, -0.6, 0.6)), dtype=np.float32)


def rician(image: NDArray[np.float32], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Magnitude of the image with noise of standard deviation `sigma` in both receiver channels.

    Source: Gudbjartsson and Patz, MRM 34 (1995) 910-914.
    """
    real = image + np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.hypot(real, np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)))
