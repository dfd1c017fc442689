"""What a check of the ledger finds, and the check of one commit's entries.

Belongs here: a finding, and whether a part file holds the entries that its commit says. Which commits to trust is
`lineage.ledger.chain`, the whole judgement `lineage.ledger.verify`.
"""

import hashlib
from dataclasses import dataclass

import pyarrow as pa

from lake.tables.parquet import rows_of
from lineage.ledger.commits import Commit, LedgerDamaged, Log
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


class Unfit(LedgerDamaged):
    """Entries are not what their commit says."""

    def __init__(self, finding: Finding) -> None:
        """Carry the finding."""
        super().__init__(str(finding))
        self.finding = finding


def check_file(log: Log, commit: Commit, first: int) -> bytes:
    """The part file of a commit, if it is to the byte the one that the commit added.

    Args:
        log: where the files lie.
        commit: a commit that adds entries.
        first: sequence number that its entries must begin with.

    Raises:
        Unfit: if it is not, or if the entries begin elsewhere.
    """
    if commit.part is None or commit.first != first:
        needed = f"the entry {first}: entries were removed or inserted"
        raise _unfit(commit, f"entries from {commit.first} on", needed)
    try:
        data = log.ledger.read_bytes(commit.part)
    except (OSError, ValueError):
        raise _unfit(commit, "no such file", "the part file that its commit added") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != commit.part_sha256:
        raise _unfit(commit, f"SHA-256 {digest}", f"{commit.part_sha256}: the file was changed")
    return data


def check_entries(log: Log, commit: Commit, before: Frontier) -> list[bytes]:
    """Leaf hashes of the entries of a commit, computed anew, if they are what the commit says and the tree needs.

    Args:
        log: where the files lie.
        commit: a commit that adds entries.
        before: the tree before it.

    Raises:
        Unfit: if they are not; see also `check_file`.
    """
    leaves = _leaves(commit, check_file(log, commit, before.size))
    if before.extended(leaves) != commit.frontier:
        raise _unfit(commit, "a tree of another root", f"the root {commit.frontier.root.hex()} that its commit says")
    return leaves


def _unfit(commit: Commit, found: str, needed: str, entries: range | None = None) -> Unfit:
    file = f"{LEDGER.name}/{commit.part}"
    return Unfit(Finding(file, found, needed, commit.entries if entries is None else entries, commit.version))


def _leaves(commit: Commit, data: bytes) -> list[bytes]:
    try:
        table = rows_of(data).cast(LEDGER.file_schema)
        columns = [table[name].to_pylist() for name in ("sequence", "time", "type", "event", "leaf")]
        if any(column.null_count for column in table.columns):
            raise pa.ArrowInvalid
    except (pa.ArrowException, OSError, KeyError):
        raise _unfit(commit, "no entries that can be read", "a Parquet file of the ledger's columns") from None
    if columns[0] != list(commit.entries):
        raise _unfit(commit, "other sequence numbers", "those of its commit, in order")
    endings = _Endings()
    leaves = []
    for sequence, time, type_, event, leaf in zip(*columns, strict=True):
        node = leaf_hash(event.encode())
        if node.hex() != leaf or not event.endswith(endings[time, type_]):
            one = range(sequence, sequence + 1)
            raise _unfit(commit, "an event that its time, type or leaf hash does not fit", "columns that agree", one)
        leaves.append(node)
    return leaves


class _Endings(dict[tuple[str, str], str]):
    """How texts of a time and type end; entries of one append share both."""

    def __missing__(self, key: tuple[str, str]) -> str:
        time, type_ = key
        self[key] = ending(type_, time)
        return self[key]
