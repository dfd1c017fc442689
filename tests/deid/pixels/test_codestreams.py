"""Compressed frames: everything beside the image goes, and the image stays bit for bit."""

import io
import signal
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, RLELossless

from benchmarks.traps import files, objects
from deid.pixels import pixels
from deid.pixels.codestreams import bare
from deid.refusals import Refused
from schemas.reasons import Reason

UIDS = ("1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4")
SYNTAXES = (RLELossless, JPEGLosslessSV1, JPEG2000Lossless)
SAMPLES = objects.SIDE**2
TOP = {0x00280010: struct.pack("<H", objects.SIDE), 0x00280011: struct.pack("<H", objects.SIDE)}
MPEG = "1.2.840.10008.1.2.4.102"


@pytest.fixture(scope="module")
def frames():
    return {syntax: files.frame(objects.mr(UIDS), syntax) for syntax in SYNTAXES}


def shown(content, syntax):
    """The pixels that a decoder makes of a frame."""
    image = objects.mr(UIDS)
    files.compressed(image, content)
    return dcmread(io.BytesIO(files.written(image, syntax))).pixel_array


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_comments_go_and_the_image_stays(frames, syntax):
    planted = files.commented(frames[syntax], b"Vandelquist was here", syntax)
    clean = bare(planted, syntax, SAMPLES)
    assert b"Vandelquist" not in clean
    assert np.array_equal(shown(clean, syntax), original())


def original():
    image = objects.mr(UIDS)
    return np.frombuffer(image.PixelData, "<u2").reshape(objects.SIDE, objects.SIDE)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_bare_already_stays_byte_for_byte(frames, syntax):
    once = bare(frames[syntax], syntax, SAMPLES)
    assert bare(once, syntax, SAMPLES) is once
    assert bare(once + b"\0", syntax, SAMPLES) == once + b"\0"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_bytes_behind_the_image_go(frames, syntax):
    once = bare(frames[syntax], syntax, SAMPLES)
    assert bare(once + b"Vandelquist", syntax, SAMPLES) == once


def test_a_comment_in_a_tile_goes_and_its_length_is_right(frames):
    once = bare(frames[JPEG2000Lossless], JPEG2000Lossless, SAMPLES)
    start = once.index(b"\xff\x90")
    comment = b"\xff\x64" + struct.pack(">H", 15) + b"\0\1Vandelquist"
    length = struct.unpack_from(">I", once, start + 6)[0]
    planted = once[: start + 12] + comment + once[start + 12 :]
    planted = planted[: start + 6] + struct.pack(">I", length and length + len(comment)) + planted[start + 10 :]
    clean = bare(planted, JPEG2000Lossless, SAMPLES)
    assert b"Vandelquist" not in clean
    assert np.array_equal(shown(clean, JPEG2000Lossless), original())


def test_colour_transforms_stay_and_their_look_alikes_go(frames):
    frame = frames[JPEGLosslessSV1]
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
    longer = b"\xff\xee\0\x19Adobe\0\x64\0\0\0\0\0Vandelquist"
    clean = bare(frame[:2] + adobe + longer + frame[2:], JPEGLosslessSV1, SAMPLES)
    assert adobe in clean and b"Vandelquist" not in clean


def test_an_offset_table_that_is_none_goes(frames):
    image = objects.mr(UIDS)
    files.compressed(image, frames[RLELossless], b"Vandelquist ")
    pieces, cut = pixels.encapsulated(TOP, image.PixelData, RLELossless)
    assert cut and b"Vandelquist" not in b"".join(pieces)
    files.compressed(image, frames[RLELossless], bytes(4))
    pieces, cut = pixels.encapsulated(TOP, image.PixelData, RLELossless)
    assert not cut and pieces[1] == image.PixelData


def test_a_frame_in_fragments_is_one_image(frames):
    frame = bare(frames[JPEGLosslessSV1], JPEGLosslessSV1, SAMPLES)
    frame += bytes(len(frame) % 2)
    parts = [b"", frame[:100], frame[100:300], frame[300:]]
    value = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(part)) + part for part in parts)
    pieces, cut = pixels.encapsulated(TOP, value, JPEGLosslessSV1)
    assert not cut and pieces[1] == value


def test_a_codestream_that_nobody_knows_is_refused(frames):
    with pytest.raises(Refused) as refused:
        bare(frames[RLELossless], MPEG, SAMPLES)
    assert refused.value.reason is Reason.UNSUPPORTED


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_broken_frames_are_refused_or_bare(data, frames):
    syntax = data.draw(st.sampled_from(SYNTAXES))
    frame = bytearray(frames[syntax])
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(frame)))
    try:
        clean = bare(bytes(frame[:cut]), syntax, SAMPLES)
    except Refused as refused:
        assert refused.reason is Reason.PIXELS_INVALID
        return
    assert len(clean) <= 16 * len(frame)


def test_a_last_tile_part_that_never_ends_is_refused(frames):
    """Its length may be left out, and then reaches to the end of the codestream: where there is none, to nowhere."""
    frame = frames[JPEG2000Lossless]
    start = frame.index(b"\xff\x90")
    endless = frame[: start + 6] + bytes(4) + frame[start + 10 :]
    last = endless.rindex(b"\xff\xd9")
    np.testing.assert_array_equal(
        shown(bare(endless, JPEG2000Lossless, SAMPLES), JPEG2000Lossless), shown(frame, JPEG2000Lossless)
    )
    signal.alarm(60)  # without end means that no assertion would ever be reached
    with pytest.raises(Refused, match="pixels_invalid"):
        bare(endless[:last], JPEG2000Lossless, SAMPLES)
    signal.alarm(0)
