"""Images without lettering: phantoms, and made-up fields, curves, grids and noise.

Belongs here: what words are written on. Grey is a part of a frame's range, as `deid.pixels.lettering` scales it: 0 is
its dark and 1 its bright limit.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.burned_in import stacks_below
from deid.pixels import gate, lettering, pictures
from imaging.phantom import BodyPart, PhantomConfig, generate

Image = NDArray[np.float32]

_MATRICES = {112: 0.02, 136: 0.06, 168: 0.03, 208: 0.02, 240: 0.05, 272: 0.03, 336: 0.02, 400: 0.04}
"""Sizes of phantoms and their noise; sizes and seeds are others than those of the sets that are counted."""
_SEED = 90_000
_EACH = 8
"""Frames that are taken of a series, beside its projections."""


def phantoms() -> list[Image]:
    """Frames and projections of phantom series: heads and knees, every scanner and contrast."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for matrix, noise in _MATRICES.items():
            config = PhantomConfig(
                f"m{matrix}", seed=_SEED + matrix, subjects=4, matrix=matrix, slices=16, noise=noise, faults=False,
                body_parts=(BodyPart.HEAD, BodyPart.KNEE, BodyPart.HEAD),
            )  # fmt: skip
            generate(Path(folder) / config.name, Path(folder) / f"answers{matrix}", config)
            for stack in stacks_below(Path(folder) / config.name).values():
                found += _of_series(gate.grey(stack))
    return found


def _of_series(stack: gate.Stack) -> list[Image]:
    chosen = stack[np.linspace(0, len(stack) - 1, _EACH).round().astype(int)]
    found = list(lettering.scaled(chosen))
    if len(stack) > 1:
        low, high = (float(bound) for bound in np.median(gate.limits(stack), axis=0))
        shown = (pictures.darkest(stack, low, high), pictures.still(stack))
        found += [lettering.scaled(picture[None].astype(np.int16))[0] for picture in shown]
    return found


def crop(rng: np.random.Generator, images: list[Image], side: int) -> Image:
    """A square of one of the images or of a made-up one, turned, stretched, with more noise, or tiled."""
    if rng.random() < 0.55:
        image = images[rng.integers(len(images))]
        if rng.random() < 0.08:
            image = _tiled(rng, images, side)
        found = _cut(rng, image, side)
        if rng.random() < 0.3:
            found = found * rng.uniform(0.6, 1.4) + rng.uniform(-0.05, 0.1)
        if rng.random() < 0.3:
            found = _noisy(rng, found)
    else:
        found = made_up(rng, side)
    return _turned(rng, found).astype(np.float32)


def _cut(rng: np.random.Generator, image: Image, side: int) -> Image:
    missing = [max(side - n, 0) for n in image.shape]
    if any(missing):
        before = [int(rng.integers(0, n + 1)) for n in missing]
        image = np.pad(image, [(b, n - b) for b, n in zip(before, missing, strict=True)], mode="edge")
    top, left = (int(rng.integers(0, n - side + 1)) for n in image.shape)
    found = image[top : top + side, left : left + side]
    if rng.random() < 0.15:
        scale = rng.uniform(0.6, 1.8)
        large = cv2.resize(found, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        pad = max(side - large.shape[0], 0)
        found = np.pad(large, ((0, pad), (0, pad)), mode="symmetric")[:side, :side]
    return found


def _tiled(rng: np.random.Generator, images: list[Image], side: int) -> Image:
    """Small images side by side, as mosaics and contact sheets have them."""
    small, image = int(rng.integers(24, 72)), images[rng.integers(len(images))]
    tile = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    count = -(-side // small) + 1
    return np.tile(tile, (count, count))


def _turned(rng: np.random.Generator, image: Image) -> Image:
    return np.rot90(image[:, ::-1] if rng.random() < 0.5 else image, int(rng.integers(4)))


def _noisy(rng: np.random.Generator, image: Image) -> Image:
    """Rician noise, white or as coarse as that of an interpolated image."""
    size, sigma = image.shape, rng.uniform(0.01, 0.1)
    real, imaginary = rng.normal(0, sigma, (2, *size)).astype(np.float32)
    if rng.random() < 0.3:
        real, imaginary = (cv2.GaussianBlur(part, (0, 0), 0.7) * 2 for part in (real, imaginary))
    return np.hypot(image + real, imaginary)


def field(rng: np.random.Generator, side: int, scale: float) -> Image:
    """Smooth random values, mean 0 and standard deviation 1, whose details are `scale` pixels large."""
    small = max(int(side / scale) + 3, 4)
    values = rng.normal(0, 1, (small, small)).astype(np.float32)
    large = cv2.resize(values, (side, side), interpolation=cv2.INTER_CUBIC)
    return (large - large.mean()) / (large.std() + 1e-6)


def made_up(rng: np.random.Generator, side: int) -> Image:
    """Tissue-like fields with some of: regions, sulci, vessels, ringing, grids, blobs; then blur and noise."""
    image = np.zeros((side, side), np.float32) + rng.uniform(0, 0.8)
    for scale in (64, 24, 9, 4):
        if rng.random() < 0.6:
            image += field(rng, side, scale * rng.uniform(0.7, 1.4)) * rng.uniform(0.01, 0.12)
    for _ in range(int(rng.integers(0, 4))):
        image = _EXTRAS[rng.integers(len(_EXTRAS))](rng, image)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.5))
    image = image.clip(0, 1.2)
    return _noisy(rng, image) if rng.random() < 0.8 else image


def _regions(rng: np.random.Generator, image: Image) -> Image:
    """Tissues with borders between them."""
    border = field(rng, len(image), rng.uniform(8, 60))
    soft = rng.uniform(0.02, 0.3)
    part = 1 / (1 + np.exp((-(border - rng.uniform(-1, 1)) / soft).clip(-50, 50)))
    return image * (1 - part) + rng.uniform(0, 1) * part


def _sulci(rng: np.random.Generator, image: Image) -> Image:
    """Thin curves: where a smooth field passes a value."""
    folds = field(rng, len(image), rng.uniform(6, 30))
    down, across = np.gradient(folds)
    distance = np.abs(folds - rng.uniform(-1, 1)) / (np.hypot(down, across) + 1e-3)
    part = np.exp(-((distance / rng.uniform(0.6, 2.5)) ** 2))
    return image * (1 - part) + rng.choice([0.0, 0.1, 0.6, 1.0]) * part


def _vessels(rng: np.random.Generator, image: Image) -> Image:
    """Bright or dark dots, short pieces of curves."""
    changed = image.copy()
    for _ in range(int(rng.integers(1, 25))):
        centre = tuple(int(v) for v in rng.integers(0, len(image), 2))
        axes = tuple(int(v) for v in rng.integers(1, 7, 2))
        grey = float(rng.choice([0.0, 0.9, 1.1, rng.uniform(0, 1)]))
        thick = int(rng.choice([-1, -1, 1, 2]))
        start = int(rng.integers(0, 360))
        cv2.ellipse(
            changed, centre, axes, float(rng.uniform(0, 180)), start, start + int(rng.integers(60, 361)), grey, thick
        )
    return changed


def _ringing(rng: np.random.Generator, image: Image) -> Image:
    """Waves that run along a border, or through everything."""
    y, x = np.mgrid[: len(image), : len(image)].astype(np.float32)
    centre, shape = rng.uniform(-0.5, 1.5, 2) * len(image), rng.uniform(0.5, 2)
    distance = np.hypot(y - centre[0], shape * (x - centre[1]))
    waves = np.cos(distance * 2 * np.pi / rng.uniform(2.2, 14))
    fade = 1 if rng.random() < 0.3 else np.exp(-np.abs(distance - rng.uniform(0, len(image))) / rng.uniform(4, 30))
    return image + waves * fade * rng.uniform(0.02, 0.3)


def _grid(rng: np.random.Generator, image: Image) -> Image:
    """Grids, checkerboards, rulers, bars and rows of holes, as in test objects and graticules."""
    y, x = np.mgrid[: len(image), : len(image)]
    step, thick = int(rng.integers(3, 24)), int(rng.integers(1, 4))
    offset = int(rng.integers(0, step))
    rows, columns = (y + offset) % step, (x + offset) % step
    kind = rng.integers(6)
    if kind == 0:
        part = (rows < thick) | (columns < thick)
    elif kind == 1:
        part = (rows < thick) if rng.random() < 0.5 else (columns < thick)
    elif kind == 2:
        part = ((y // step) + (x // step)) % 2 == 0
    elif kind == 3:
        part = (rows - step / 2) ** 2 + (columns - step / 2) ** 2 < (step * rng.uniform(0.2, 0.45)) ** 2
    elif kind == 4:  # a ruler: ticks along a line, every fifth longer
        at, long = int(rng.integers(0, len(image))), np.where((x + offset) // step % 5 == 0, 9, 5)
        part = ((columns < thick) & (np.abs(y - at) < long)) | (np.abs(y - at) < 1)
    else:
        part = (rows < thick) & (columns % 4 < 2)
    top, left = rng.integers(0, len(image) // 2, 2)
    down, across = rng.integers(16, len(image), 2)
    inside = np.zeros_like(part)
    inside[top : top + down, left : left + across] = True
    return np.where(part & inside, rng.uniform(0, 1.1), image).astype(np.float32)


def _shapes(rng: np.random.Generator, image: Image) -> Image:
    """Boxes, lines and outlines, as measurements are drawn."""
    changed = image.copy()
    for _ in range(int(rng.integers(1, 6))):
        a, b = (tuple(int(v) for v in rng.integers(0, len(image), 2)) for _ in range(2))
        grey, thick = float(rng.uniform(0, 1.1)), int(rng.choice([1, 1, 2, -1]))
        if rng.random() < 0.5:
            cv2.rectangle(changed, a, b, grey, thick)
        else:
            cv2.line(changed, a, b, grey, max(thick, 1))
    return changed


def _air(rng: np.random.Generator, image: Image) -> Image:
    """Only the inside of a region is left."""
    border = field(rng, len(image), rng.uniform(30, 90))
    return np.where(border > rng.uniform(-1, 0.5), image, 0).astype(np.float32)


def _texture(rng: np.random.Generator, image: Image) -> Image:
    """Coarse speckle of any size, somewhere."""
    where = (field(rng, len(image), 40) > 0).astype(np.float32)
    return image + where * field(rng, len(image), rng.uniform(1.5, 6)) * rng.uniform(0.03, 0.2)


_EXTRAS: tuple[Callable[[np.random.Generator, Image], Image], ...] = (
    _regions, _regions, _sulci, _sulci, _vessels, _ringing, _grid, _shapes, _air, _texture,
)  # fmt: skip
