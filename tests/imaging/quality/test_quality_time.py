"""Measures of steps are those that the scan was made with: noise, stability, motion."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from imaging.quality.quality import quality
from imaging.quality.quality_time import RADIUS_MM, displacements
from imaging.volumes.volume import Volume

SHAPE = (48, 48, 24)
SPACING = (3.0, 3.0, 4.0)
STEPS = 16


def brain():
    """A smooth ball with structure in it, 500 to 900."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
    ball = (x / 0.6) ** 2 + (y / 0.7) ** 2 + (z / 0.7) ** 2 < 1
    return ndimage.gaussian_filter(np.where(ball, 700 + 200 * np.sin(9 * x) * np.cos(7 * y) * np.sin(6 * z), 0), 0.8)


def scan(noise=10.0, steps=STEPS, moved=None, kind="dynamic", **changes):
    """The ball in each step as `moved` gives it, in noise."""
    rng, still = np.random.default_rng(0), brain()
    frames = [still if moved is None else moved(still, step) for step in range(steps)]
    noisy = [np.hypot(f + rng.normal(0, noise, SHAPE), rng.normal(0, noise, SHAPE)) for f in frames]
    array = np.rint(np.stack(noisy, axis=3)).astype(np.int16)
    return Volume(array, np.diag([*SPACING, 1.0]), kind=kind, part="magnitude", **changes)


def shifted(millimetres, axis=0, at=8):
    offset = np.zeros(3)
    offset[axis] = millimetres / SPACING[axis]
    return lambda image, step: ndimage.shift(image, offset, order=3) if step == at else image


def steps_moved(volume):
    return displacements(volume.array, volume.array.mean(axis=3), volume.spacing)


def test_stability_is_mean_over_noise():
    found = quality(scan(noise=10.0))
    assert found.tsnr == pytest.approx(700 / 10, rel=0.08)


def test_noise_alone_changes_steps_by_one_and_makes_no_outliers():
    found = quality(scan(steps=40))
    assert found.dvars == pytest.approx(1.0, abs=0.05)
    assert found.outliers < 6e-3
    assert found.motion < 0.3


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("millimetres", [0.5, 2.0, 6.0, 15.0])
def test_a_shift_is_as_long_as_it_was(millimetres, axis):
    found = steps_moved(scan(moved=shifted(millimetres, axis)))
    assert found[[7, 8]] == pytest.approx([millimetres] * 2, rel=0.2, abs=0.2)
    assert np.delete(found, [7, 8]).max() < 0.25


@pytest.mark.parametrize("degrees", [1.0, 3.0])
def test_a_turn_is_an_arc(degrees):
    turn = lambda image, step: (  # noqa: E731
        ndimage.rotate(image, degrees, axes=(0, 1), reshape=False, order=3) if step == 8 else image
    )
    assert steps_moved(scan(moved=turn))[8] == pytest.approx(np.deg2rad(degrees) * RADIUS_MM, rel=0.2, abs=0.15)


def test_brightness_is_no_motion():
    found = steps_moved(scan(moved=lambda image, step: image * (1.1 if step == 8 else 1.0)))
    assert found.max() < 0.3


def test_a_jump_moves_every_measure_of_time_the_wrong_way():
    still, restless = quality(scan()), quality(scan(moved=shifted(5.0)))
    assert restless.motion > 3 * still.motion
    assert restless.tsnr < still.tsnr
    assert restless.dvars > still.dvars
    assert restless.outliers > 2 * still.outliers


def test_steps_without_weighting_show_the_motion_of_a_diffusion_scan():
    bvals = np.where(np.arange(STEPS) % 4 == 0, 0.0, 1000.0)
    weighted = lambda image, step: image * (1.0 if step % 4 == 0 else 0.3)  # noqa: E731
    volume = scan(moved=weighted, kind="diffusion", bvals=bvals)
    found = quality(volume)
    assert found.motion < 0.3
    assert found.tsnr is found.dvars is None
    moved = lambda image, step: weighted(shifted(3.0)(image, step), step)  # noqa: E731
    # of the steps 0, 4, 8 and 12, the one at 8 moves away and back
    assert quality(scan(moved=moved, kind="diffusion", bvals=bvals)).motion == pytest.approx(2.0, rel=0.2)


def test_units_of_intensity_do_not_matter():
    volume = scan(moved=shifted(1.0))
    plain, scaled = quality(volume), quality(dataclasses.replace(volume, slope=0.1))
    for name in ("tsnr", "dvars", "outliers", "motion"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), rel=1e-3)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_few_steps_say_nothing_of_stability(steps):
    found = quality(scan(steps=steps))
    assert found.tsnr is found.dvars is found.outliers is None
    assert (found.motion is None) == (steps == 1)
