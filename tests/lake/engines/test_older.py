"""Both engines read a table that was brought forward, rows of both ages, and write to it as to any other."""

import pytest

from lake.errors import TableOutdated
from lake.tables.migrations import upgrade
from schemas.tables import SERIES
from tests.older import contracts, filled, row

COLUMNS = ["series", "contrast_agent", "snr"]
OLD = {"series": "k0", "contrast_agent": "unknown", "snr": None}
NEW = {"series": "k1", "contrast_agent": "given", "snr": 3.0}


def rows(found):
    return sorted(found.to_pylist(), key=lambda each: each["series"])


def test_a_table_that_was_brought_forward(lake, tables):
    filled(lake, contracts("spine")[SERIES.path])
    table = lake.table(SERIES)
    assert rows(tables.select(table, COLUMNS)) == [OLD], "an older table is read"
    assert rows(tables.select(table, COLUMNS, [("snr", ">", 0.0)])) == []
    with pytest.raises(TableOutdated, match="larmor upgrade"):
        tables.merge(table, [row(SERIES, delivery="x", series="k1")])
    with pytest.raises(TableOutdated, match="larmor upgrade"):
        tables.delete(table, [("series", "=", "k0")])
    upgrade(table)
    assert tables.merge(table, [row(SERIES, delivery="x", **NEW)]) == 3
    assert rows(tables.select(table, COLUMNS)) == [OLD, NEW]
    assert rows(tables.select(table, COLUMNS, [("contrast_agent", "=", "unknown")])) == [OLD]
    assert rows(tables.select(table, COLUMNS, version=1)) == [OLD], "what a release is pinned to"
    assert [c["series"] for c in tables.changes(table, after=2, columns=COLUMNS).to_pylist()] == ["k1"]
    tables.optimize(table)
    assert rows(table.read(COLUMNS)) == [OLD, NEW]
    tables.delete(table, [("contrast_agent", "=", "unknown")])
    assert rows(table.read(COLUMNS)) == [NEW]
