"""Three records of the same work compared: the ledger, the history of the tables, and the orchestrator's own log.

Belongs here: what must agree, and what is found where it does not. The ledger proves itself
(`lineage.ledger.verify`); the others can be edited by whoever may write to them, and are measured against it. Reading
the orchestrator's log is the caller's, which hands over what is `Told` there.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lake.zones import Lake
from lineage.ledger import history, ledger, named
from lineage.ledger.events import EventType
from lineage.ledger.history import HistoryDamaged, TableCommit
from schemas.tables import INSTANCES, RECEIVED

_TABLES = {EventType.RECEIVED: RECEIVED.path, EventType.DEIDENTIFIED: INSTANCES.path}
"""Table of events that do not name it."""

_COUNTS = ("kept", "duplicates", "quarantined")


@dataclass(frozen=True, order=True)
class Work:
    """A delivery in a version of a table: what all three records speak of.

    Attributes:
        table: path of the table.
        version: its version after the work.
        delivery: the delivery.
    """

    table: str
    version: int
    delivery: str

    def __str__(self) -> str:
        """For a person."""
        return f"{self.table} version {self.version}, delivery {self.delivery}"


@dataclass(frozen=True)
class Told:
    """What a record tells of a piece of work.

    Attributes:
        work: which.
        counts: rows kept, duplicates, and files held back.
        rows: rows that the table's commit adds; None: not told.
        sha256: digest of the table's commit; None: not told.
        where: the record, in words.
        entry: number of the ledger's entry; None: another record tells.
    """

    work: Work
    counts: Mapping[str, int]
    rows: int | None = None
    sha256: str | None = None
    where: str = "the ledger"
    entry: int | None = None


@dataclass(frozen=True)
class Comparison:
    """What came of comparing the records.

    Attributes:
        differences: what one record has and another lacks, or tells differently; a sentence each.
        notes: what one lacks for a reason that the ledger tells, such as a restore; a sentence each.
    """

    differences: list[str]
    notes: list[str]


def reconciled(lake: Lake, orchestrator: Sequence[Told] | None = None) -> list[str]:
    """The differences of `compared` alone; none where all records agree."""
    return compared(lake, orchestrator).differences


def compared(lake: Lake, orchestrator: Sequence[Told] | None = None) -> Comparison:
    """Compare the ledger with the tables' histories, what it names by digest, and the orchestrator's log.

    Args:
        lake: the lake.
        orchestrator: what the orchestrator's log tells of tables; None: it is not compared.
    """
    kept = named.Kept.of(lake)
    entries = ledger.entries(lake)
    said = {told.work: told for told in _events(entries)}
    changed, notes = named.compared(lake, kept, entries)
    found = [*_tables(lake, said, _Upkeep.of(entries)), *changed]
    if orchestrator is not None:
        found += _orchestrated(said, orchestrator)
        missing = sorted(said.keys() - {told.work for told in orchestrator})
        restored = _restored(entries)
        before = [work for work in missing if restored and (said[work].entry or 0) < restored["sequence"]]
        if restored and before:
            notes.append(
                f"{len(before)} pieces of work from before the lake was restored ({restored['time'][:16]}, entry "
                f"{restored['sequence']} of the ledger) are not in the orchestrator's log, which is in no backup"
            )
        found += [
            f"{work}: {said[work].where} tells of it, but the orchestrator's log does not: removed, or run without it"
            for work in missing
            if work not in before
        ]
    return Comparison(found, notes)


def _restored(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The newest entry that tells of a restore, with which an orchestrator's log begins anew; None: there is none."""
    return next((entry for entry in reversed(entries) if entry["type"] == EventType.RESTORED), None)


def _events(entries: Iterable[Mapping[str, Any]]) -> Iterator[Told]:
    for entry in entries:
        kind = EventType(entry["type"])
        if kind not in (*_TABLES, EventType.MATERIALIZED):
            continue
        facts = json.loads(entry["event"])["facts"]
        if "version" in facts and "delivery" in facts:
            work = Work(facts.get("table") or _TABLES[kind], facts["version"], facts["delivery"])
            counts = {name: facts[name] for name in _COUNTS if name in facts}
            rows = facts.get("received", facts.get("kept"))
            where = f"entry {entry['sequence']} of the ledger"
            yield Told(work, counts, rows, facts.get("commit_sha256"), where, entry["sequence"])


@dataclass(frozen=True)
class _Upkeep:
    """Commits that other events account for: upkeep names its version, a withdrawal rewrites tables while it lasts."""

    versions: frozenset[tuple[str, int]]
    vacuumed: frozenset[str]
    withdrawals: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]]) -> "_Upkeep":
        versions, vacuumed, spans, begun = set(), set(), [], None
        for entry in entries:
            facts = json.loads(entry["event"])["facts"]
            if entry["type"] == EventType.MAINTAINED:
                versions.add((facts["table"], facts["version"]))
                vacuumed |= {facts["table"]} if facts["action"] == "vacuum" else set()
            elif entry["type"] == EventType.WITHDRAWN:
                moment = _milliseconds(entry["time"])
                begun = moment if begun is None else begun
                if facts["complete"]:
                    spans.append((begun, moment))
                    begun = None
        if begun is not None:  # one that was begun and goes on
            spans.append((begun, _milliseconds(dt.datetime.now(dt.UTC).isoformat())))
        return cls(frozenset(versions), frozenset(vacuumed), spans)

    def explains(self, commit: TableCommit) -> bool:
        if commit.created or (commit.table, commit.version) in self.versions:
            return True
        if commit.vacuumed and commit.table in self.vacuumed:
            return True
        return any(first <= commit.milliseconds <= last for first, last in self.withdrawals)


def _milliseconds(time: str) -> int:
    return int(dt.datetime.fromisoformat(time).timestamp() * 1000)


def _tables(lake: Lake, said: Mapping[Work, Told], upkeep: _Upkeep) -> Iterator[str]:
    """The ledger against the history of the tables that it speaks of."""
    for table in sorted({work.table for work in said}):
        try:
            there = {commit.version: commit for commit in history.commits(lake, table)}
        except HistoryDamaged as error:
            yield str(error)
            continue
        mine = {work.version: told for work, told in said.items() if work.table == table}
        for version, told in sorted(mine.items()):
            if version in there:
                yield from _commit(told, there[version])
            else:
                yield f"{told.work}: {told.where} tells of it, but the table's history has no such commit: removed"
        newest = max(there, default=-1)
        for version in sorted(set(range(newest)) - there.keys() - mine.keys()):
            yield f"{table} version {version}: found no commit of this number, needed all of them"
        for version, commit in sorted(there.items()):
            if version not in mine and not upkeep.explains(commit):
                yield f"{table} version {version}: the table's history has it, but no event of the ledger tells of it"


def _commit(told: Told, commit: TableCommit) -> Iterator[str]:
    if told.sha256 is not None:
        if told.sha256 != commit.sha256:
            yield f"{told.work}: the commit has SHA-256 {commit.sha256}, {told.where} says {told.sha256}: changed"
    elif told.rows is not None and told.rows != commit.rows:
        yield f"{told.work}: the commit adds {commit.rows} rows, {told.where} says {told.rows}"


def _orchestrated(said: Mapping[Work, Told], orchestrator: Sequence[Told]) -> Iterator[str]:
    """What the orchestrator's log tells, in one place or several, against the ledger."""
    for told in sorted(orchestrator, key=lambda told: (told.work, told.where)):
        event = said.get(told.work)
        if event is None:
            yield f"{told.work}: {told.where} tells of it, but no event of the ledger does"
            continue
        for name in _COUNTS:
            ours, theirs = event.counts.get(name), told.counts.get(name)
            if None not in (ours, theirs) and ours != theirs:
                yield f"{told.work}: {told.where} says {name} {theirs}, {event.where} says {ours}"
