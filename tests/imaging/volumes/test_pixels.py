"""Pixels come out as the integers that were stored, or not at all."""

import base64
import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    HTJ2K,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
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


def fragmented(frames, pieces, table):
    """Encapsulated frames in several fragments each, with or without a Basic Offset Table."""
    made, offsets = b"", []
    for frame in frames:
        frame += b"\0" * (len(frame) % 2)
        size = len(frame) // pieces // 2 * 2 + 2
        offsets.append(len(made))
        for at in range(0, len(frame), size):
            part = frame[at : at + size]
            made += b"\xfe\xff\x00\xe0" + struct.pack("<I", len(part)) + part
    listed = struct.pack(f"<{len(offsets)}I", *offsets) if table else b""
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(listed)) + listed + made


@pytest.mark.parametrize("table", [True, False], ids=["offsets", "no offsets"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=lambda uid: uid.name)
def test_frames_in_several_fragments_are_decoded(dataset, file_of, syntax, table):
    pixels = np.random.default_rng(2).integers(0, 4000, (18, 14), dtype=np.uint16)
    made = dataset(pixels)
    made.compress(syntax)
    made.PixelData = fragmented(list(generate_frames(made.PixelData, number_of_frames=1)), 3, table)
    np.testing.assert_array_equal(stored_pixels(file_of(made)), pixels)


def jpeg_2000(dataset, pixels):
    """An instance in a syntax that no installed plugin of pydicom writes."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG2000", no_jp2=True)
    made = dataset(pixels)
    made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    made.PixelData = encapsulate([buffer.getvalue()])
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    return made


def test_jpeg_2000_is_decoded(dataset, file_of):
    for pixels in (
        np.arange(1024, dtype=np.uint16).reshape(32, 32) * 60,
        np.arange(256, dtype=np.uint8).reshape(16, 16),
    ):
        np.testing.assert_array_equal(stored_pixels(file_of(jpeg_2000(dataset, pixels))), pixels)


HIGH_THROUGHPUT = {
    (12, 0, 100): (
        "/0//UQApQAAAAAAHAAAABgAAAAAAAAAAAAAABwAAAAYAAAAAAAAAAAABCwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQ"
        "kJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAFUAAf+TwAAliwKHdAAAAMAAE0AAEoCK+gMHdAA4Aod0"
        "AMAAE8AAE4CuuPICgnQACy74AII0AKAAFpDjeDyO4zgKLliw4A5Pc+QxtwD/2Q=="
    ),
    (16, 1, -900): (
        "/0//UQApQAAAAAAHAAAABgAAAAAAAAAAAAAABwAAAAYAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQ"
        "kJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAFUAAf+TwAAlogEHdAAAAMAAE0AAEoCK+gMHdAA4Aod0"
        "AMAAE8AAE4CuuPICgnQACy74AII0AKAAFpDjeDyO4zgKLliw4A5Pc+QxtwD/2Q=="
    ),
}
"""Bits stored, sign and first value to a codestream of slopes; no package of the project writes any."""


@pytest.mark.parametrize("syntax", [HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K], ids=lambda uid: uid.name)
@pytest.mark.parametrize("kind", HIGH_THROUGHPUT, ids=lambda kind: f"{kind[0]} bits")
def test_high_throughput_jpeg_2000_is_decoded(dataset, file_of, kind, syntax):
    bits, signed, first = kind
    rows, columns = np.mgrid[:6, :7]
    pixels = (first + 300 * columns + 50 * rows**2).astype(np.int16 if signed else np.uint16)
    made = dataset(pixels, BitsStored=bits, HighBit=bits - 1)
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate([base64.b64decode(HIGH_THROUGHPUT[kind])])
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    np.testing.assert_array_equal(stored_pixels(file_of(made)), pixels)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([RLELossless, JPEGLSLossless, JPEG2000Lossless]))
def test_damaged_frames_are_refused_or_decoded_and_never_end_the_process(dataset, file_of, seed, syntax):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 4000, (18, 14), dtype=np.uint16)
    made = jpeg_2000(dataset, pixels) if syntax == JPEG2000Lossless else dataset(pixels)
    if syntax != JPEG2000Lossless:
        made.compress(syntax)
    data = bytearray(file_of(made))
    start = read_header(bytes(data)).pixel_offset + 16
    for place in random.integers(start, len(data), 3):
        data[place] = random.integers(256)
    try:
        assert stored_pixels(bytes(data)).shape == (18, 14)
    except ImagingError as error:
        assert error.reason is Reason.PIXELS_INVALID


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
