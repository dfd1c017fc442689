"""A subject's numbers are known in every shape that a numeric element can give them, and other numbers stay."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.text.identifiers import Identifiers

IDS = Identifiers.of({("id", "P-72615243"), ("phone", "(615) 552-0142"), ("birth", "19310412"), ("date", "20210307")})
NOON = 1615118400
"""Of the day of the date, in seconds of Unix time."""


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("IS", b"72615243"),
        ("DS", b"1\\72615243.0"),
        ("DS", b"-726.15243"),
        ("DS", b"7.2615243E7"),
        ("DS", b"7261\\5243"),
        ("IS", b"6155520142"),
        ("IS", b"19310412"),
        ("UL", struct.pack("<2I", 5, 72615243)),
        ("SL", struct.pack("<i", 72615243)),
        ("FD", struct.pack("<d", 72615243)),
        ("FL", struct.pack("<f", 72615243)),
        ("UV", struct.pack("<Q", 6155520142)),
        ("IS", str(NOON).encode()),
        ("DS", f"{NOON}250".encode()),
        ("SL", struct.pack("<i", NOON)),
        ("FD", struct.pack("<d", NOON + 0.25)),
        ("IS", b"2459281"),
    ],
)
def test_a_number_of_the_subject_is_known(vr, value):
    assert IDS.numbers.among(vr, value)


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("DS", b"726.1524"),
        ("IS", b"7261\\5244"),
        ("IS", str(NOON + 5 * 86400).encode()),
        ("DS", b"123.456789"),
        ("FD", struct.pack("<3d", 0.6, 0.0, float("nan"))),
        ("US", struct.pack("<4H", 1, 2, 3, 4)),
        ("UL", struct.pack("<2I", 0, 0)),
        ("DS", b""),
        ("AT", struct.pack("<I", 72615243)),
    ],
)
def test_other_numbers_stay(vr, value):
    assert not IDS.numbers.among(vr, value)


@given(st.integers(0, 99999), st.sampled_from(["UL", "SL", "FD", "FL"]))
def test_short_numbers_are_no_identifiers_whatever_the_representation(number, vr):
    form = {"UL": "<I", "SL": "<i", "FD": "<d", "FL": "<f"}[vr]
    assert not Identifiers.of({("id", str(number))}).numbers.among(vr, struct.pack(form, number))


def test_a_name_of_two_known_words_is_found_apart():
    found = Identifiers.of({("name", "Whitehead^Ann")}).find("T1 WHITE HEAD")
    assert [(one.start, one.end, one.kind) for one in found] == [(3, 13, "name")]
