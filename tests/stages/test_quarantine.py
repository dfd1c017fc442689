"""What waits in quarantine is work by reason, and an id stands for a file without saying anything of it."""

import pytest

from schemas.reasons import Reason
from schemas.tables import QUARANTINE
from stages.quarantine import EXAMPLES, first_station, grouped, waiting
from stages.station import held


def put(lake, delivery, stage, *rows):
    table = lake.table(QUARANTINE)
    partition = {"delivery": delivery, "stage": stage}
    table.replace(partition, [table.write([held(stage, reason, path) for reason, path in rows], partition)])


@pytest.fixture
def filled(lake):
    put(lake, "a", "received", (Reason.TRUNCATED, "Larmorium/1"), (Reason.UNREADABLE, "Larmorium/2"))
    put(lake, "a", "volumes", *((Reason.TRUNCATED, f"Larmorium/{n}") for n in range(3, 11)))
    put(lake, "b", "received", (Reason.TRUNCATED, "Larmorium/1"))
    return lake


def test_groups_are_counted_with_remedy_deliveries_and_a_few_ids(filled):
    first, second, third = grouped(waiting(filled))
    assert (first.reason, first.stage, first.count, first.deliveries) == ("truncated", "volumes", 8, ("a",))
    assert (second.reason, second.stage, second.count, second.deliveries) == ("truncated", "received", 2, ("a", "b"))
    assert (third.reason, third.remedy) == ("unreadable", Reason.UNREADABLE.remedy)
    assert len(first.examples) == EXAMPLES
    assert "Larmorium" not in str([first, second, third])


def test_an_id_is_the_same_each_time_and_another_for_every_row_and_lake(filled, tmp_path):
    ids = {row["id"]: (row["delivery"], row["stage"], row["path"]) for row in waiting(filled)}
    assert len(ids) == 11
    assert {row["id"]: (row["delivery"], row["stage"], row["path"]) for row in waiting(filled)} == ids
    other = type(filled).open(tmp_path / "other")
    put(other, "a", "received", (Reason.TRUNCATED, "Larmorium/1"))
    assert waiting(other)[0]["id"] not in ids


def test_a_delivery_or_a_reason_narrows_and_nothing_held_is_empty(filled, tmp_path):
    assert {row["delivery"] for row in waiting(filled, "b")} == {"b"}
    assert [row["path"] for row in waiting(filled, reason="unreadable")] == ["Larmorium/2"]
    assert waiting(type(filled).open(tmp_path / "empty")) == []
    assert waiting(filled, "nobody") == []


def test_the_first_station_that_holds_is_that_in_the_way_of_a_delivery(filled):
    assert first_station(grouped(waiting(filled))) == "received"
    assert first_station(grouped(row for row in waiting(filled) if row["stage"] == "volumes")) == "volumes"
    assert first_station([]) is None
