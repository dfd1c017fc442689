import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.pixels import burned_in, gate
from deid.pixels.burned_in import Box, Inspection
from deid.text.identifiers import Identifiers

NOBODY = Identifiers()
OWN = Identifiers.of([("name", "Quennelby^Osberta"), ("id", "PID88123")])


def ink(word, size=14):
    """A word as coverage, 0 to 1."""
    import matplotlib as mpl
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
    image = Image.new("L", (int(font.getlength(word)) + 2, size + 4))
    ImageDraw.Draw(image).text((1, 0), word, 255, font=font)
    return np.asarray(image) / 255.0


def series(frames=6, side=96, seed=0):
    """Noisy frames with something round in them that changes its size from frame to frame."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2
    radius = np.linspace(0.2, 0.4, frames)[:, None, None] * side
    tissue = 900 / (1 + np.exp((np.hypot(x, 1.2 * y)[None] - radius) / 2))
    return np.hypot(tissue + rng.normal(0, 15, tissue.shape), rng.normal(0, 15, tissue.shape))


def draw(stack, word, top=4, left=4, level=1000, size=14, frames=slice(None)):
    """Draw a word; gives its pixels."""
    coverage = ink(word, size)
    place = (slice(top, top + coverage.shape[0]), slice(left, left + coverage.shape[1]))
    stack[frames, *place] = stack[frames, *place] * (1 - coverage) + level * coverage
    pixels = np.zeros(stack.shape[1:3], dtype=bool)
    pixels[place] = coverage > 0.5
    return pixels


def masked(frames, inspection):
    """Pixels that blanking changes."""
    return burned_in.blank(np.zeros(frames.shape, dtype=np.uint8), inspection, 1).astype(bool)


def test_clean_frames_are_clean():
    inspection = burned_in.inspect(series().astype(np.uint16), frozenset(), NOBODY)
    assert inspection == Inspection("clean")
    assert inspection.score is None


@pytest.mark.parametrize("kind", ["uint16", "int16", "uint8", "colour"])
def test_text_in_every_frame_is_covered_and_the_rest_is_untouched(kind):
    stack = series()
    pixels = draw(stack, "PID88123")
    if kind == "colour":
        frames = np.stack([stack / 4, stack / 8, stack / 4], axis=-1).astype(np.uint8)
    else:
        frames = (stack / 4 if kind == "uint8" else stack - 200 if kind == "int16" else stack).astype(kind)
    inspection = burned_in.inspect(frames, frozenset(), OWN)
    assert inspection.verdict == "text"
    blanked = burned_in.blank(frames, inspection, int(frames.min()))
    assert blanked.dtype == frames.dtype
    assert (blanked[:, pixels] == frames.min()).all()
    outside = ~masked(frames, inspection)
    assert outside.mean() > 0.5
    np.testing.assert_array_equal(blanked[outside], frames[outside])


def test_text_in_one_frame_is_blanked_there_and_nowhere_else():
    stack = series(12)
    pixels = draw(stack, "OSBERTA", top=70, frames=[7])
    frames = stack.astype(np.uint16)
    inspection = burned_in.inspect(frames, frozenset(), NOBODY)
    assert inspection.verdict == "text"
    changed = masked(frames, inspection)
    assert changed[7][pixels].all()
    assert changed.any(axis=(1, 2)).tolist() == [frame == 7 for frame in range(12)]


def test_a_single_frame_and_dark_text_on_a_bright_background():
    stack = series(1)
    pixels = draw(stack, "MRN 7751")
    frames = (1200 - stack).astype(np.int16)
    inspection = burned_in.inspect(frames, frozenset(), NOBODY)
    assert inspection.verdict == "text"
    assert masked(frames, inspection)[0][pixels].all()


def test_what_was_read_is_told_by_its_kind_alone():
    stack = series()
    draw(stack, "Quennelby", size=13)
    draw(stack, "1949-03-07", top=76, size=13)
    inspection = burned_in.inspect(stack.astype(np.uint16), frozenset(), OWN)
    kinds = {seen.kind for seen in inspection.seen}
    assert {"text", "name", "DATE"} <= kinds
    told = repr(inspection).casefold()
    assert not any(part in told for part in ("quennelby", "1949", "03-07", "osberta"))
    assert 0 < inspection.score <= 1


def test_text_that_stays_readable_makes_the_verdict_unsure(monkeypatch):
    stack = series()
    draw(stack, "OSBERTA")
    monkeypatch.setattr(burned_in, "_blanked", lambda frames, boxes, fill: frames)
    monkeypatch.setattr(burned_in, "_ROUNDS", 2)
    inspection = burned_in.inspect(stack.astype(np.uint16), frozenset(), NOBODY)
    assert inspection.verdict == "unsure"


def test_frames_without_room_for_a_word_are_not_read(monkeypatch):
    monkeypatch.setattr(burned_in, "_look", None)
    assert burned_in.inspect(np.zeros((3, 4, 4), np.int16), frozenset({"stated"}), NOBODY).verdict == "clean"
    assert burned_in.inspect(np.zeros((0, 64, 64), np.int16), frozenset(), NOBODY).verdict == "clean"


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_blanking_changes_pixels_in_boxes_only(data):
    shape = data.draw(st.sampled_from([(3, 20, 30), (1, 20, 30), (2, 20, 30, 3)]))
    kind = data.draw(st.sampled_from(["int16", "uint16", "uint8", ">i2"]))
    frames = np.random.default_rng(0).integers(5, 100, shape).astype(kind)
    frames.setflags(write=False)
    side = st.integers(0, 30)
    which = st.none() | st.sets(st.integers(0, shape[0] - 1), min_size=1).map(lambda s: tuple(sorted(s)))
    boxes = data.draw(st.lists(st.builds(Box, side, side, side, side, which), max_size=4))
    inside = np.zeros(shape, dtype=bool)
    for box in boxes:
        chosen = list(range(shape[0])) if box.frames is None else list(box.frames)
        for frame in chosen:
            inside[frame, box.top : box.bottom, box.left : box.right] = True
    blanked = burned_in.blank(frames, Inspection("text", tuple(boxes)), 0)
    assert blanked.dtype == frames.dtype
    assert (blanked[inside] == 0).all()
    np.testing.assert_array_equal(blanked[~inside], frames[~inside])


def test_nothing_found_gives_the_very_same_frames():
    frames = np.ones((2, 8, 8), np.uint8)
    assert burned_in.blank(frames, Inspection("clean"), 0) is frames


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_unused_bits_are_cleared_and_used_ones_kept(data):
    allocated = data.draw(st.sampled_from([8, 16, 32]))
    stored = data.draw(st.integers(1, allocated))
    high = data.draw(st.integers(stored - 1, allocated - 1))
    low = high + 1 - stored
    words = np.array(data.draw(st.lists(st.integers(0, (1 << allocated) - 1), min_size=1, max_size=8)), dtype=object)
    kept = (((1 << stored) - 1) << low) & ((1 << allocated) - 1)
    plain = np.array([w & kept for w in words])
    unsigned = gate.unused_bits(words.astype(f"u{allocated // 8}"), stored, high)
    assert unsigned.tolist() == plain.tolist()
    signed = gate.unused_bits(words.astype(f"u{allocated // 8}").view(f"i{allocated // 8}"), stored, high)
    extended = [int(p) - (1 << high + 1) if int(p) >> high & 1 else int(p) for p in plain]
    assert signed.tolist() == extended


def test_frames_that_use_every_bit_are_given_back():
    frames = np.ones((1, 4, 4), np.uint16)
    assert gate.unused_bits(frames, 16, 15) is frames


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["uint8", "uint16", "int16", "int32", "uint32", ">u2"]), st.booleans())
def test_any_stored_type_becomes_grey_with_a_dark_background(kind, inverted):
    stack = series(2, 40)
    limits = np.iinfo(kind)
    scaled = (stack / stack.max() * (min(limits.max, 1 << 20) - 1)).astype(kind)
    grey = gate.grey((scaled.max() - scaled).astype(kind) if inverted else scaled)
    assert grey.dtype == np.int16
    assert np.median(grey[:, 0]) < grey.max() / 2


def test_a_word_that_is_hardly_brighter_than_the_tissue_of_its_frame_is_found():
    stack = np.minimum(series(12, 128) + 500, 900)
    y, x = np.mgrid[:128, :128]
    for frame in range(12):
        stack[frame][np.hypot(x - 40 - 2 * frame, y - 58) < 9] = 100
    draw(stack, "12:31:07", top=50, left=30, level=1150, size=10, frames=[4])
    inspection = burned_in.inspect(stack.astype(np.uint16), frozenset(), NOBODY)
    assert inspection.single == {4}


def test_lines_that_stand_close_together_are_all_covered():
    stack = series(6, 128)
    words = [draw(stack, word, top=2 + 13 * n, size=12) for n, word in enumerate(["PID88123", "1949-03-07", "OSBERTA"])]
    frames = stack.astype(np.uint16)
    inspection = burned_in.inspect(frames, frozenset(), OWN)
    assert inspection.verdict == "text"
    changed = masked(frames, inspection)
    assert all(changed[:, word].all() for word in words)


def test_orientation_marks_stay():
    stack = series(6, 128)
    for mark, top, left in [("R", 56, 2), ("L", 56, 114), ("A", 2, 60), ("P", 110, 60)]:
        draw(stack, mark, top=top, left=left, level=1200)
    assert burned_in.inspect(stack.astype(np.uint16), frozenset(), NOBODY).verdict == "clean"


def test_readers_are_not_loaded_before_a_picture_is_read():
    code = (
        "import sys, deid.pixels.burned_in, deid.pixels.series, stages.instances\n"
        "print([m for m in ('rapidocr_onnxruntime', 'onnxruntime', 'cv2', 'presidio_analyzer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
