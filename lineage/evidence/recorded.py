"""What the ledger said up to a moment: its entries, read once, asked many times.

Belongs here: finding the entry that a number rests on. An entry that cannot be read is for `lineage.ledger.verify` to
report, so nothing is shown of a damaged log.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lineage.evidence.past import Past
from lineage.ledger import merkle
from lineage.ledger.commits import LedgerDamaged, Log
from lineage.ledger.events import EventType
from lineage.ledger.seals import Seal, SealError, read_all
from schemas.tables import LEDGER


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        sequence: its place in the log.
        time: when, UTC, RFC 3339.
        type: type of the event.
        principal: who.
        facts: what the event says.
        text: the event's canonical JSON, which is the leaf.
    """

    sequence: int
    time: str
    type: str
    principal: str
    facts: Mapping[str, Any]
    text: str

    @property
    def words(self) -> str:
        """Scalar facts as text; digests are for the tables."""
        return ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in self.facts.items()
            if not isinstance(value, dict | list) and not name.endswith("sha256") and name != "decision"
        )


@dataclass(frozen=True)
class Record:
    """Entries of the ledger up to a moment, in order.

    Attributes:
        rows: sequence, time, type, event and leaf of each.
        seals: the seals, oldest first, those of later times included, because a later seal proves earlier entries.
    """

    rows: pa.Table
    seals: tuple[Seal, ...]

    @classmethod
    def of(cls, past: Past) -> "Record":
        """The record of a lake at a moment; empty where the log is damaged."""
        table = past.lake.table(LEDGER)
        empty = LEDGER.arrow_schema.empty_table()
        try:
            rows = table.read().sort_by("sequence") if table.exists() else empty
        except (LedgerDamaged, pa.ArrowException, OSError):
            return cls(empty, ())
        if past.moment is not None:
            later = pc.index(pc.greater(rows["time"], past.moment), pa.scalar(True)).as_py()
            rows = rows if later < 0 else rows.slice(0, later)
        return cls(rows, _seals(past))

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.rows.num_rows

    @cached_property
    def leaves(self) -> list[bytes]:
        """Leaf hashes as the log's column holds them."""
        return [bytes.fromhex(leaf) for leaf in self.rows["leaf"].to_pylist()]

    @cached_property
    def root(self) -> str:
        """Root of the Merkle tree over the entries, hexadecimal."""
        return merkle.root(self.leaves).hex()

    @property
    def types(self) -> list[dict[str, Any]]:
        """Events of each type, with the time of the last."""
        if not self.size:
            return []
        counted = self.rows.group_by("type").aggregate([("sequence", "count"), ("time", "max"), ("sequence", "max")])
        renamed = counted.rename_columns(
            {"sequence_count": "n", "time_max": "last", "sequence_max": "newest"}
        ).to_pylist()
        return sorted(renamed, key=lambda row: str(row["type"]))

    def of_type(self, *types: EventType) -> list[Entry]:
        """Entries of some types, oldest first."""
        found = [entry for type_ in types for entry in self._typed(type_)]
        return sorted(found, key=lambda entry: entry.sequence)

    def newest(self, type_: EventType, **facts: object) -> Entry | None:
        """The newest entry of a type that says these facts."""
        fitting = (e for e in reversed(self._typed(type_)) if all(e.facts.get(k) == v for k, v in facts.items()))
        return next(fitting, None)

    def at(self, sequences: Sequence[int]) -> list[Entry]:
        """Entries at these places, in order; places that there are not are left out."""
        there = [place for place in sorted(set(sequences)) if 0 <= place < self.size]
        return _parsed(self.rows.take(pa.array(there, pa.int64())))

    def between(self, since: str, until: str) -> range:
        """Places of the entries whose times lie between two times, both included."""
        times = self.rows["time"].to_pylist()
        inside = [place for place, time in enumerate(times) if since <= time <= until]
        return range(inside[0], inside[-1] + 1) if inside else range(self.size, self.size)

    @cached_property
    def _known(self) -> dict[EventType, list[Entry]]:
        return {}

    def _typed(self, type_: EventType) -> list[Entry]:
        if type_ not in self._known:
            self._known[type_] = _parsed(self.rows.filter(pc.equal(self.rows["type"], str(type_))))
        return self._known[type_]


def _parsed(rows: pa.Table) -> list[Entry]:
    found = []
    for row in rows.select(["sequence", "time", "type", "event"]).to_pylist():
        said = json.loads(row["event"])
        found.append(Entry(row["sequence"], row["time"], row["type"], said["principal"], said["facts"], row["event"]))
    return found


def _seals(past: Past) -> tuple[Seal, ...]:
    """All seals; none where one cannot be read, which `lineage.ledger.verify` reports."""
    try:
        return tuple(read_all(Log.of(past.lake)))
    except SealError:
        return ()
