"""A review is bound to what was examined: the report says so, and says when it is no longer what was examined."""

import hashlib

import pytest

from lineage.evidence.past import Past
from lineage.evidence.recorded import Record
from lineage.evidence.report import report
from lineage.evidence.reviews import Exceptional, ReviewError, review, reviews
from lineage.ledger import ledger
from lineage.ledger.events import EventError
from schemas.tables import REVIEWS


def shown(lake):
    past = Past.of(lake)
    return reviews(past, Record.of(past))


def test_it_covers_what_came_since_the_last_one_of_its_meaning(sealed):
    first = review(sealed, "review")
    assert (first["first"], first["last"], first["entry"]) == (0, 16, 17)
    ledger.append(sealed, "materialized", {"table": "curated/volumes"})
    second = review(sealed, "review")
    assert (second["first"], second["last"]) == (17, 18)
    assert review(sealed, "approval")["first"] == 0


def test_its_digest_is_that_of_the_events_as_lines(sealed):
    row = review(sealed, "review", first=3, last=5, report=b"<html>")
    lines = "".join(entry["event"] + "\n" for entry in ledger.entries(sealed, 3, 5))
    assert row["content_sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert row["report_sha256"] == hashlib.sha256(b"<html>").hexdigest()
    (found,) = shown(sealed)
    assert found.recorded
    assert found.unchanged


def test_a_row_that_was_edited_is_not_what_the_ledger_says(sealed):
    row = review(sealed, "rejection", exceptions=[Exceptional.parse("4:unexpected-purpose")])
    table = sealed.table(REVIEWS)
    table.replace({}, [table.write([row | {"meaning": "approval", "exceptions": []}], {})])
    (found,) = shown(sealed)
    assert not found.recorded
    assert "not what the ledger says" in report(sealed)


@pytest.mark.parametrize(("first", "last"), [(5, 4), (0, 17), (-1, 3)])
def test_entries_that_there_are_not_cannot_be_reviewed(sealed, first, last):
    with pytest.raises(ReviewError, match="needed some of 0 to 16"):
        review(sealed, "review", first=first, last=last)


def test_exceptions_are_of_a_closed_list_and_inside_what_was_examined(sealed):
    for text in ("four:other", "4:because-jane-doe-said-so", "4", "-1:other", ":other"):
        with pytest.raises(ReviewError):
            Exceptional.parse(text)
    with pytest.raises(ReviewError, match="exceptions at entries"):
        review(sealed, "review", last=3, exceptions=[Exceptional.parse("4:other")])


def test_free_text_has_no_place_in_a_review(sealed):
    size = ledger.size(sealed)
    with pytest.raises(EventError):
        review(sealed, "review", reference="see what she wrote: a/b")
    assert ledger.size(sealed) == size
    assert not sealed.table(REVIEWS).exists()
