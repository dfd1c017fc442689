"""Counts for pages come in one order, however busy the machine is: a bundle made twice is the same bytes."""

import threading
from dataclasses import dataclass

import pyarrow as pa
import pytest

from lineage.evidence.gathered import counted, distinct

FILES, GROUPS, TIMES = 8, 37, 40


@dataclass(frozen=True)
class Written:
    """A table of some part files, which Arrow reads as as many chunks."""

    rows: pa.Table

    def exists(self):
        return True

    def read(self, columns):
        return self.rows.select(columns)


@pytest.fixture
def table():
    parts = [
        pa.table({"reason": [f"r{(7 * part + row) % GROUPS}" for row in range(20)], "subject": [str(part)] * 20})
        for part in range(FILES)
    ]
    return Written(pa.concat_tables(parts))


@pytest.fixture
def busy():
    """Other work in this process: chunks are then taken up in another order at every third time or so."""
    over = threading.Event()

    def work():
        while not over.is_set():
            sum(range(1000))

    others = [threading.Thread(target=work) for _ in range(3)]
    for other in others:
        other.start()
    yield
    over.set()
    for other in others:
        other.join()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("ask", [lambda t: counted(t, ["reason"]), lambda t: distinct(t, "reason", "subject")])
def test_groups_stand_in_the_order_of_their_first_rows(table, ask):
    first = list(dict.fromkeys(table.rows["reason"].to_pylist()))
    for _ in range(TIMES):
        assert [row["reason"] for row in ask(table)] == first
