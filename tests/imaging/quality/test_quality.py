"""Measures of one image are what the image was made with, and do not depend on what they should not."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from imaging.nifti import nifti
from imaging.quality.quality import Quality, quality
from imaging.quality.quality_space import RAYLEIGH_QUARTILES, efc, enclosed
from imaging.volumes.acquisition import Acquisition
from imaging.volumes.volume import Volume
from tests.imaging.conftest import DATA

SHAPE = (72, 80, 24)
TISSUES = (400.0, 700.0)


def head(noise=15.0, ghost=0.0, axis=1, seed=0, shape=SHAPE, shift=0):
    """A head of two tissues in Rician noise, with a ghost half the field of view away along an axis."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    inside = (x / 0.4) ** 2 + (y / 0.45) ** 2 + (z / 0.8) ** 2 < 1
    clean = np.where(inside, np.where(x > 0, *TISSUES), 0.0)
    clean += ghost * np.roll(clean, shape[axis] // 2, axis)
    clean = np.roll(clean, shift, 0)
    noisy = np.hypot(clean + rng.normal(0, noise, shape), rng.normal(0, noise, shape))
    return Volume(np.rint(noisy).astype(np.int16), np.diag([1.0, 1.0, 3.0, 1.0]), part="magnitude")


def changed(volume, array):
    return dataclasses.replace(volume, array=np.ascontiguousarray(array))


def numbers(found):
    """The measures that are defined; those along three axes one by one."""
    flat = dataclasses.asdict(found)
    flat |= dict(zip(("fwhm_x", "fwhm_y", "fwhm_z"), flat.pop("fwhm") or (), strict=False))
    return {name: value for name, value in flat.items() if value is not None}


@pytest.mark.parametrize("noise", [4.0, 15.0, 40.0])
def test_noise_is_what_was_added(noise):
    found = quality(head(noise))
    mean = sum(TISSUES) / 2
    assert found.background_noise == pytest.approx(noise, rel=0.03)
    assert found.snr_air == pytest.approx(mean / noise, rel=0.05)
    assert found.snr == pytest.approx(mean / noise, rel=0.05)
    assert found.cnr == pytest.approx((TISSUES[1] - TISSUES[0]) / noise, rel=0.05)


def test_air_that_the_scanner_filled_in_is_not_taken_for_air_without_noise():
    volume = head(12.0)
    array = volume.array.copy()
    array[:14] = 0
    assert quality(changed(volume, array)).background_noise == pytest.approx(12.0, rel=0.05)


def test_energy_of_the_object_is_compared_with_that_of_the_air():
    # the mean square of Rayleigh noise is twice the variance of its components
    found = quality(head(15.0))
    squares = (TISSUES[0] ** 2 + TISSUES[1] ** 2) / 2 + 2 * 15.0**2
    assert found.fber == pytest.approx(squares / (2 * 15.0**2), rel=0.03)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("level", [0.05, 0.15, 0.3])
def test_a_ghost_is_measured_at_its_level(level, axis):
    assert quality(head(2.0, level, axis)).ghosting == pytest.approx(level, rel=0.12)
    assert quality(head(2.0)).ghosting == pytest.approx(0.0, abs=0.002)


def test_a_ghost_is_looked_for_along_the_phase_axis_where_it_is_known():
    volume = head(2.0, 0.2, axis=1)
    along, across = (
        dataclasses.replace(volume, acquisition=Acquisition(phase_encoding=direction)) for direction in ("j-", "i")
    )
    assert quality(along).ghosting == pytest.approx(0.2, abs=0.02)
    assert abs(quality(across).ghosting) < 0.05


def test_artifacts_brighten_a_share_of_the_air():
    volume = head(5.0)
    array = volume.array.copy()
    array[:12, :20] = 150
    clean, spoilt = quality(volume).background_artifacts, quality(changed(volume, array)).background_artifacts
    air = 1 - 0.4 * 0.45 * np.pi / 4 * 2 / 3
    assert clean == 0
    assert spoilt == pytest.approx(12 * 20 / (72 * 80) / air, rel=0.15)


@pytest.mark.parametrize("fwhm", [(3.0, 4.0, 6.0), (4.0, 2.5, 5.0)])
def test_smoothness_is_what_noise_was_smoothed_with(fwhm):
    spacing = (1.0, 1.0, 2.0)
    sigmas = [w / np.sqrt(8 * np.log(2)) / edge for w, edge in zip(fwhm, spacing, strict=True)]
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, (96, 96, 64)), sigmas, mode="wrap")
    array = np.rint(1000 + noise / noise.std() * 100).astype(np.int16)
    assert quality(Volume(array, np.diag([*spacing, 1.0]))).fwhm == pytest.approx(fwhm, rel=0.08)


def test_entropy_is_none_for_one_voxel_and_whole_for_a_flat_image():
    assert efc(np.array([0.0, 9.0]), np.array([999.0, 1.0])) == pytest.approx(0.0, abs=1e-12)
    assert efc(np.array([7.0]), np.array([1000.0])) == pytest.approx(1.0)
    values = np.random.default_rng(0).integers(0, 50, 4000)
    levels, counts = np.unique(values, return_counts=True)
    share = values[values > 0] / np.sqrt((values**2.0).sum())
    most = np.sqrt(4000) * np.log(np.sqrt(4000))
    assert efc(levels.astype(float), counts.astype(float)) == pytest.approx(-(share * np.log(share)).sum() / most)


def test_a_head_that_a_side_cuts_is_cut_by_that_share():
    volume = head()
    assert quality(volume).cut_off == 0
    half = changed(volume, volume.array[:, : SHAPE[1] // 2])
    assert quality(half).cut_off == pytest.approx(1.0, abs=0.02)
    top = changed(volume, volume.array[:, :, :17])
    bottom = changed(volume, volume.array[:, :, 7:])
    height = (16 / 23 * 2 - 1) / 0.8
    assert quality(top).cut_off == pytest.approx(1 - height**2, abs=0.03)
    assert quality(bottom).cut_off == 0  # a neck goes on below


def test_clipped_intensities_are_counted():
    volume = head()
    clipped = changed(volume, np.minimum(volume.array, 650))
    above = volume.array[volume.array > 200]
    assert quality(volume).saturation < 1e-3
    assert quality(clipped).saturation == pytest.approx((above >= 650).mean(), rel=0.02)


def test_no_measure_is_made_up_where_there_is_no_air():
    crop = np.random.default_rng(0).normal(500, 20, (40, 40, 40)).astype(np.int16)
    found = quality(Volume(crop, np.eye(4)))
    assert found.snr == pytest.approx(25, rel=0.05)
    assert {found.snr_air, found.fber, found.ghosting, found.background_artifacts, found.background_noise} == {None}


@pytest.mark.parametrize("part", ["phase", "real", "imaginary"])
def test_only_magnitudes_are_measured(part):
    found = quality(dataclasses.replace(head(), part=part))
    assert numbers(found) == {"empty_slices": 0}


def test_missing_slices_change_nothing_but_the_share_of_voxels():
    volume = head()
    array = volume.array.copy()
    array[:, :, 9] = 0
    whole, holed = quality(volume), quality(dataclasses.replace(volume, array=array, missing_slices=(9,)))
    assert (holed.empty_slices, holed.bad_slices) == (0, 0)
    assert holed.snr == pytest.approx(whole.snr, rel=0.02)
    assert holed.background_noise == pytest.approx(whole.background_noise, rel=0.02)


@given(st.sampled_from([0.25, 3.0]), st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_units_of_intensity_do_not_matter(slope, seed):
    volume = head(seed=seed)
    plain, scaled = quality(volume), quality(dataclasses.replace(volume, slope=slope))
    expected = numbers(plain) | {"background_noise": plain.background_noise * slope}
    assert numbers(scaled) == pytest.approx(expected, rel=1e-3)


@given(st.sets(st.sampled_from([0, 1])), st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_left_and_right_front_and_back_do_not_matter(axes, seed):
    volume = head(seed=seed)
    flipped = quality(changed(volume, np.flip(volume.array, tuple(axes))))
    assert numbers(flipped) == pytest.approx(numbers(quality(volume)), rel=0.02, abs=1e-3)


@given(st.permutations([0, 1, 2]))
@settings(max_examples=6, deadline=None)
def test_the_axis_of_slices_may_be_any(order):
    volume = head()
    moved = Volume(
        np.ascontiguousarray(volume.array.transpose(order)),
        np.diag([*(volume.spacing[a] for a in order), 1.0]),
        part="magnitude",
    )
    before = numbers(quality(volume))
    expected = before | {f"fwhm_{'xyz'[n]}": before[f"fwhm_{'xyz'[a]}"] for n, a in enumerate(order)}
    assert numbers(quality(moved)) == pytest.approx(expected, rel=0.05, abs=5e-3)


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32]),
        hnp.array_shapes(min_dims=3, max_dims=4, max_side=12),
    ),
    st.sampled_from([1.0, 0.5, -2.0]),
    st.sampled_from([0.0, -3.0]),
    st.sampled_from(["static", "dynamic", "diffusion"]),
)
@settings(max_examples=50, deadline=None)
def test_any_volume_has_measures_that_are_finite_or_none(array, slope, intercept, kind):
    steps = array.shape[3] if array.ndim == 4 else 1
    bvals = np.arange(steps) * 500.0 if kind == "diffusion" else None
    found = quality(Volume(array, np.eye(4), slope, intercept, kind=kind, bvals=bvals))
    assert isinstance(found, Quality)
    for value in numbers(found).values():
        assert np.isfinite(value).all()


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_volume_is_empty(value):
    found = quality(Volume(np.full((9, 8, 7), value, np.int16), np.eye(4)))
    assert numbers(found) == {"empty_slices": 7}


def test_quartiles_of_rayleigh_noise():
    noise = np.random.default_rng(0).rayleigh(3.0, 400_000)
    assert np.subtract(*np.percentile(noise, (75, 25))) == pytest.approx(3 * RAYLEIGH_QUARTILES, rel=0.01)


def test_holes_belong_to_the_object_and_corners_do_not():
    ring = np.zeros((1, 9, 9), bool)
    ring[0, 2:7, 2:7] = True
    ring[0, 3:6, 3:6] = False
    assert enclosed(ring).sum() == 25


@pytest.mark.data
@pytest.mark.parametrize(
    "path", ["dcm_qa_nih/Ref/EPI_PE=AP_3.nii", "dcm_qa_nih/Ref/DCM2NIIX_regression_test_4.nii", "dcm_qa_ts/Ref/1.nii"]
)
def test_what_is_done_to_a_real_scan_shows(path):
    file = DATA / path
    if not file.is_file():
        pytest.skip("shared test data is not here")
    volume = nifti.read(file.read_bytes())
    if volume.array.ndim == 4:
        volume = dataclasses.replace(
            volume, array=np.ascontiguousarray(volume.array[..., 0]), kind="static", times=None
        )
    array, rng = volume.array.astype(float), np.random.default_rng(0)
    sigma = array[array > array.mean()].mean() * 0.08
    noise = np.hypot(array + rng.normal(0, sigma, array.shape), rng.normal(0, sigma, array.shape))
    ghost = array + 0.25 * np.roll(array, array.shape[1] // 2, 1)
    smooth = ndimage.gaussian_filter(array, 1.5)
    clean, noisy, doubled, blurred = (quality(changed(volume, np.rint(a))) for a in (array, noise, ghost, smooth))
    assert noisy.snr < clean.snr
    assert noisy.snr_air < clean.snr_air
    assert noisy.cnr < clean.cnr
    assert noisy.fber < clean.fber
    assert doubled.ghosting > clean.ghosting + 0.1
    assert doubled.efc > clean.efc
    assert np.prod(blurred.fwhm) > np.prod(clean.fwhm)


def test_order_in_memory_does_not_matter():
    volume = head()
    other = dataclasses.replace(volume, array=np.asfortranarray(volume.array))
    assert numbers(quality(other)) == numbers(quality(volume))
