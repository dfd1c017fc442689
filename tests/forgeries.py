"""Edits of a ledger as somebody with write access to every file could make them, careless ones and careful ones.

Belongs here: attacks that tests and the benchmark of the ledger share. None of them has the private key of the seals.
"""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lineage.ledger import commits
from lineage.ledger.commits import HEAD, RECORD, Head, Log, Tip
from lineage.ledger.merkle import Frontier, leaf_hash
from schemas.document import canonical_json

Rows = list[dict[str, object]]

BEFORE = Tip(-1, "", Frontier(), Head())
"""The log before its first commit."""


def flipped(path: Path, draw: random.Random) -> bytes:
    """Flip one bit of a file; gives the bytes that it had."""
    whole = path.read_bytes()
    edited = bytearray(whole)
    edited[draw.randrange(len(edited))] ^= 1 << draw.randrange(8)
    path.write_bytes(edited)
    return whole


def rows(log: Log, commit: commits.Commit) -> Rows:
    """Entries of a commit."""
    found: Rows = pq.read_table(log.ledger.path / str(commit.part)).to_pylist()
    return found


def batches(log: Log) -> list[Rows]:
    """Entries of all commits that have some."""
    return [rows(log, commit) for commit in log.after(BEFORE) if commit.part]


def _changed(entries: Rows, place: int) -> None:
    event = str(entries[place]["event"])
    entries[place] = entries[place] | {"event": event.replace('"rows":', '"rows":9')}


def _removed(entries: Rows, place: int) -> None:
    del entries[place]


def _inserted(entries: Rows, place: int) -> None:
    entries.insert(place, dict(entries[place]))


def _reordered(entries: Rows, place: int) -> None:
    other = (place + 1) % len(entries)
    entries[place], entries[other] = entries[other], entries[place]


ROW_EDITS: dict[str, Callable[[Rows, int], None]] = {
    "change": _changed,
    "remove": _removed,
    "insert": _inserted,
    "reorder": _reordered,
}
"""Edits of one row of a batch, by name; a reorder needs two rows."""


def rewritten_file(log: Log, commit: commits.Commit, entries: Rows) -> None:
    """Write other entries into the part file of a commit, and touch nothing else."""
    path = log.ledger.path / str(commit.part)
    pq.write_table(pa.Table.from_pylist(entries, pq.read_schema(path)), path)


def rewritten_log(log: Log, changed: list[Rows]) -> None:
    """Write the log anew from its entries, all digests and the head made to fit, as one who knows how could."""
    frontier, previous, version = Frontier(), hashlib.sha256(log.read(0)).hexdigest(), 0
    for version, entries in enumerate(changed, start=1):
        old = commits.parse(version, log.read(version))
        if entries == rows(log, old) and previous == old.previous:
            frontier, previous = old.frontier, old.sha256
            continue
        first, leaves = frontier.size, [leaf_hash(str(row["event"]).encode()) for row in entries]
        for place, (row, leaf) in enumerate(zip(entries, leaves, strict=True), start=first):
            row.update(sequence=place, leaf=leaf.hex())
        frontier = frontier.extended(leaves)
        rewritten_file(log, old, entries)
        digest = hashlib.sha256((log.ledger.path / str(old.part)).read_bytes()).hexdigest()
        lines = [json.loads(line) for line in log.read(version).splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"][RECORD] = commits.record(previous, digest, first, frontier)[RECORD]
        data = "\n".join(map(canonical_json, lines)).encode()
        (log.commits.path / commits.commit_name(version)).write_bytes(data)
        previous = hashlib.sha256(data).hexdigest()
    log.seals.write_bytes(HEAD, Head(version, previous, frontier.size, frontier.root.hex()).data)
