"""Examples: images with words in them, and where.

Belongs here: how words are put onto images and what a net is asked about them.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.lettering.backgrounds import Image, crop
from benchmarks.lettering.words import ink, word

SIDE, STRIDE = 128, 4
"""Pixels of an example, and of the square that one answer is about."""
_NONE = 0.4
"""Part of the examples that have no word."""
_VISIBLE = 0.05
"""A word whose ink differs from what is around it by less of the range, or by less than the noise, is not asked for."""
_LETTER = 0.1
"""Part of what is drawn that is a lone letter; it may be an orientation mark, and is not asked for."""


class Scene(NamedTuple):
    """(side, side) grey; (side / 4, side / 4) 1 where a word is, 0 where none is, -1 where nobody asks."""

    image: Image
    truth: NDArray[np.int8]


def scene(rng: np.random.Generator, images: list[Image]) -> Scene:
    """One example."""
    image = np.ascontiguousarray(crop(rng, images, SIDE))
    truth = np.zeros((SIDE, SIDE), np.int8)
    if rng.random() >= _NONE:
        for _ in range(int(rng.choice([1, 1, 2, 3, 5]))):
            _write(rng, image, truth)
    if rng.random() < 0.05:
        image = 1 - image
    return Scene(image.clip(-0.2, 1.6), _coarse(truth))


def _coarse(truth: NDArray[np.int8]) -> NDArray[np.int8]:
    """A square belongs to a word if most of it does; if a part of it does, nobody asks."""
    blocks = truth.reshape(SIDE // STRIDE, STRIDE, SIDE // STRIDE, STRIDE).transpose(0, 2, 1, 3)
    blocks = blocks.reshape(*blocks.shape[:2], -1)
    part = (blocks == 1).mean(axis=2)
    return np.where(part > 0.6, 1, np.where((blocks != 0).any(axis=2), -1, 0)).astype(np.int8)


def _write(rng: np.random.Generator, image: Image, truth: NDArray[np.int8]) -> None:
    lone = rng.random() < _LETTER
    text = word(rng)
    drawn = ink(rng, text[0] if lone else text)
    if min(drawn.shape) < 3:
        return
    drawn = drawn[:SIDE, :]
    rows, columns = drawn.shape
    top = int(rng.integers(0, SIDE - rows + 1))
    left = int(rng.integers(min(-columns // 2, SIDE - columns), max(SIDE - columns // 2, 1)))
    drawn = drawn[:, max(-left, 0) : SIDE - left]
    left = max(left, 0)
    place = (slice(top, top + rows), slice(left, left + drawn.shape[1]))
    around = (slice(max(top - 3, 0), top + rows + 3), slice(max(left - 3, 0), left + drawn.shape[1] + 3))
    if min(drawn.shape) < 3 or truth[around].any():
        return
    before = image[place].copy()
    grey = _grey(rng, before, drawn)
    _surround(rng, image, place, around, drawn, grey)
    image[place] += (grey - image[place]) * drawn * (1.0 if rng.random() < 0.85 else rng.uniform(0.5, 1))
    core = drawn > 0.5
    shown = np.abs(image[place] - _without_ink(before, image[place], core))[core]
    noise = np.abs(before[:, 1:] - before[:, :-1]).mean() * 0.8
    visible = shown.size and np.median(shown) >= max(_VISIBLE, 1.2 * noise)
    truth[around] = -1
    if visible and not lone and drawn.shape[1] >= 0.8 * rows:
        truth[place] = 1


def _without_ink(before: Image, after: Image, core: NDArray[np.bool_]) -> Image:
    """What a word must differ from to be seen: what was there, or the box that it stands in."""
    beside = after[~core]
    return np.full_like(before, np.median(beside)) if beside.size else before


def _grey(rng: np.random.Generator, before: Image, drawn: Image) -> float:
    """White, black, any grey, or hardly another than the tissue's."""
    kind = rng.random()
    if kind < 0.15:
        return float(rng.uniform(0.95, 1.3))
    if kind < 0.25:
        return float(rng.uniform(0, 0.08))
    if kind < 0.5:
        return float(rng.uniform(0, 1.1))
    usual = float(np.median(before))
    step = float(rng.choice([-1, 1]) * rng.uniform(0.08, 0.35))
    return usual + step if 0 <= usual + step <= 1.2 else usual + abs(step)


def _surround(
    rng: np.random.Generator,
    image: Image,
    place: tuple[slice, slice],
    around: tuple[slice, slice],
    drawn: Image,
    grey: float,
) -> None:
    """Sometimes a halo around the letters, a box behind or a frame around the word."""
    kind = rng.random()
    if kind < 0.08:
        halo = cv2.dilate(np.pad(drawn, 1), np.ones((3, 3)))[1:-1, 1:-1]
        image[place] += ((0.0 if grey > 0.4 else 1.0) - image[place]) * halo
    elif kind < 0.14:
        image[around] = rng.uniform(0, 1)
    elif kind < 0.18:
        rows, columns = around
        cv2.rectangle(image, (columns.start, rows.start), (columns.stop - 1, rows.stop - 1), grey, 1)
