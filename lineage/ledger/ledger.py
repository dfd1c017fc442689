"""The ledger: events appended, by any number of processes at once, to one gapless Merkle log.

Belongs here: appending and reading. The log is the Delta table `audit/ledger`, which any Delta reader opens; what makes
it provable is in each commit's metadata (`lineage.ledger.commits`). Seals are `lineage.ledger.seals`, judging is
`lineage.ledger.verify`.
"""

import contextlib
import random
import time as clock
from collections.abc import Sequence
from typing import Any

from lake.tables.parts import Part
from lake.tables.table import Conflict, LakeTable
from lake.zones import Lake
from lineage.ledger import commits
from lineage.ledger.commits import HEAD, Head, Log, Tip
from lineage.ledger.events import EventType, Facts, event
from lineage.ledger.merkle import leaf_hash
from lineage.principal import now, principal
from schemas.tables import LEDGER

_TRIES = 500
"""Tries of an append that others overtook; one takes milliseconds, so this outlasts hundreds of writers at once."""

_LONGEST_PAUSE_S = 0.25
"""Longest pause between two tries, so that a late-comer is not left behind for good."""

_CREATION_S = 5.0
"""How long to wait for the process that makes the table, which takes some 10 milliseconds."""


def append(lake: Lake, type_: EventType | str, facts: Facts) -> int:
    """Append one event, durably; returns its sequence number.

    Args:
        lake: the lake.
        type_: what happened.
        facts: what the type declares (`lineage.ledger.events`); no PHI, no free text, no floats.

    Raises:
        lineage.ledger.events.EventError: if the event says what it may not.
        lineage.ledger.commits.LedgerDamaged: if the log is not what it says, so that nothing is built on it.
    """
    return append_many(lake, [(type_, facts)])


def append_many(lake: Lake, events: Sequence[tuple[EventType | str, Facts]]) -> int:
    """Append events in one commit, all or none, durably; returns the sequence number of the last.

    Raises:
        ValueError: if there is no event.
        lineage.ledger.events.EventError: if an event says what it may not.
        lineage.ledger.commits.LedgerDamaged: if the log is not what it says, so that nothing is built on it.
        lake.tables.table.Conflict: if other writers came first in every one of many tries.
    """
    if not events:
        raise ValueError("found no event to append, needed one or more")
    who, when = principal(lake), now()
    texts = [event(type_, facts, principal=who, time=when) for type_, facts in events]
    leaves = [leaf_hash(text.encode()) for text in texts]
    rows: list[dict[str, object]] = [
        {"time": when, "type": str(type_), "event": text, "leaf": leaf.hex()}
        for (type_, _), text, leaf in zip(events, texts, leaves, strict=True)
    ]
    log, table = Log.of(lake), lake.table(LEDGER)
    _begin(log)
    appended = _commit(log, table, rows, leaves)
    commits.confirm(log)
    return appended


def entries(lake: Lake, first: int = 0, last: int | None = None) -> list[dict[str, Any]]:
    """Entries from `first` to `last`, both included, in order; columns as in `schemas.tables.LEDGER`.

    Args:
        lake: the lake.
        first: sequence number of the first entry wanted.
        last: that of the last; None: to the end.
    """
    rows = lake.table(LEDGER).rows()
    wanted = [row for row in rows if row["sequence"] >= first and (last is None or row["sequence"] <= last)]
    return sorted(wanted, key=lambda row: int(row["sequence"]))


def size(lake: Lake) -> int:
    """Number of entries.

    Raises:
        lineage.ledger.commits.LedgerDamaged: if the newest commit is not what it says.
    """
    return commits.tip(Log.of(lake)).frontier.size


def root(lake: Lake) -> str:
    """Root of the Merkle tree over all entries, hexadecimal.

    Raises:
        lineage.ledger.commits.LedgerDamaged: if the newest commit is not what it says.
    """
    return commits.tip(Log.of(lake)).frontier.root.hex()


def _begin(log: Log) -> None:
    """Leave an empty head before the table is made, so that a log without a head is always an edited one.

    Whoever creates the head makes the table; others wait for it, because two that make a table at once may commit its
    creation twice. If the maker dies in between, the wait ends and the next one makes it.
    """
    if log.has(0):
        return
    with contextlib.suppress(FileExistsError):
        log.seals.create(HEAD, Head().data)
        return
    patience = clock.monotonic() + _CREATION_S
    while not log.has(0) and clock.monotonic() < patience:
        clock.sleep(0.01)


def _commit(log: Log, table: LakeTable, rows: list[dict[str, object]], leaves: list[bytes]) -> int:
    part: Part | None = None
    for attempt in range(_TRIES):
        tip = commits.tip(log)
        first = tip.frontier.size
        if part is None:
            part = table.write([{"sequence": first + i, **row} for i, row in enumerate(rows)], {})
        if not log.ledger.exists(part.path):
            part = None  # a seal swept it away, because its place in the log was taken
            continue
        frontier = tip.frontier.extended(leaves)
        said = commits.record(tip.sha256, part.sha256, first, frontier)
        try:
            table.append([part], said, expected_version=tip.version)
        except Conflict:
            newer = list(log.after(tip))
            if any(commit.part == part.path for commit in newer):
                return frontier.size - 1  # it was our own commit, whose answer was lost
            if any(commit.part for commit in newer):
                log.ledger.delete(part.path)  # another took its place in the log
                part = None
            _pause(attempt, tip)
        else:
            return frontier.size - 1
    raise Conflict(f"ledger: found {_TRIES} commits by others in a row, needed one try without; try again")


def _pause(attempt: int, tip: Tip) -> None:
    """Wait a little, longer at each try; the commit that makes the table is nobody's and needs no wait."""
    if tip.version >= 0:
        clock.sleep(random.uniform(0, min(_LONGEST_PAUSE_S, 0.005 * (attempt + 1))))  # noqa: S311  # spreads writers, no secret
