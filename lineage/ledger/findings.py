"""What a check of the ledger finds, and the check of one commit's entries.

Belongs here: a finding, and whether a part file holds the entries that its commit says. Which commits to trust is
`lineage.ledger.chain`, the whole judgement `lineage.ledger.verify`.
"""

import hashlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from lineage.ledger.commits import Commit, Log
from lineage.ledger.events import ending
from lineage.ledger.merkle import Frontier, leaf_hash
from schemas.tables import LEDGER

LATER = 1 << 62
"""Place of findings that belong to no commit: they come after those that name entries."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the ledger's own records say.

    Attributes:
        file: the file, relative to the audit zone.
        found: what was found.
        needed: what was needed.
        entries: sequence numbers that it touches; None: not known, or none.
        at: version of the commit, for the order; `LATER` where there is none.
    """

    file: str
    found: str
    needed: str
    entries: range | None = None
    at: int = LATER

    def __str__(self) -> str:
        """One sentence for a person."""
        where = ""
        if self.entries:
            first, last = self.entries[0], self.entries[-1]
            where = f", entry {first}" if first == last else f", entries {first} to {last}"
        return f"{self.file}{where}: found {self.found}, needed {self.needed}"


def check_entries(log: Log, commit: Commit, before: Frontier) -> Finding | None:
    """Whether the part file of a commit holds, to the byte, what the commit says and the tree needs.

    Args:
        log: where the files lie.
        commit: a commit that adds entries.
        before: the tree before it.
    """

    def finding(found: str, needed: str, entries: range = commit.entries) -> Finding:
        return Finding(f"{LEDGER.name}/{commit.part}", found, needed, entries, commit.version)

    if commit.part is None or commit.first != before.size:
        return finding(f"entries from {commit.first} on", f"the entry {before.size}: entries were removed or inserted")
    try:
        data = log.ledger.read_bytes(commit.part)
    except (OSError, ValueError):
        return finding("no such file", "the part file that its commit added")
    digest = hashlib.sha256(data).hexdigest()
    if digest != commit.part_sha256:
        return finding(f"SHA-256 {digest}", f"{commit.part_sha256}: the file was changed")
    try:
        leaves = _leaves(data, commit.entries)
    except _Unfit as error:
        return finding(*error.args)
    if before.extended(leaves) != commit.frontier:
        return finding("a tree of another root", f"the root {commit.frontier.root.hex()} that its commit says")
    return None


class _Unfit(Exception):
    """What was found, what was needed and, where it is one entry, which."""


def _leaves(data: bytes, entries: range) -> list[bytes]:
    try:
        table = pq.read_table(pa.BufferReader(data)).cast(LEDGER.file_schema)
        columns = [table[name].to_pylist() for name in ("sequence", "time", "type", "event", "leaf")]
    except (pa.ArrowException, KeyError):
        raise _Unfit("no entries that can be read", "a Parquet file of the ledger's columns") from None
    if columns[0] != list(entries):
        raise _Unfit("other sequence numbers", "those of its commit, in order")
    leaves = []
    for sequence, time, type_, event, leaf in zip(*columns, strict=True):
        node = leaf_hash(event.encode())
        if node.hex() != leaf or not event.endswith(ending(type_, time)):
            one = range(sequence, sequence + 1)
            raise _Unfit("an event that its time, type or leaf hash does not fit", "columns that agree", one)
        leaves.append(node)
    return leaves
