"""A check that fails says what was found and what to do; one that passes only counts."""

from assets.checks import balanced, complete, settled
from stages.upkeep.reconcile import Sheet


def test_a_delivery_with_other_files_than_its_licensor_says_names_the_remedy():
    assert complete(57, 57).passed
    assert complete(57, None).passed
    short = complete(56, 57)
    assert not short.passed
    assert "found 56 files, needed 57" in short.description
    assert "expected_files" in short.description


def test_rows_that_were_lost_are_told_with_what_to_do():
    assert balanced(Sheet(received=9, kept=6, duplicates=2, quarantined=1)).description is None
    lost = balanced(Sheet(received=9, kept=5, duplicates=2, quarantined=1))
    assert not lost.passed
    assert "materialize the delivery again" in lost.description


def test_deliveries_that_must_run_again_are_named():
    assert settled(0, []).passed
    assert "materialize this delivery, b again" in settled(2, ["b"]).description
    assert "materialize b again" in settled(0, ["b"]).description
