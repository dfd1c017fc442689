"""What one record of the work has and another lacks, or tells differently, is said; what agrees is not accused."""

import json
from dataclasses import replace

import pytest

from lake.tables import log
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.events import EventType
from lineage.ledger.reconcile import Told, Work, compared, reconciled
from schemas.tables import QUARANTINE
from stages.station import Outcome, recorded
from stages.upkeep.upkeep import optimized
from tests import forgeries

ROW = {"reason": "r", "remedy": "m", "path": "a", "sha256": "0", "instance": None, "line": None}


def work(lake, delivery, rows=2):
    """A station's work: rows committed, and told on the ledger; what an orchestrator would tell of it."""
    table = lake.table(QUARANTINE)
    partition = {"delivery": delivery, "stage": "s"}
    version = table.replace(partition, [table.write([ROW | {"path": str(n)} for n in range(rows)], partition)])
    outcome = Outcome(QUARANTINE.path, version, rows)
    recorded(lake, EventType.MATERIALIZED, "s", delivery, outcome)
    counts = {"kept": rows, "duplicates": 0, "quarantined": 0}
    return Told(Work(outcome.table, version, delivery), counts, where="the log of the asset")


@pytest.fixture
def told(lake):
    return [work(lake, delivery) for delivery in ("d-1", "d-2", "d-3")]


def commit(lake, version):
    return lake.table(QUARANTINE).location.path / log.FOLDER / log.name(version)


def test_records_that_agree_are_not_accused(lake, told):
    assert reconciled(lake, told) == []
    assert reconciled(lake) == []


def test_a_commit_that_was_removed_is_missed(lake, told):
    commit(lake, 2).unlink()
    (line,) = reconciled(lake, told)
    assert line.startswith("restricted/quarantine version 2, delivery d-2: entry 1 of the ledger tells of it")
    assert line.endswith("removed")


def test_every_flipped_bit_of_a_commit_is_found(lake, told):
    import random

    for number in range(40):
        path = commit(lake, 1 + number % 3)
        whole = forgeries.flipped(path, random.Random(number))
        assert reconciled(lake), path.name
        path.write_bytes(whole)
    assert reconciled(lake) == []


def test_a_commit_that_nobody_told_of_is_found(lake, told):
    table, partition = lake.table(QUARANTINE), {"delivery": "d-4", "stage": "s"}
    table.replace(partition, [table.write([ROW], partition)])
    assert "no event of the ledger tells of it" in reconciled(lake, told)[0]


def test_upkeep_that_was_told_is_no_difference(lake, told):
    told.append(work(lake, "d-1", rows=1))
    table, partition = lake.table(QUARANTINE), {"delivery": "d-5", "stage": "s"}
    for place in range(2):
        table.append([table.write([ROW | {"path": str(place)}], partition)])
    assert len(reconciled(lake)) == 2
    optimized(lake, table)
    assert len(reconciled(lake)) == 2


def test_older_events_without_the_digest_of_a_commit_are_held_to_their_rows(lake):
    table, partition = lake.table(QUARANTINE), {"delivery": "d-1", "stage": "s"}
    version = table.replace(partition, [table.write([ROW], partition)])
    facts = {"table": QUARANTINE.path, "delivery": "d-1", "version": version, "kept": 1}
    ledger.append(lake, "materialized", facts)
    assert reconciled(lake) == []
    path = commit(lake, version)
    path.write_text(path.read_text().replace('\\"numRecords\\": 1', '\\"numRecords\\": 7'))
    assert "the commit adds 7 rows, entry 0 of the ledger says 1" in reconciled(lake)[0]


def test_an_orchestrator_that_tells_otherwise_more_or_less_is_found(lake, told):
    changed = replace(told[1], counts=told[1].counts | {"kept": 9})
    assert "the log of the asset says kept 9, entry 1 of the ledger says 2" in reconciled(lake, [*told, changed])[0]
    assert "the orchestrator's log does not" in reconciled(lake, told[:2])[0]
    stranger = replace(told[0], work=Work(QUARANTINE.path, 7, "d-9"))
    assert "no event of the ledger does" in reconciled(lake, [*told, stranger])[0]


def test_an_entry_of_the_ledger_edited_with_all_its_digests_disagrees_with_the_tables(lake, told):
    where = ledger.Log.of(lake)
    batches = forgeries.batches(where)
    text = batches[1][0]["event"]
    digest = json.loads(text)["facts"]["commit_sha256"]
    batches[1][0]["event"] = text.replace(digest, "0" * 64)
    forgeries.rewritten_log(where, batches)
    (line,) = reconciled(Lake(lake.settings))
    assert "entry 1 of the ledger says 0000" in line


def test_work_from_before_a_restore_is_told_in_one_line_and_what_came_after_is_a_difference(lake, told):
    ledger.append(lake, EventType.RESTORED, {"files": 3, "bytes": 9, "manifest_sha256": "0" * 64})
    after = [work(lake, delivery) for delivery in ("d-4", "d-5")]
    found = compared(lake, after)
    assert found.differences == []
    (note,) = found.notes
    assert note.startswith("3 pieces of work from before the lake was restored")
    (line,) = compared(lake, after[:1]).differences
    assert "d-5" in line
    # a log that kept the older work is still held to it
    changed = replace(told[0], counts=told[0].counts | {"kept": 9})
    found = compared(lake, [changed, *after])
    assert ("kept 9" in found.differences[0], len(found.differences), found.notes[0][:1]) == (True, 1, "2")
