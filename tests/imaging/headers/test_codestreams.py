"""A compressed frame that states another size than its header, or more than any image has, never reaches a decoder."""

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from imaging.errors import ImagingError
from imaging.headers.codestreams import MOST_BYTES, MOST_SAMPLES, Matrix, require_decodable
from imaging.volumes.pixels import stored_pixels
from schemas.reasons import Reason
from tests.imaging.conftest import make_dataset, to_bytes

SIDE = 16
ROOM = 1 << 24
"""Bytes that refusing a file may take, beside the file."""
JPEG_SYNTAXES = [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless]
J2K_SYNTAXES = [JPEG2000Lossless, HTJ2KLossless]


def jpeg(rows, columns, samples=1, before=b"", marker=0xC0):
    size = struct.pack(">BHHB", 8, rows, columns, samples) + bytes(3 * samples)
    segment = bytes((0xFF, marker)) + struct.pack(">H", len(size) + 2) + size
    return b"\xff\xd8" + before + segment + b"\xff\xda" + struct.pack(">H", 8) + bytes(6) + b"\x12\x34\xff\xd9"


def jpeg_2000(rows, columns, samples=1, tile=None, moved=0):
    high, wide = tile or (rows, columns)
    size = struct.pack(">H8IH", 0, columns + moved, rows + moved, moved, moved, wide, high, moved, moved, samples)
    size += b"\x0f\x01\x01" * samples
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + b"\xff\xd9"


def run_lengths(segments, count=None):
    places = np.cumsum([64, *map(len, segments)])[:-1]
    header = struct.pack("<I", len(segments) if count is None else count) + struct.pack(f"<{len(places)}I", *places)
    return header.ljust(64, b"\0") + b"".join(segments)


def frame_of(syntax, rows, columns, samples=1):
    if syntax in J2K_SYNTAXES:
        return jpeg_2000(rows, columns, samples)
    return jpeg(rows, columns, samples, marker=0xF7 if syntax == JPEGLSLossless else 0xC0)


def file_with(frames, syntax, **elements):
    made = make_dataset(np.zeros((SIDE, SIDE), np.uint16), **elements)
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate(frames)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return to_bytes(made)


def refusal(frames, syntax, matrix=None):
    with pytest.raises(ImagingError) as caught:
        require_decodable(encapsulate(frames), syntax, matrix or Matrix(len(frames), SIDE, SIDE, 1, 16))
    return caught.value.reason


@pytest.mark.parametrize("syntax", JPEG_SYNTAXES + J2K_SYNTAXES, ids=lambda uid: uid.name)
def test_what_states_the_size_of_the_header_passes(syntax):
    for samples in (1, 3):
        frames = [frame_of(syntax, SIDE, SIDE + 4, samples)] * 2
        require_decodable(encapsulate(frames), syntax, Matrix(2, SIDE, SIDE + 4, samples, 8))


@pytest.mark.parametrize("syntax", JPEG_SYNTAXES + J2K_SYNTAXES, ids=lambda uid: uid.name)
@pytest.mark.parametrize("stated", [(60000, 60000, 1), (SIDE, SIDE + 1, 1), (SIDE, SIDE, 3), (0, SIDE, 1)])
def test_what_states_another_size_is_refused(syntax, stated):
    assert refusal([frame_of(syntax, SIDE, SIDE), frame_of(syntax, *stated)], syntax) is Reason.PIXELS_INVALID


def test_a_second_size_in_a_frame_is_refused():
    second = jpeg(60000, 60000)[2:-15]
    assert refusal([jpeg(SIDE, SIDE, before=second)], JPEGBaseline8Bit) is Reason.PIXELS_INVALID
    hidden = b"\xff\xfe" + struct.pack(">H", len(second) + 2) + second  # a comment is no segment of an image
    require_decodable(encapsulate([jpeg(SIDE, SIDE, before=hidden)]), JPEGBaseline8Bit, Matrix(1, SIDE, SIDE, 1, 8))


TABLE = bytes([0, 0, 1, *bytes(14), 7])
"""A Huffman table of one code of two bits."""


def lossless(table=TABLE, precision=16, scan=b"\x12\xff\x00\x34", between=b""):
    size = struct.pack(">BHHB", precision, SIDE, SIDE, 1) + b"\x01\x11\x00"
    parts = [(0xC3, size), (0xC4, table), (0xDA, b"\x01\x01\x00\x01\x00\x00")]
    segments = [bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body for marker, body in parts]
    return b"\xff\xd8" + between.join(segments) + scan + b"\xff\xd9"


def test_a_lossless_frame_of_whole_segments_passes():
    matrix = Matrix(1, SIDE, SIDE, 1, 16)
    for frame in (lossless(), lossless(table=TABLE * 2), lossless(scan=b"\x12\xff\xd0\x34"), lossless()[:-3]):
        require_decodable(encapsulate([frame]), JPEGLosslessSV1, matrix)


@pytest.mark.parametrize(
    "damage",
    [
        {"table": TABLE[:-1]}, {"table": b"\x20" + TABLE[1:]}, {"table": bytes([0, 3, *bytes(15), 1, 2, 3])},
        {"precision": 20}, {"scan": b"\x12\xff\x72\x34"}, {"between": b"\x00"},
    ],
    ids=["table cut off", "no such table", "more codes than fit", "bits", "marker in a scan", "bytes between segments"],
)  # fmt: skip
def test_a_lossless_frame_that_would_end_the_process_is_refused(damage):
    assert refusal([lossless(**damage)], JPEGLosslessSV1) is Reason.PIXELS_INVALID


def test_an_image_that_lies_elsewhere_on_its_canvas_or_in_boxes_passes():
    matrix = Matrix(1, SIDE, SIDE, 1, 16)
    require_decodable(encapsulate([jpeg_2000(SIDE, SIDE, moved=7)]), JPEG2000Lossless, matrix)
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 12, b"ftyp") + b"jp2 " + struct.pack(">I4s", 0, b"jp2c")
    require_decodable(encapsulate([boxes + jpeg_2000(SIDE, SIDE)]), JPEG2000Lossless, matrix)
    assert refusal([boxes + jpeg_2000(60000, 60000)], JPEG2000Lossless) is Reason.PIXELS_INVALID


def test_thousands_of_tiles_are_refused():
    frame = jpeg_2000(SIDE * 8, SIDE * 8, tile=(1, 1))
    assert refusal([frame], JPEG2000Lossless, Matrix(1, SIDE * 8, SIDE * 8, 1, 16)) is Reason.PIXELS_INVALID


@pytest.mark.parametrize(
    "matrix",
    [
        Matrix(1, 60000, 60000, 1, 16),
        Matrix(MOST_BYTES // (SIDE * SIDE * 2) + 1, SIDE, SIDE, 1, 16),
        Matrix(1, 8192, MOST_SAMPLES // 8192 + 1, 1, 8),
    ],
)
def test_more_than_any_image_has_is_refused_though_frames_agree(matrix):
    frame = jpeg_2000(matrix.rows, matrix.columns)
    assert refusal([frame], JPEG2000Lossless, matrix) is Reason.UNSUPPORTED


def test_fewer_frames_than_stated_are_refused():
    frames = [jpeg_2000(SIDE, SIDE)] * 3
    assert refusal(frames, JPEG2000Lossless, Matrix(1000, SIDE, SIDE, 1, 16)) is Reason.PIXELS_INVALID


def test_run_lengths_that_give_more_than_a_frame_are_refused():
    many = b"\x81\x07" * (1 << 20)  # a hundred and twenty-eight bytes for two
    plane = bytes((0x81, 0)) * 2
    require_decodable(encapsulate([run_lengths([plane, plane])]), RLELossless, Matrix(1, SIDE, SIDE, 1, 16))
    assert refusal([run_lengths([many, plane])], RLELossless) is Reason.PIXELS_INVALID
    assert refusal([run_lengths([plane])], RLELossless) is Reason.PIXELS_INVALID
    large = Matrix(1, 4096, 2048, 1, 8)
    assert refusal([run_lengths([many * 4])], RLELossless, large) is Reason.PIXELS_INVALID


@pytest.mark.parametrize("bits", ["u1", "<u2"])
def test_run_lengths_of_any_pixels_pass(bits):
    pixels = np.random.default_rng(3).integers(0, 255, (40, 3), dtype=bits)
    made = make_dataset(pixels)
    made.compress(RLELossless)
    np.testing.assert_array_equal(stored_pixels(to_bytes(made)), pixels)


@given(
    st.binary(min_size=1, max_size=200), st.sampled_from(JPEG_SYNTAXES + J2K_SYNTAXES + [RLELossless]), st.booleans()
)
@settings(max_examples=150, deadline=None)
def test_rubbish_is_refused_and_never_crashes(rubbish, syntax, begun):
    start = {JPEG2000Lossless: b"\xff\x4f\xff\x51", RLELossless: b"\2\0\0\0"}.get(syntax, b"\xff\xd8")
    try:
        require_decodable(encapsulate([(start if begun else b"") + rubbish]), syntax, Matrix(1, SIDE, SIDE, 1, 16))
    except ImagingError as error:
        assert error.reason is Reason.PIXELS_INVALID


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1], ids=lambda uid: uid.name)
def test_a_forged_file_is_refused_in_little_memory(syntax):
    """The header is right or forged as well; either way nobody makes room for what is not there."""
    small = file_with([frame_of(syntax, 30000, 30000)], syntax)
    large = file_with([frame_of(syntax, 60000, 60000)], syntax, Rows=60000, Columns=60000)
    for data, reason in ((small, Reason.PIXELS_INVALID), (large, Reason.UNSUPPORTED)):
        tracemalloc.start()
        try:
            with pytest.raises(ImagingError) as caught:
                stored_pixels(data)
            assert tracemalloc.get_traced_memory()[1] < ROOM
        finally:
            tracemalloc.stop()
        assert caught.value.reason is reason


@pytest.mark.data
def test_frames_of_scanners_state_their_size(shared_data):
    checked = 0
    for path in sorted((shared_data / "dcm_qa_ts" / "In").iterdir()):
        made = dcmread(path)
        syntax = made.file_meta.TransferSyntaxUID
        if syntax.is_encapsulated:
            matrix = Matrix(1, made.Rows, made.Columns, 1, made.BitsAllocated)
            require_decodable(made.PixelData, syntax, matrix)
            frame = next(generate_frames(made.PixelData, number_of_frames=1))
            if syntax != RLELossless:  # which states none
                larger = Matrix(1, made.Rows * 3, made.Columns, 1, 16)
                assert refusal([frame], syntax, larger) is Reason.PIXELS_INVALID
            checked += 1
    assert checked
