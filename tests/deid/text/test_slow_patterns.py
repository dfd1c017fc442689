"""A text that takes too long to search is taken out whole: what could not be judged does not leave."""

from deid.text import recognizers


def test_a_pattern_that_runs_out_of_time_takes_the_whole_text(monkeypatch):
    monkeypatch.setattr(recognizers, "_LONGEST_S", 0.001)
    text = "a" * 3000
    found = recognizers.analyzer().analyze(text, language="en")
    assert any((each.start, each.end) == (0, len(text)) for each in found)
