"""Variations of windows as another scan might have shown them, many windows at once, on whatever device they are.

Belongs here: what is drawn for a window and what becomes of its intensities. Strengths are `training.config.augment`.
What changes where tokens are (scale, stretch, missing slices) is drawn here and used in `training.data.windows`.

Every number is a function of what was drawn for the window, noise too: it comes from a hash of the window's seed and
the voxel's place, not from a device's generator, so that neither device nor the other windows of a batch matter.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.augment import AugmentConfig
from training.data.volume import RANGE

DEGREE = 3
"""Degree of the polynomial in a bias field's exponent, as in the usual corrections of it."""

REACH = 12
"""Voxels to each side that a blur looks at, at most."""

_POWERS = [powers for powers in product(range(DEGREE + 1), repeat=3) if 0 < sum(powers) <= DEGREE]


@dataclass(frozen=True)
class Change:
    """What was drawn for a window; as it stands, nothing changes.

    Attributes:
        flip: whether left and right are exchanged.
        stretch: ratio of the positions along each axis.
        missing: share of the window's slices that are left out, and where in what remains the run begins, from 0 to 1.
        blur: standard deviation in mm.
        thick: axis and number of slices shown as one.
        gamma: exponent.
        bias: coefficients of the exponent's polynomial, empty for none.
        gain: factor.
        noise: standard deviation.
        seed: of the noise.
    """

    flip: bool = False
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    missing: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.0
    thick: tuple[int, int] = (0, 1)
    gamma: float = 1.0
    bias: tuple[float, ...] = ()
    gain: float = 1.0
    noise: float = 0.0
    seed: int = 0


def draw_scale(config: AugmentConfig, draw: np.random.Generator) -> float:
    """What a sample's voxel size is multiplied by."""
    return _ratio(draw, config.scale) if draw.random() < config.scale_chance else 1.0


def draw_change(config: AugmentConfig, body_part: str, draw: np.random.Generator) -> Change:
    """The variations of a window.

    Args:
        config: chances and strengths.
        body_part: of its volume; says whether sides may be exchanged.
        draw: random numbers; as many are drawn whatever the chances, so that one variation does not shift another.
    """
    chances = draw.random(9)
    stretch = (_ratio(draw, config.stretch), _ratio(draw, config.stretch), _ratio(draw, config.stretch))
    missing = (config.missing * draw.random(), draw.random())
    blur = config.blur * draw.random()
    thick = (int(draw.integers(3)), int(draw.integers(2, config.thick + 1)))
    gamma, gain = _ratio(draw, config.gamma), _ratio(draw, config.gain)
    bias = tuple((config.bias * draw.standard_normal(len(_POWERS))).tolist())
    noise, seed = config.noise * draw.random(), int(draw.integers(2**31))
    return Change(
        flip=bool(chances[0] < config.flip_chance) and body_part in config.symmetric,
        stretch=stretch if chances[1] < config.stretch_chance else Change.stretch,
        missing=missing if chances[2] < config.missing_chance else Change.missing,
        blur=blur if chances[3] < config.blur_chance else Change.blur,
        thick=thick if chances[4] < config.thick_chance else Change.thick,
        gamma=gamma if chances[5] < config.gamma_chance else Change.gamma,
        bias=bias if chances[6] < config.bias_chance else Change.bias,
        gain=gain if chances[7] < config.gain_chance else Change.gain,
        noise=noise if chances[8] < config.noise_chance else Change.noise,
        seed=seed,
    )


def _ratio(draw: np.random.Generator, most: float) -> float:
    return math.exp(draw.uniform(-1, 1) * math.log(most))


@dataclass(frozen=True)
class Acquired:
    """What of a window's volume a variation depends on.

    Attributes:
        spacing: voxel size in mm.
        zero: normalized intensity of no signal.
        magnitude: whether it is a magnitude image, whose noise is Rician.
    """

    spacing: tuple[float, float, float]
    zero: float
    magnitude: bool


def augment(values: Tensor, valid: Tensor, changes: Sequence[Change], acquired: Sequence[Acquired]) -> Tensor:
    """Windows of one shape with their variations.

    Args:
        values: (N, x, y, z) normalized intensities, finite.
        valid: (N, x, y, z) voxels that were measured; nothing is mixed in from others.
        changes: what was drawn for each.
        acquired: what each is of.

    Returns:
        (N, x, y, z) normalized intensities inside `RANGE`; the very same values where nothing was drawn.
    """
    zero = values.new_tensor([a.zero for a in acquired])[:, None, None, None]
    signal, touched = values - zero, set[int]()
    for drawn, vary in VARIATIONS:
        rows = [row for row, change in enumerate(changes) if drawn(change)]
        if rows:
            place = torch.tensor(rows, device=values.device)
            part = vary(signal[place], valid[place], [changes[row] for row in rows], [acquired[row] for row in rows])
            signal[place] = part
            touched.update(rows)
    if not touched:
        return values
    kept = torch.tensor([row in touched for row in range(len(changes))], device=values.device)
    return torch.where(kept[:, None, None, None], (signal + zero).clamp(*RANGE), values)


def _blurred(signal: Tensor, valid: Tensor, changes: Sequence[Change], acquired: Sequence[Acquired]) -> Tensor:
    """The mean of the measured neighbours, weighted by a Gaussian, axis by axis."""
    weight = valid.to(signal)
    signal = signal * weight
    for axis in range(3):
        sigmas = [change.blur / a.spacing[axis] for change, a in zip(changes, acquired, strict=True)]
        radius = min(math.ceil(3 * max(sigmas)), REACH)
        steps, sigma = torch.arange(-radius, radius + 1, device=signal.device), signal.new_tensor(sigmas)[:, None]
        kernel = torch.exp(-0.5 * (steps / sigma) ** 2) * (steps.abs() <= 3 * sigma)
        shape, padding = [len(changes), 1, 1, 1, 1], [0, 0, 0]
        shape[axis + 2], padding[axis] = len(steps), radius
        kernel = (kernel / kernel.sum(1, keepdim=True)).reshape(shape)
        signal, weight = (
            F.conv3d(part[None], kernel, padding=tuple(padding), groups=len(changes))[0] for part in (signal, weight)
        )
    return signal / weight.clamp_min(1e-6)


def _thickened(signal: Tensor, valid: Tensor, changes: Sequence[Change], _acquired: Sequence[Acquired]) -> Tensor:
    """The mean of the measured slices of each group, in every slice of it."""
    return torch.stack([_thick(s, v, *c.thick) for s, v, c in zip(signal, valid, changes, strict=True)])


def _thick(signal: Tensor, valid: Tensor, axis: int, size: int) -> Tensor:
    count = signal.shape[axis]
    groups = torch.arange(count, device=signal.device) // size
    parts = torch.stack([torch.where(valid, signal, 0), valid.to(signal)])
    shape = list(parts.shape)
    shape[axis + 1] = -(-count // size)
    total, number = parts.new_zeros(shape).index_add(axis + 1, groups, parts)
    return (total / number.clamp_min(1)).index_select(axis, groups)


def _bent(signal: Tensor, _valid: Tensor, changes: Sequence[Change], acquired: Sequence[Acquired]) -> Tensor:
    """The contrast bent by a power that leaves no signal and the 99th percentile where they are."""
    power = _column(signal, [change.gamma for change in changes])
    top = _column(signal, [1 - a.zero for a in acquired])
    return signal.sign() * top * (signal.abs() / top) ** power


def _biased(signal: Tensor, _valid: Tensor, changes: Sequence[Change], _acquired: Sequence[Acquired]) -> Tensor:
    """Times the exponential of a polynomial over the window, from -1 to 1 along each axis."""
    powers = torch.arange(DEGREE + 1, device=signal.device)
    x, y, z = (torch.linspace(-1, 1, n, device=signal.device)[:, None] ** powers for n in signal.shape[1:])
    coefficients = signal.new_zeros(len(changes), *[DEGREE + 1] * 3)
    a, b, c = (list(axis) for axis in zip(*_POWERS, strict=True))
    coefficients[:, a, b, c] = signal.new_tensor([change.bias for change in changes])
    return signal * torch.einsum("nabc,xa,yb,zc->nxyz", coefficients, x, y, z).exp()


def _amplified(signal: Tensor, _valid: Tensor, changes: Sequence[Change], _acquired: Sequence[Acquired]) -> Tensor:
    return signal * _column(signal, [change.gain for change in changes])


def _noisy(signal: Tensor, _valid: Tensor, changes: Sequence[Change], acquired: Sequence[Acquired]) -> Tensor:
    """Plus noise; in a magnitude image that of a complex signal before its magnitude was taken (Rice)."""
    sigma = _column(signal, [change.noise for change in changes])
    real, imaginary = normals([change.seed for change in changes], signal.shape[1:], signal.device)
    rician = _column(signal, [float(a.magnitude) for a in acquired]).bool()
    shifted = signal + sigma * real
    return torch.where(rician, torch.hypot(shifted, sigma * imaginary), shifted)


def _column(like: Tensor, values: Sequence[float]) -> Tensor:
    return like.new_tensor(values)[:, None, None, None]


def normals(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Two sets of standard normal numbers for each seed, the same on every device up to the last digit.

    Args:
        seeds: of N windows, 31 bits each.
        shape: numbers of a window.
        device: where to make them.

    Returns:
        Two of (N, *shape), by Box and Muller's transform of the halves of a 32-bit hash of seed and place; the largest
        number is 4.9, which is enough for noise.

    Source: of the hash, C. Wellons, Prospecting for hash functions, 2018 (lowbias32).
    """
    place = torch.arange(math.prod(shape), dtype=torch.int32, device=device)
    seed = torch.tensor(list(seeds), dtype=torch.int32, device=device)
    mixed = _hash(_hash(place) ^ _hash(seed + 1)[:, None]).reshape(len(seeds), *shape)
    first, second = (((half & 0xFFFF).float() + 0.5) / 65536 for half in (mixed >> 16, mixed))
    radius, angle = (-2 * first.log()).sqrt(), 2 * math.pi * second
    return radius * angle.cos(), radius * angle.sin()


def _hash(value: Tensor) -> Tensor:
    """Each int32 to another, well mixed; products wrap, shifts bring in zeros."""
    value = value ^ (value >> 16 & 0xFFFF)
    value = value * 0x7FEB352D
    value = value ^ (value >> 15 & 0x1FFFF)
    value = value * (0x846CA68B - 2**32)
    return value ^ (value >> 16 & 0xFFFF)


Vary = Callable[[Tensor, Tensor, Sequence[Change], Sequence[Acquired]], Tensor]

VARIATIONS: tuple[tuple[Callable[[Change], bool], Vary], ...] = (
    (lambda change: change.blur > 0, _blurred),
    (lambda change: change.thick[1] > 1, _thickened),
    (lambda change: change.gamma != 1, _bent),
    (lambda change: bool(change.bias), _biased),
    (lambda change: change.gain != 1, _amplified),
    (lambda change: change.noise > 0, _noisy),
)
"""For which windows a variation is drawn and what it does to them, in the order in which a scan suffers them:
resolution, contrast, coil, receiver, noise."""
