"""Costs follow the price book to the cent, and nothing that a reader needs is ever proposed to be slow."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.files import DataFile
from lake.tiering.tiers import costs, holdings, price_book
from lineage.access import accessed
from schemas.document import DocumentError
from schemas.prices import PriceBook
from schemas.tables import LEDGER, VOLUMES
from tests import synthetic

NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
GB = 2**30


def _file(size, days=0):
    return DataFile(Path("x"), size, 1, NOW - dt.timedelta(days=days), {}, 0, None, True)


def _class(name):
    return next(kind for kind in price_book().classes if kind.name == name)


def _cost(name, files, reads=0.0, last_use=None):
    return costs(files, _class(name), price_book(), reads=reads, last_use=last_use, now=NOW)


def test_a_terabyte_costs_what_the_provider_says():
    terabyte = [_file(GB)] * 1024
    assert _cost("S3 Standard", terabyte).month == pytest.approx(23.552)
    assert _cost("S3 Standard-IA", terabyte).month == pytest.approx(12.8)
    assert _cost("S3 Glacier Instant Retrieval", terabyte).month == pytest.approx(4.096)
    one_read = _cost("S3 Glacier Instant Retrieval", terabyte, reads=1)
    assert one_read.reading == pytest.approx(1024 * 0.03 + 1.024 * 0.01)
    assert one_read.moving == pytest.approx(1.024 * 0.02)


def test_small_files_are_charged_as_if_they_were_not():
    thousand = [_file(1000)] * 1000
    assert _cost("S3 Standard-IA", thousand).storage == pytest.approx(1000 * 131072 / GB * 0.0125)
    archived = 1000 * ((1000 + 32768) / GB * 0.00099 + 8192 / GB * 0.023)
    assert _cost("S3 Glacier Deep Archive", thousand).storage == pytest.approx(archived)


@pytest.mark.parametrize(("idle", "price"), [(0, 0.023), (29, 0.023), (30, 0.0125), (89, 0.0125), (90, 0.004)])
def test_a_class_that_falls_by_itself_counts_days_without_a_read(idle, price):
    watched = 0.0025 / 1000
    assert _cost("S3 Intelligent-Tiering", [_file(GB, idle)]).storage == pytest.approx(price + watched)
    read_today = _cost("S3 Intelligent-Tiering", [_file(GB, idle)], last_use=NOW)
    assert read_today.storage == pytest.approx(0.023 + watched)
    small = _cost("S3 Intelligent-Tiering", [_file(1000, 400)])
    assert small.storage == pytest.approx(1000 / GB * 0.023)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 10 * GB), min_size=1, max_size=5),
    st.sampled_from(price_book().classes),
    st.floats(0, 50),
    st.floats(0, 50),
)
def test_more_reads_and_more_files_never_cost_less(sizes, kind, one, other):
    files = [_file(size) for size in sizes]
    fewer, more = sorted((one, other))
    arguments = {"kind": kind, "book": price_book(), "last_use": None, "now": NOW}
    assert costs(files, reads=fewer, **arguments).month <= costs(files, reads=more, **arguments).month
    assert costs(files[1:], reads=fewer, **arguments).month <= costs(files, reads=fewer, **arguments).month


@pytest.fixture
def filled(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3", "S4"], "b": ["S5"]})
    return lake


def _of(lake, table, **more):
    return next(h for h in holdings(lake, price_book(), dt.datetime.now(dt.UTC), **more) if h.table == table)


def test_files_that_a_release_needs_are_not_spare(filled):
    before = _of(filled, VOLUMES.path)
    assert (before.files, before.needed_files, before.spare_files, before.rows) == (2, 2, 0, 10)
    synthetic.frozen(filled)
    synthetic.put(filled, VOLUMES, "a", [synthetic.volume_row("a", "S1")])
    pinned = _of(filled, VOLUMES.path)
    assert (pinned.files, pinned.needed_files, pinned.spare_files, pinned.rows) == (3, 3, 0, 3)
    synthetic.put(filled, VOLUMES, "a", [synthetic.volume_row("a", "S2")])
    replaced = _of(filled, VOLUMES.path)
    assert (replaced.files, replaced.needed_files, replaced.spare_files) == (4, 3, 1)
    assert replaced.spare_bytes == replaced.bytes - replaced.needed_bytes > 0
    assert replaced.log_files == 5


def test_recorded_reads_decide_between_cheap_storage_and_cheap_reading(filled):
    synthetic.frozen(filled)
    assert _of(filled, VOLUMES.path).reads == 0
    assert _of(filled, VOLUMES.path).last_read is None
    accessed(filled, "read", VOLUMES.path, 5, "research")
    accessed(filled, "export", "cohort", 10, "research")
    accessed(filled, "report", VOLUMES.path, 10, "research")
    read = _of(filled, VOLUMES.path)
    assert read.reads == pytest.approx(1.5)
    assert read.last_read is not None
    later = next(h for h in holdings(filled, price_book(), NOW + dt.timedelta(days=4000)) if h.table == VOLUMES.path)
    assert later.reads == 0
    idle, busy = (_of(filled, VOLUMES.path, reads=reads) for reads in (0, 1000))
    assert busy.costs[busy.proposed].month <= min(c.month for n, c in busy.costs.items() if _class(n).immediate)
    assert idle.costs[idle.proposed].month <= busy.costs[busy.proposed].month


def test_nothing_slow_or_in_one_zone_is_proposed_and_a_sealed_table_stays(filled):
    for holding in holdings(filled, price_book(), NOW + dt.timedelta(days=4000), reads=0):
        kind = _class(holding.proposed)
        assert kind.immediate
        assert not kind.single_zone
        assert holding.movable == (holding.table != LEDGER.path)
    ledger = _of(filled, LEDGER.path)
    assert ledger.proposed == "S3 Standard"


def test_showing_changes_nothing(filled):
    before = {path: path.read_bytes() for path in filled.settings.root.rglob("*") if path.is_file()}
    holdings(filled, price_book(), NOW)
    assert {path: path.read_bytes() for path in filled.settings.root.rglob("*") if path.is_file()} == before


def test_an_own_price_book_is_used_and_a_wrong_one_says_what_is_wrong(tmp_path):
    own = price_book().model_copy(update={"currency": "EUR"})
    own.write(tmp_path / "own.yaml")
    assert price_book(tmp_path / "own.yaml").currency == "EUR"
    slow = price_book().model_dump(mode="json")
    slow["classes"] = [c for c in slow["classes"] if not c["immediate"]]
    with pytest.raises(DocumentError, match="needed the one that files are written to"):
        PriceBook.parse(slow, "slow.yaml")
    twice = price_book().model_dump(mode="json")
    twice["classes"] *= 2
    with pytest.raises(DocumentError, match="two classes of one name"):
        PriceBook.parse(twice, "twice.yaml")
    with pytest.raises(DocumentError, match=r"found no file none\.yaml"):
        price_book(tmp_path / "none.yaml")
