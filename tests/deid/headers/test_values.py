"""Numbers are numbers, and moved dates and times keep their distances."""

import datetime as dt
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.headers import values

DAYS = st.integers(-3650, -366)
DATES = st.dates(dt.date(1930, 1, 1), dt.date(2030, 1, 1))


@pytest.mark.parametrize(
    ("vr", "value", "most", "kept"),
    [
        ("DS", b"-1.5E-3 ", 1, b"-1.5E-3"),
        ("DS", b"1\\2\\3", 3, b"1\\2\\3"),
        ("DS", b"1\\2\\3\\4", 3, None),
        ("DS", b"12 SMITH", 1, None),
        ("DS", b"1.2.3", 1, None),
        ("DS", b"", 1, b""),
        ("IS", b"+12", 1, b"+12"),
        ("IS", b"1.5", 1, None),
        ("IS", b"123456789012", 1, None),
        ("US", b"\1\0\2\0", 2, b"\1\0\2\0"),
        ("US", b"\1\0\2\0", 1, None),
        ("US", b"\1\0\2", 2, None),
        ("US", b"SMITHSMI", 4, None),
        ("UL", b"SMIT", 1, None),
        ("FD", struct.pack("<d", 1000.0), 1, struct.pack("<d", 1000.0)),
        ("FD", struct.pack("<d", float("nan")), 1, None),
        ("FD", b"SMITHSMI", 1, None),
        ("FD", b"SMITHSMA", 1, None),
        ("FL", struct.pack("<3f", 0.6, 0, -0.8), 3, struct.pack("<3f", 0.6, 0, -0.8)),
    ],
)
def test_only_numbers_of_the_right_count_pass(vr, value, most, kept):
    assert values.number(vr, value, most) == kept


@given(st.floats(-1e14, 1e14).filter(lambda x: x == 0 or abs(x) > 1e-14))
def test_every_measured_number_passes(number):
    text = repr(number).encode()
    assert values.number("DS", text, 1) == text
    assert values.number("FD", struct.pack("<d", number), 1) or struct.pack("<d", number).isalnum()


@given(DATES, DATES, DAYS)
def test_moved_dates_keep_their_distance(one, two, days):
    moved = [values.date(f"{d:%Y%m%d}", days) for d in (one, two)]
    parsed = [dt.datetime.strptime(m, "%Y%m%d").date() for m in moved if m]
    assert parsed[1] - parsed[0] == two - one
    assert parsed[0] != one


@given(DATES)
def test_a_year_alone_says_nothing_of_the_day(day):
    assert values.date(f"{day:%Y%m%d}", None) == f"{day.year:04d}0101"
    assert values.moment(f"{day:%Y%m%d}", None, 0) == f"{day.year:04d}0101"


@given(st.times(), st.integers(-21600, 0))
def test_a_moved_time_moves_by_whole_seconds_and_keeps_its_fraction(time, seconds):
    moved = values.time(f"{time:%H%M%S.%f}", seconds)
    assert moved is not None
    assert moved[6:] == f"{time:.%f}"
    shift = dt.datetime.combine(dt.date(2000, 1, 2), time) + dt.timedelta(seconds=seconds)
    assert moved[:6] == f"{shift:%H%M%S}"


@pytest.mark.parametrize("text", ["***", "20211301", "2021", "20210230", "SMITH", "2021041712", "00000000"])
def test_what_is_no_date_is_none(text):
    assert values.date(text, -400) is None


@pytest.mark.parametrize("text", ["***", "256000", "12:99", "SMITH", "1"])
def test_what_is_no_time_is_none(text):
    assert values.time(text, 0) is None


def test_old_ways_of_writing_are_read():
    assert values.date("2021.04.17", 0) == "20210417"
    assert values.time("10:15:30.5", -30) == "101500.5"
    assert values.time("10", 0) == "100000"
    assert values.moment("20210417101500.25+0530", -1, 0) == "20210416101500.25"
