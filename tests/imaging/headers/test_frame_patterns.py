"""Frames read by the example of others give what each would have given alone, or are refused as it would have been."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.errors import ImagingError
from imaging.headers import frame_patterns
from imaging.headers.elements import Items
from imaging.headers.frame_patterns import FramePatterns
from imaging.headers.layout import UNDEFINED, Layout
from imaging.headers.multiframe import Groups, is_group

PLAIN = Layout(False, True)


def element(tag, vr, value):
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    value += b" " * (len(value) % 2)
    if vr in (b"SQ", b"UN", b"OB"):
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def item(content, stated):
    if stated:
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
    return struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED) + content + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)


def sequence(tag, items, stated, vr=b"SQ"):
    items = [item(content, stated) for content in items]
    if stated:
        return element(tag, vr, b"".join(items))
    head = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, UNDEFINED)
    return head + b"".join(items) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def frame(number, echo, region, creator, stated, words):
    """Functional groups as scanners write them: the standard's, a region with codes, and Philips' private copy."""
    place = element(0x00200032, b"DS", f"0\\0\\{2.5 * number}".encode())
    gradient = element(0x00189089, b"FD", struct.pack("<3d", 1.0, 0.0, float(number % 3)))
    diffusion = element(0x00189087, b"FD", struct.pack("<d", 500.0 * (number % 2)))
    code = element(0x00080104, b"LO", region)
    copy = [
        element(0x00180086, b"IS", str(echo).encode()),
        element(0x00200032, b"DS", b"9\\9\\9"),
        element(0x00201041, b"DS", words),
        element(0x20050010, b"LO", b"Philips MR Imaging DD 001"),
        element(0x200510A0, b"FL", struct.pack("<f", number)),
    ]
    return b"".join(
        [
            sequence(0x00189114, [element(0x00189082, b"FD", struct.pack("<d", 10.0 * echo))], stated),
            sequence(0x00189117, [diffusion + sequence(0x00189076, [gradient], stated)], stated),
            sequence(0x00209071, [sequence(0x00082218, [code], stated)], stated),
            sequence(0x00209113, [place, place] if words else [place], stated),
            element(0x20050012, b"LO", creator),
            sequence(0x2005120F, [b"".join(copy)], stated),
        ]
    )


def groups_of(frames, stated):
    content = b"".join(item(content, stated) for content in frames)
    return content if stated else content + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def alone(data, stated):
    items = Items(data, 0, len(data) if stated else UNDEFINED, PLAIN, is_group)
    frames = [Groups(items.layout).flat(values) for values in iter(items.read, None)]
    return [list(values.items()) for values in frames], items.position


def together(reader, data, stated):
    frames, after = reader.read(data, 0, len(data) if stated else UNDEFINED, PLAIN)
    return [list((example | changed).items()) for example, changed in frames], after


def outcome(read):
    try:
        return read()
    except ImagingError as error:
        return error.reason, str(error)


frames = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(1, 12),
        st.sampled_from([b"Head", b"Knee", b"Brain"]),
        st.sampled_from([b"Philips MR Imaging DD 005", b"SOMEBODY ELSE"]),
    ),
    min_size=1,
    max_size=14,
)


@given(frames, st.booleans(), st.sampled_from([b"", b"w", b"www"]))
@settings(deadline=None, max_examples=60)
def test_frames_in_any_order_give_what_they_give_alone(made, stated, words):
    reader = FramePatterns()
    data = groups_of([frame(*one, stated, words * (one[0] % 2)) for one in made], stated)
    for _ in range(2):
        assert together(reader, data, stated) == alone(data, stated)


@given(st.integers(0, 2**32), st.booleans())
@settings(deadline=None, max_examples=150)
def test_damaged_frames_are_read_or_refused_as_they_would_be_alone(seed, stated):
    random = np.random.default_rng(seed)
    reader = FramePatterns()
    whole = [frame(n, 1 + n % 2, b"Head", b"Philips MR Imaging DD 005", stated, b"") for n in range(8)]
    together(reader, groups_of(whole, stated), stated)
    data = bytearray(groups_of(whole, stated))
    for _ in range(int(random.integers(1, 4))):
        data[int(random.integers(0, len(data)))] = int(random.integers(0, 256))
    if random.random() < 0.3:
        del data[int(random.integers(0, len(data))) :]
    read = bytes(data)
    assert outcome(lambda: together(reader, read, stated)) == outcome(lambda: alone(read, stated))


@pytest.mark.parametrize("stated", [True, False])
def test_the_frames_of_a_series_are_walked_through_a_few_times_only(monkeypatch, stated):
    walked = []
    monkeypatch.setattr(
        frame_patterns.Groups, "flat", lambda self, values, _f=Groups.flat: walked.append(1) or _f(self, values)
    )
    reader = FramePatterns()
    data = groups_of([frame(n, 1, b"Head", b"Philips MR Imaging DD 005", stated, b"") for n in range(10, 90)], stated)
    for _ in range(3):
        together(reader, data, stated)
    # a direction's groups are flattened inside those of its frame
    assert len(walked) < 30


def test_groups_of_unknown_representation_are_read_implicitly():
    content = b"".join(
        struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
        for tag, value in [(0x00209113, item(struct.pack("<HHI", 0x20, 0x32, 6) + b"0\\0\\1 ", True))]
    )
    data = groups_of([content, content], False)
    found, after = FramePatterns().read(data, 0, UNDEFINED, PLAIN)
    assert [example[0x00200032] for example, _ in found] == [b"0\\0\\1 "] * 2
    assert after == len(data)
