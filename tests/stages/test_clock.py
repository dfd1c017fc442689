"""A clock that is set back, or leaps: order is by number, nothing that lives is taken for dead."""

import datetime as dt
import importlib
import types

import pytest

from lake.integrity.backup import backups
from lake.integrity.scrub import scrub
from lake.stores.remains import remains, sweep
from lake.stores.storage import Location
from lake.tables.files import data_files
from lake.tables.upkeep import history, vacuum
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.seals import seal
from lineage.ledger.statements import read_all
from lineage.ledger.verify import verify
from schemas.tables import QUARANTINE
from stages.upkeep.backups import backed_up, restored

DAY = 86400.0


_TOLD = ("lineage.principal", "lake.tables.parts", "lake.tables.log", "lake.stores.remains", "lake.integrity.backup")
"""Modules that ask for the time."""


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock that Larmor asks; called with seconds from the true time."""
    shift = [0.0]

    class Shifted(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return dt.datetime.now(tz) + dt.timedelta(seconds=shift[0])

    asked = types.SimpleNamespace(**{**vars(dt), "datetime": Shifted})
    for name in _TOLD:
        assert importlib.import_module(name).dt is dt
        monkeypatch.setattr(f"{name}.dt", asked)
    return lambda seconds: shift.__setitem__(0, seconds)


@pytest.fixture
def lake(tmp_path):
    return Lake.open(tmp_path / "lake", principal="tester")


def put(lake, *paths):
    row = {"stage": "s", "reason": "unreadable", "remedy": "r", "sha256": "0", "instance": None}
    partition = {"delivery": "a", "stage": "s"}
    table = lake.table(QUARANTINE)
    return table.replace(partition, [table.write([row | {"path": path} for path in paths], partition)])


def test_the_ledger_is_in_the_order_of_its_numbers_and_verifies(lake, clock):
    for number, days in enumerate((0, -1, -400, 2, -3)):
        clock(days * DAY)
        ledger.append(lake, "materialized", {"table": "curated/volumes", "rows": number})
        seal(lake)
    entries = ledger.entries(lake)
    assert [entry["sequence"] for entry in entries] == [0, 1, 2, 3, 4]
    times = [entry["time"] for entry in entries]
    assert times != sorted(times), "the clock went back, and the record says what it showed"
    assert [one.statement.number for one in read_all(ledger.Log.of(lake))] == [1, 2, 3, 4, 5]
    clock(0)
    assert verify(lake).ok


def test_the_newest_version_of_a_table_is_the_last_one_written(lake, clock):
    put(lake, "1")
    clock(-30 * DAY)
    put(lake, "2")
    clock(30 * DAY)
    put(lake, "3")
    clock(-60 * DAY)
    version = put(lake, "4")
    clock(0)
    assert lake.table(QUARANTINE).version() == version
    assert [row["path"] for row in lake.table(QUARANTINE).rows()] == ["4"]
    assert [commit.version for commit in history(lake.table(QUARANTINE))] == list(range(version, -1, -1))


@pytest.mark.parametrize("days", [-4000, 4000])
def test_a_clean_up_removes_no_file_of_the_newest_or_a_kept_version(lake, clock, days):
    """Files that were removed by a clock far behind are at once old enough to go; those in use never are."""
    kept = put(lake, "kept")
    clock(days * DAY)
    put(lake, "old")
    put(lake, "new")
    clock(0)
    table = lake.table(QUARANTINE)
    vacuum(table, {kept})
    assert [row["path"] for row in table.rows()] == ["new"]
    assert [row["path"] for row in table.rows(version=kept)] == ["kept"]
    assert {file.on_disk for file in data_files(table) if file.newest or file.in_version(kept)} == {True}


def test_a_file_that_is_being_written_is_not_taken_for_dead_when_the_clock_goes_back(lake, clock):
    folder = lake.location("curated", "releases").path
    folder.mkdir(parents=True)
    (folder / f".{'0' * 16}.tmp").touch()
    clock(-7 * DAY)
    assert sweep(lake) == 0
    clock(0)
    assert [left.name for left in remains(lake)] == [f"releases/.{'0' * 16}.tmp"]
    clock(2 * DAY)
    assert sweep(lake) == 1


def test_shares_and_backups_go_on_in_their_order(lake, clock, tmp_path):
    put(lake, "1")
    ledger.append(lake, "materialized", {"table": "restricted/quarantine", "rows": 1})
    place = Location(tmp_path / "backups", private=True)
    assert scrub(lake).round == 0
    first, _ = backed_up(lake, place)
    clock(-3 * DAY)
    assert scrub(lake).round == 1
    put(lake, "2")
    second, _ = backed_up(lake, place)
    third, _ = backed_up(lake, place)
    assert [one.name for one in backups(place)] == [first.name, second.name, third.name]
    assert second.made < first.made
    empty = Lake.open(tmp_path / "empty")
    assert restored(place, empty).ok
    assert [row["path"] for row in empty.table(QUARANTINE).rows()] == ["2"], "the newest is the last one made"
