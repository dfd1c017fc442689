"""The lake of a past moment is shown as it was then, and what cannot be shown is named, never replaced."""

import datetime as dt
import time

import pytest

from lineage.evidence.past import Past
from lineage.evidence.recorded import Record
from lineage.evidence.report import report
from lineage.ledger import ledger
from schemas.tables import RECEIVED, REPORTS
from tests import synthetic


def put(lake, delivery, texts):
    rows = [
        {"subject": "S1", "study": "2.25.1", "report": f"{delivery}{n}", "source": "report", "text": text, "removed": 0,
         "licence": "open-licence", "policy": "1" * 64}
        for n, text in enumerate(texts)
    ]  # fmt: skip
    synthetic.put(lake, REPORTS, delivery, rows)
    ledger.append(lake, "materialized", {"table": REPORTS.path, "delivery": delivery, "kept": len(texts)})


def moment():
    """A moment between two commits, which Delta counts in milliseconds."""
    time.sleep(0.01)
    now = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    return now


@pytest.fixture
def told(lake):
    before = moment()
    put(lake, "a", ["one"])
    between = moment()
    put(lake, "a", ["one", "two"])
    put(lake, "b", ["three"])
    return before, between


def test_tables_and_ledger_are_those_of_the_moment(lake, told):
    before, between = told
    assert [Past.of(lake, m).table(REPORTS).read(["report"]).num_rows for m in (before, between, None)] == [0, 1, 3]
    assert [Record.of(Past.of(lake, m)).size for m in (before, between, None)] == [0, 1, 3]
    assert Past.of(lake, between).table(RECEIVED).read(["path"]).num_rows == 0
    assert Past.of(lake, between).gone == []


def test_a_version_whose_files_are_erased_is_gone_and_named(lake, told):
    _, between = told
    table = lake.table(REPORTS)
    for name in set(table.names(version=1)) - set(table.names()):
        table.location.delete(name)
    past = Past.of(lake, between)
    assert past.gone == [REPORTS.path]
    assert past.table(REPORTS).read(["report"]).num_rows == 0
    page = report(lake, between)
    assert "not available" in page
    assert REPORTS.path in page.partition("</header>")[0]


def test_a_version_whose_commit_is_cleaned_away_is_gone(lake, told):
    _, between = told
    table = lake.table(REPORTS)
    from deltalake import DeltaTable

    DeltaTable(table.location.uri).create_checkpoint()
    for version in (0, 1, 2):
        table.location.delete(f"_delta_log/{version:020}.json")
    assert Past.of(lake, between).gone == [REPORTS.path]


def test_two_reports_of_one_moment_are_the_same_bytes_whatever_came_later(lake, told):
    _, between = told
    first = report(lake, between)
    put(lake, "c", ["four"])
    assert report(lake, between) == first
    assert "The lake as it was on" in first
