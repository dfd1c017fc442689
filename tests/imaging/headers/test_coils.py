"""A number stands for one name, and no number for a text that may be more than the name of a coil element."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.headers.coils import coil_name, coil_number


@given(st.from_regex(re.compile(r"[A-Z]{1,3}(0|[1-9][0-9]?)"), fullmatch=True))
@settings(max_examples=50, deadline=None)
def test_a_name_comes_back(name):
    assert coil_name(coil_number(name)) == name


@given(st.integers(-100, 3_000_000))
@settings(max_examples=50, deadline=None)
def test_a_number_is_of_one_name_or_of_none(number):
    name = coil_name(number)
    assert name == "" or coil_number(name) == number


@pytest.mark.parametrize("text", ["", "MEYER", "MEYER1", "H", "12", "H123", "HEA;HEP", "h1", "H1 ", "H\u0661"])
def test_other_text_has_no_number(text):
    assert coil_number(text) is None
