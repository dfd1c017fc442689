"""Pixels come out as the integers that were stored, or not at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from imaging.errors import ImagingError
from imaging.headers.layout import UNDEFINED
from imaging.headers.reading import read_header
from imaging.volumes.pixels import stored_pixels
from schemas.reasons import Reason

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


@given(st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4"]), st.sampled_from(SYNTAXES), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_every_width_sign_and_byte_order_survives(instance, kind, syntax, seed):
    info = np.iinfo(kind)
    pixels = np.random.default_rng(seed).integers(info.min, info.max, (3, 5), dtype=kind, endpoint=True)
    data = instance(pixels, TransferSyntaxUID=syntax)
    for header in (None, read_header(data)):
        found = stored_pixels(data, header)
        np.testing.assert_array_equal(found, pixels)
        assert found.dtype == np.dtype(kind)


def test_signs_are_extended_and_overlay_bits_cut_off(instance):
    stored = np.array([[0x0FFF, 0x0001], [0x0800, 0xF7FF]], np.uint16)
    bits = {"BitsStored": 12, "HighBit": 11}
    assert stored_pixels(instance(stored, **bits)).tolist() == [[4095, 1], [2048, 2047]]
    signed = instance(stored.view(np.int16), PixelRepresentation=1, **bits)
    assert stored_pixels(signed).tolist() == [[-1, 1], [-2048, 2047]]
    high = instance(stored << 4, BitsStored=12, HighBit=15)
    assert stored_pixels(high).tolist() == [[4095, 1], [2048, 2047]]


def test_inverted_grey_is_kept_as_stored(instance):
    pixels = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert stored_pixels(instance(pixels, PhotometricInterpretation="MONOCHROME1")).tolist() == pixels.tolist()


def test_run_length_compression_is_decoded(dataset, file_of):
    pixels = np.repeat(np.arange(12, dtype=np.uint16), 5).reshape(6, 10)
    made = dataset(pixels)
    made.compress(RLELossless)
    np.testing.assert_array_equal(stored_pixels(file_of(made)), pixels)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda made: setattr(made, "PixelData", made.PixelData[:-4]), Reason.PIXELS_INVALID),
        (lambda made: setattr(made, "PixelData", made.PixelData * 2), Reason.PIXELS_INVALID),
        (lambda made: setattr(made, "PixelData", b""), Reason.PIXELS_INVALID),
        (lambda made: setattr(made, "Rows", 7), Reason.PIXELS_INVALID),
    ],
    ids=["short", "two frames", "no bytes", "wrong rows"],
)
def test_pixels_that_do_not_fill_the_matrix_are_refused(dataset, file_of, change, reason):
    made = dataset()
    change(made)
    with pytest.raises(ImagingError) as caught:
        stored_pixels(file_of(made))
    assert caught.value.reason is reason


def test_a_file_that_ends_inside_the_pixels_is_truncated(instance):
    with pytest.raises(ImagingError) as caught:
        stored_pixels(instance()[:-3])
    assert caught.value.reason is Reason.TRUNCATED


def test_broken_or_unknown_compression_is_refused(dataset, file_of):
    made = dataset(np.zeros((6, 10), np.uint16))
    made.compress(RLELossless)
    data = file_of(made)
    header = read_header(data)
    assert header.pixel_length == UNDEFINED
    start = header.pixel_offset + 16
    with pytest.raises(ImagingError, match="needed frames that match it") as caught:
        stored_pixels(data[:start] + b"\xff" * 64 + data[start + 64 :])
    assert caught.value.reason is Reason.PIXELS_INVALID
    unknown = data.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.7\0")
    with pytest.raises(ImagingError, match="no installed pydicom plugin") as caught:
        stored_pixels(unknown)
    assert caught.value.reason is Reason.UNSUPPORTED
