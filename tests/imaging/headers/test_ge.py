"""GE's private blobs give two facts, and nothing where they are broken."""

import gzip
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.headers.ge import protocol_entries, reordering


def user_data(version=28.0, start=100, flipped=False, bottom_up=False, epi=True):
    """The user data (0043,xx2A) of a scan, with its flags where the release has them."""
    data = bytearray(start + 2000)
    struct.pack_into("<H", data, 24, start)
    struct.pack_into("<f", data, start, version)
    moved = version >= 25.002
    body = start + (0x4C if moved else 0)
    struct.pack_into("<H", data, body + 0x3A, 0x800 * epi)
    struct.pack_into("<H", data, body + 0x30, 4 * flipped)
    struct.pack_into("<H", data, body + (0x394 - 0x8C if moved else 0x394), int(bottom_up))
    return bytes(data)


@pytest.mark.parametrize("version", [14.0, 28.0])
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("bottom_up", [False, True])
def test_either_flag_turns_the_direction_and_both_turn_it_back(version, flipped, bottom_up):
    expected = "LINEAR" if flipped != bottom_up else "REVERSE_LINEAR"
    assert reordering(user_data(version, flipped=flipped, bottom_up=bottom_up)) == expected


@pytest.mark.parametrize("data", [b"", bytes(900), bytes(2000), user_data(epi=False), user_data(version=99.0)])
def test_what_is_no_echo_planar_scan_of_a_known_release_says_nothing(data):
    assert reordering(data) == ""


@given(st.binary(max_size=1200) | st.integers(0, 1500).map(lambda size: user_data()[:size]))
@settings(max_examples=50, deadline=None)
def test_broken_user_data_raises_nothing(data):
    assert reordering(data) in ("", "LINEAR", "REVERSE_LINEAR")


def test_a_protocol_gives_its_two_orders_in_both_notations():
    for text in ('SLICEORDER "1"\nVIEWORDER "0"\nTR "2000"', '<P SLICEORDER="1" VIEWORDER="0" TR="2000"/>'):
        packed = gzip.compress(text.encode())
        assert protocol_entries(struct.pack("<I", len(packed)) + packed) == {"SLICEORDER": "1", "VIEWORDER": "0"}


@given(st.binary(max_size=200))
@settings(max_examples=30, deadline=None)
def test_a_broken_protocol_gives_nothing(data):
    assert protocol_entries(data) == {}
