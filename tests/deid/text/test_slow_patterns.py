"""A text's length is what it costs: no text makes a pattern start over, and one that did would be taken out whole."""

import time
import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.text import engine, recognizers
from deid.text.identifiers import Identifiers
from deid.text.recognizers import PATTERNS, Pattern
from deid.text.spelling import atoms
from deid.text.text import TextCleaner, known_word, plain_label

SMITH = Identifiers.of([("name", "SMITH^JOHN^Q"), ("id", "AB-7731-X"), ("address", "12 Elmwick Street")])
SHORT, TIMES = 2000, 4
SLOWER = 9
"""Four times the text may take nine times as long, which noise does not reach; a square would take sixteen."""
NOTHING = 0.004
"""Seconds below which a time is noise; the square of the longer text takes a hundred times as long."""

LETTERS = ("a", "A", "é", "1", "я", "年", "_", "a1", "ab1d", "st", "Smith")
POINTS = ("&", "%", "'", ".", "-", "@", "^", "\\\\", "//", "::", "a.", "a-", "A-", "A.", "1.", "1-", "-a", "a@", "é-")
SPACES = (" ", "\n", "\t", " a", "a  ", "A ", "Ab ", "Ab, ", "1 ", "1 - ", "\n1. ", "a at ", "a (", "of the ", "s m i ")
PASSAGES = ("nurse kowal ", "a was paged ", "03/04/1949 ", "a@b.ch ", "ab.cd:", "Dr Jones ", "&#83;", "%53", "врач ")
BEFORE = ("age", "tel", "mrn", "room", "signed by", "patient", "1 Ab street", "Ab TX", "Ab Cd", "ep2d1", "&#", "0-")
AGAIN = (" ", "1", "A-", ".")
BEHIND = ("", "!", "я", " B")


@pytest.fixture(scope="module", autouse=True)
def _imported():
    """A pattern is compiled before it is timed."""
    engine.analyzer()


@pytest.mark.parametrize("unit", (*LETTERS, *POINTS, *SPACES, *PASSAGES))
def test_four_times_the_text_takes_about_four_times_as_long(unit):
    _holds_linear("", unit, BEHIND[len(unit) % len(BEHIND)])


@pytest.mark.parametrize("before", BEFORE)
def test_what_begins_a_passage_is_not_searched_on_again_and_again(before):
    for unit, behind in zip(AGAIN, BEHIND, strict=True):
        _holds_linear(before, unit, behind)


def _holds_linear(before, unit, behind):
    short, long = (before + unit * (n // len(unit)) + behind for n in (SHORT, SHORT * TIMES))
    for clean in (TextCleaner.header, TextCleaner.report):
        assert any(_about_linear(clean, short, long) for _ in range(3)), (clean.__name__, before, behind)


def _about_linear(clean, short, long):
    return _seconds(clean, long) <= SLOWER * max(_seconds(clean, short), NOTHING)


def _seconds(clean, text):
    def once():
        for memo in (atoms, plain_label, known_word):
            memo.cache_clear()
        clean(TextCleaner(), text, SMITH)

    return timeit.timeit(once, timer=time.process_time, number=1)  # which stops the collection of garbage


def test_a_name_of_a_sequence_is_read_in_one_way():
    """Where letters could be taken one by one or in twos, a name of sixty characters took minutes."""
    assert known_word("ep2d1rr282ns1st")
    assert not known_word("ep2d1" + "st" * 500 + "x")


def test_a_character_reference_of_thousands_of_digits_is_no_error():
    cleaner = TextCleaner()
    assert (
        cleaner.report("a &#" + "1" * 5000 + "; b", Identifiers()).text
        == cleaner.report("a &#99999999; b", Identifiers()).text
    )
    assert cleaner.report("&#" + "0" * 5000 + "83;mith", SMITH).text == "[NAME]"


def test_a_pattern_that_runs_out_of_time_takes_the_whole_text(monkeypatch):
    monkeypatch.setattr(engine, "_LONGEST_S", 0.001)
    text = "a" * 3000
    found = engine.engine_of([Pattern("ID", "slow", "(?:a|aa)+b|(a+)+c", 0.5)]).analyze(text, language="en")
    assert [(each.entity_type, each.start, each.end) for each in found] == [("ID", 0, len(text))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from((*LETTERS, *POINTS, *SPACES, *PASSAGES, *BEFORE, *AGAIN)), max_size=12).map("".join))
def test_what_is_skipped_holds_no_passage_that_a_search_from_there_would_find(text):
    """`(*SKIP)` saves time and nothing else."""
    import regex

    for pattern in (p for p in PATTERNS if recognizers._SKIP in p.regex):
        flags = regex.M if pattern.cased else regex.M | regex.I
        patient = regex.compile(pattern.regex.replace(recognizers._SKIP, ""), flags)
        spans = [match.span() for match in regex.finditer(pattern.regex, text, flags)]
        assert spans == [match.span() for match in patient.finditer(text)], pattern.name
