"""Statistics describe the tissue, not the air around it, and survive every odd volume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imaging.volumes.statistics import PERCENTILES, statistics
from imaging.volumes.volume import Volume


def head(noise=12.0, seed=0, shape=(40, 44, 36)):
    """A ball of tissue of 300 to 700 in Rician noise, and where the ball is."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    ball = x**2 + y**2 + z**2 < 0.5
    clean = np.where(ball, 500 + 200 * x, 0)
    noisy = np.hypot(clean + rng.normal(0, noise, shape), rng.normal(0, noise, shape))
    return Volume(np.rint(noisy).astype(np.int16), np.eye(4)), ball


def blocks_of(found):
    bits = np.unpackbits(np.frombuffer(found.occupancy, np.uint8))
    return bits[: np.prod(found.occupancy_shape)].reshape(found.occupancy_shape).astype(bool)


@pytest.mark.parametrize("noise", [0.0, 5.0, 30.0])
def test_air_is_left_out_and_tissue_kept(noise):
    volume, ball = head(noise)
    found = statistics(volume)
    assert 3 * noise <= found.threshold < 300
    assert found.mean == pytest.approx(volume.array[ball].mean(), rel=0.03)
    assert found.percentiles[PERCENTILES.index(50)] == pytest.approx(np.median(volume.array[ball]), rel=0.03)
    tissue = np.zeros(tuple(-(-n // 8) for n in volume.shape), bool)
    for i, j, k in np.argwhere(ball) // 8:
        tissue[i, j, k] = True
    occupied = blocks_of(found)
    assert found.occupancy_shape == tissue.shape
    assert (occupied & ~tissue).sum() <= 0.02 * tissue.size
    assert (tissue & ~occupied).sum() <= 0.05 * tissue.sum()


def test_what_a_scanner_filled_in_draws_no_cut_of_its_own():
    volume, ball = head()
    filled = volume.array.copy()
    filled[:10] = 0
    found = statistics(Volume(filled, volume.affine))
    assert 36 <= found.threshold < 300
    assert found.mean == pytest.approx(volume.array[10:][ball[10:]].mean(), rel=0.03)


def test_a_stripped_brain_keeps_its_dark_tissue():
    rng = np.random.default_rng(0)
    array = np.zeros((30, 30, 30))
    array[5:25, 5:25, 5:25] = rng.normal(600, 30, (20, 20, 20))
    array[5:25, 5:25, 5:10] = rng.normal(140, 20, (20, 20, 5))
    found = statistics(Volume(np.rint(array).astype(np.int16), np.eye(4)))
    assert found.threshold < 60


def test_tissue_in_any_step_occupies_its_block():
    array = np.zeros((16, 16, 16, 2), np.uint8)
    array[:8, :8, :8, 0] = 100
    array[8:, 8:, 8:, 1] = 100
    occupied = blocks_of(statistics(Volume(array, np.eye(4), kind="dynamic")))
    assert np.argwhere(occupied).tolist() == [[0, 0, 0], [1, 1, 1]]


def test_a_crop_inside_tissue_has_no_background():
    array = np.random.default_rng(0).normal(500, 80, (20, 20, 20)).clip(1).astype(np.int16)
    found = statistics(Volume(array, np.eye(4)))
    assert found.percentiles[0] == array.min()
    assert blocks_of(found).all()


def test_phase_images_keep_all_their_values():
    array = np.random.default_rng(0).integers(-4096, 4096, (10, 10, 10), dtype=np.int16)
    assert statistics(Volume(array, np.eye(4), part="phase")).percentiles[0] == array.min()


def test_values_not_stored_numbers_are_reported():
    volume, _ = head()
    plain = statistics(volume)
    scaled = statistics(Volume(volume.array, volume.affine, slope=0.5))
    np.testing.assert_allclose(scaled.percentiles, np.array(plain.percentiles) / 2)
    assert scaled.occupancy == plain.occupancy


def test_missing_slices_and_missing_values_do_not_count():
    volume, _ = head()
    holed = volume.array.copy()
    holed[:, :, 18] = 0
    found = statistics(Volume(holed, volume.affine, missing_slices=(18,)))
    assert found.percentiles == pytest.approx(statistics(volume).percentiles, rel=0.05)
    floats = volume.array.astype(np.float32)
    floats[0, 0, 0] = np.nan
    assert statistics(Volume(floats, volume.affine)).mean == pytest.approx(statistics(volume).mean, rel=1e-3)


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32]),
        hnp.array_shapes(min_dims=3, max_dims=4, max_side=9),
    ),
    st.sampled_from([1.0, 0.1, -2.0]),
)
@settings(max_examples=50, deadline=None)
def test_any_volume_has_ordered_percentiles_and_a_map_of_its_size(array, slope):
    if array.dtype.kind == "f":
        array = np.clip(np.nan_to_num(array), -1e20, 1e20)
    found = statistics(Volume(array, np.eye(4), slope=slope, kind="dynamic" if array.ndim == 4 else "static"))
    assert list(found.percentiles) == sorted(found.percentiles)
    assert len(found.percentiles) == len(PERCENTILES)
    assert np.isfinite([found.mean, found.std, found.threshold]).all()
    assert len(found.occupancy) == -(-np.prod(found.occupancy_shape) // 8)


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_volume_is_its_value(value):
    found = statistics(Volume(np.full((9, 8, 7), value, np.int16), np.eye(4)))
    assert set(found.percentiles) == {value}
    assert (found.mean, found.std) == (value, 0)


def test_order_in_memory_does_not_matter():
    volume, _ = head()
    assert statistics(Volume(np.asfortranarray(volume.array), volume.affine)) == statistics(volume)
