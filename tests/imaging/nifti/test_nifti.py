"""NIfTI goes out and comes back without a changed voxel, and carries no free text either way."""

import gzip
import struct
import tracemalloc
import zlib

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imaging.errors import ImagingError
from imaging.nifti.nifti import MAX_BEHIND, read, write
from imaging.volumes.volume import Volume
from schemas.reasons import Reason

KINDS = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64]


@given(
    hnp.arrays(st.sampled_from(KINDS), hnp.array_shapes(min_dims=3, max_dims=4, min_side=2, max_side=5)),
    st.sampled_from([(1.0, 0.0), (0.5, -3.0), (2.0, 0.0)]),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_back(array, rescale, packed):
    affine = np.array([[2.0, 0.1, 0, -30], [-0.1, 1.5, 0, 20], [0, 0, 3.0, 7], [0, 0, 0, 1]])
    volume = Volume(array, affine, *rescale, kind="static" if array.ndim == 3 else "dynamic")
    data = write(volume)
    found = read(gzip.compress(data) if packed else data)
    np.testing.assert_array_equal(found.array, array)
    assert found.array.dtype == array.dtype
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)
    assert (found.slope, found.intercept) == rescale
    if np.isfinite(array).all() and array.dtype.kind != "f":
        others = nib.Nifti1Image.from_bytes(data)
        np.testing.assert_allclose(others.get_fdata(), array * float(rescale[0]) + rescale[1], rtol=1e-6)


def test_times_survive_where_steps_are_even(tmp_path):
    volume = Volume(np.ones((2, 2, 2, 4), np.int16), np.eye(4), kind="dynamic", times=np.arange(4) * 2.5)
    for name in ("a.nii", "b.nii.gz"):
        write(volume, tmp_path / name)
        np.testing.assert_allclose(read(tmp_path / name).times, volume.times)
    assert (tmp_path / "b.nii.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert (tmp_path / "b.nii.gz").read_bytes()[4:8] == b"\0\0\0\0"  # no time stamp, so the same bytes each time


def image(array=None, affine=None, **header):
    made = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4) if array is None else array, affine)
    for name, value in header.items():
        made.header[name] = value
    return made


def test_other_axes_are_brought_to_ras():
    made = image(affine=np.array([[0, 0, -2.0, 5], [3.0, 0, 0, 6], [0, -4.0, 0, 7], [0, 0, 0, 1]]))
    found = read(made.to_bytes())
    closest = nib.as_closest_canonical(made)
    np.testing.assert_array_equal(found.array, np.asarray(closest.dataobj))
    np.testing.assert_allclose(found.affine, closest.affine)


def test_metres_become_millimetres():
    made = image(affine=np.diag([0.001, 0.002, 0.003, 1]))
    made.header.set_xyzt_units("meter")
    assert read(made.to_bytes()).spacing == pytest.approx((1, 2, 3))


def test_free_text_is_not_carried_over():
    made = image(affine=np.eye(4), descrip=b"DOE^JANE 1970", intent_name=b"DOE", db_name=b"DOE", aux_file=b"DOE")
    made.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"DOE"))
    assert b"DOE" in made.to_bytes()
    assert b"DOE" not in write(read(made.to_bytes()))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: b"no image at all" * 100, Reason.UNREADABLE),
        (lambda: b"\x1f\x8bbroken", Reason.UNREADABLE),
        (lambda: gzip.compress(image(affine=np.eye(4)).to_bytes())[:-20], Reason.TRUNCATED),
        (lambda: image(affine=np.eye(4)).to_bytes()[:-5], Reason.TRUNCATED),
        (lambda: image(affine=None).to_bytes(), Reason.HEADER_INVALID),
        (lambda: image(np.zeros((2, 2, 2), np.complex64), np.eye(4)).to_bytes(), Reason.UNSUPPORTED),
        (lambda: image(np.zeros((2, 2, 2, 2, 2), np.int16), np.eye(4)).to_bytes(), Reason.UNSUPPORTED),
    ],
    ids=["rubbish", "broken gzip", "cut gzip", "cut", "no orientation", "complex", "five axes"],
)
def test_what_is_no_usable_image_is_refused(data, reason):
    with pytest.raises(ImagingError) as caught:
        read(data())
    assert caught.value.reason is reason


def test_a_flat_image_and_a_single_step_have_three_axes():
    assert read(image(np.zeros((3, 2), np.int16), np.eye(4)).to_bytes()).shape == (3, 2, 1)
    assert read(image(np.zeros((3, 2, 2, 1), np.int16), np.eye(4)).to_bytes()).shape == (3, 2, 2)


def claiming(shape, behind=b""):
    """A header of int16 voxels of this shape, with a few voxels behind it."""
    made = bytearray(image(affine=np.eye(4)).to_bytes()[:352])
    made[40:56] = struct.pack("<8h", len(shape), *shape, *[1] * (7 - len(shape)))
    return bytes(made) + behind


def bomb(head, size):
    """Gzip data of a header and zeros, made without the zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    parts = [packer.compress(head)] + [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, packer.flush()])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: claiming((30000, 30000, 30000), bytes(100)), Reason.TRUNCATED),
        (lambda: gzip.compress(claiming((3000, 3000, 300), bytes(100))), Reason.TRUNCATED),
        (lambda: gzip.compress(claiming((30000, 30000, 30000))), Reason.UNSUPPORTED),
        (lambda: bomb(claiming((2, 2, 2)), 200 << 20), Reason.UNSUPPORTED),
        (lambda: bomb(b"", 200 << 20), Reason.UNREADABLE),
    ],
    ids=["plain", "packed", "beyond any image", "more than it says", "nothing but zeros"],
)
def test_what_is_not_there_takes_no_memory(data, reason):
    made = data()
    tracemalloc.start()
    try:
        with pytest.raises(ImagingError) as caught:
            read(made)
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_BEHIND
    finally:
        tracemalloc.stop()
    assert caught.value.reason is reason


def test_a_few_bytes_behind_the_voxels_are_read_over():
    data = image(affine=np.eye(4)).to_bytes()
    np.testing.assert_array_equal(read(gzip.compress(data + b"end")).array, read(data).array)


@given(st.integers(0, 2**32), st.booleans())
@settings(deadline=None, max_examples=150)
def test_a_damaged_header_is_read_or_refused_and_never_crashes(seed, packed):
    random = np.random.default_rng(seed)
    data = bytearray(write(Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))))
    for _ in range(int(random.integers(1, 6))):
        data[int(random.integers(0, 352))] = int(random.integers(0, 256))
    try:
        found = read(gzip.compress(data, 1) if packed else bytes(data))
    except ImagingError:
        return
    assert np.isfinite(found.affine).all()


@pytest.mark.parametrize("place", [-1e30, float("nan"), float("inf")])
def test_voxels_that_begin_nowhere_are_refused(place):
    data = bytearray(image(affine=np.eye(4)).to_bytes())
    data[108:112] = struct.pack("<f", place)
    for made in (bytes(data), gzip.compress(data)):
        with pytest.raises(ImagingError):
            read(made)
