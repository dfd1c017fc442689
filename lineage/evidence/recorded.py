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
import pyarrow.json

from lineage.evidence.past import Past
from lineage.ledger import merkle
from lineage.ledger.commits import LedgerDamaged, Log
from lineage.ledger.events import EventType
from lineage.ledger.statements import Seal, SealError, read_all
from schemas.tables import LEDGER

_READ = ("sequence", "time", "type", "event")
"""Columns that are read at once, in the order of an `Entry`; leaf hashes are for few."""

_SEQUENCE = "sequence"

_BLOCK = 1 << 24
"""Bytes that are parsed at once; no event comes near."""


@dataclass(frozen=True)
class Entry:
    """One entry; what it says is parsed when it is asked for, because of most entries only few questions are asked.

    Attributes:
        sequence: its place in the log.
        time: when, UTC, RFC 3339.
        type: type of the event.
        text: the event's canonical JSON, which is the leaf.
    """

    sequence: int
    time: str
    type: str
    text: str

    @cached_property
    def _said(self) -> Mapping[str, Any]:
        said: dict[str, Any] = json.loads(self.text)
        return said

    @property
    def principal(self) -> str:
        """Who."""
        return str(self._said["principal"])

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the event says."""
        facts: Mapping[str, Any] = self._said["facts"]
        return facts

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
        rows: sequence, time, type and event of each.
        seals: the seals, oldest first, those of later times included, because a later seal proves earlier entries.
    """

    rows: pa.Table
    seals: tuple[Seal, ...]
    _past: Past

    @classmethod
    def of(cls, past: Past) -> "Record":
        """The record of a lake at a moment; empty where the log is damaged."""
        table = past.lake.table(LEDGER)
        empty = pa.schema([LEDGER.arrow_schema.field(name) for name in _READ]).empty_table()
        try:
            rows = table.read(_READ).sort_by("sequence") if table.exists() else empty
        except (LedgerDamaged, pa.ArrowException, OSError):
            return cls(empty, (), past)
        if past.moment is not None:
            later = pc.index(pc.greater(rows["time"], past.moment), pa.scalar(True)).as_py()
            rows = rows if later < 0 else rows.slice(0, later)
        return cls(rows, _seals(past), past)

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.rows.num_rows

    @cached_property
    def leaves(self) -> list[bytes]:
        """Leaf hashes as the log's column holds them."""
        if not self.size:
            return []
        rows = self._past.lake.table(LEDGER).read(["sequence", "leaf"]).sort_by("sequence")
        return [bytes.fromhex(leaf) for leaf in rows["leaf"].slice(0, self.size).to_pylist()]

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

    def newest(self, type_: EventType, **facts: str) -> Entry | None:
        """The newest entry of a type that says these facts."""
        names = tuple(sorted(facts))
        place = self.places(type_, *names).get(tuple(facts[name] for name in names))
        return None if place is None else self.at([place])[0]

    def places(self, type_: EventType, *names: str) -> Mapping[tuple[str, ...], int]:
        """Place of the newest entry of a type for each that its entries say, of facts that are texts.

        Args:
            type_: type of the events.
            names: names of the facts.

        Returns:
            Values of the facts to the place; entries that lack one are left out.
        """
        if (type_, names) not in self._placed:
            self._placed[type_, names] = _newest(self.rows.filter(pc.equal(self.rows["type"], str(type_))), names)
        return self._placed[type_, names]

    def at(self, sequences: Sequence[int]) -> list[Entry]:
        """Entries at these places, in order; places that there are not are left out."""
        there = [place for place in sorted(set(sequences)) if 0 <= place < self.size]
        return _entries(self.rows.take(pa.array(there, pa.int64())))

    def between(self, since: str, until: str) -> range:
        """Places of the entries whose times lie between two times, both included."""
        times = self.rows["time"]
        inside = pc.indices_nonzero(pc.and_(pc.greater_equal(times, since), pc.less_equal(times, until)))
        return range(inside[0].as_py(), inside[-1].as_py() + 1) if len(inside) else range(self.size, self.size)

    @cached_property
    def _known(self) -> dict[EventType, list[Entry]]:
        return {}

    @cached_property
    def _placed(self) -> dict[tuple[EventType, tuple[str, ...]], Mapping[tuple[str, ...], int]]:
        return {}

    def _typed(self, type_: EventType) -> list[Entry]:
        if type_ not in self._known:
            self._known[type_] = _entries(self.rows.filter(pc.equal(self.rows["type"], str(type_))))
        return self._known[type_]


def _entries(rows: pa.Table) -> list[Entry]:
    return [Entry(*row) for row in zip(*(rows[name].to_pylist() for name in _READ), strict=True)]


def _newest(rows: pa.Table, names: Sequence[str]) -> dict[tuple[str, ...], int]:
    """The greatest sequence number for each combination of facts, which Arrow reads from all events at once."""
    if not rows.num_rows:
        return {}
    told = pa.chunked_array([chunk for events in rows["event"].chunks for chunk in _facts(events, names)])
    facts = {name: pc.struct_field(told, name) for name in names}
    said = pa.table({**facts, _SEQUENCE: rows[_SEQUENCE]}).drop_null()
    newest = said.group_by(names, use_threads=False).aggregate([(_SEQUENCE, "max")])
    values = zip(*(newest[name].to_pylist() for name in names), strict=True)
    return dict(zip(values, newest[f"{_SEQUENCE}_max"].to_pylist(), strict=True))


def _facts(events: pa.StringArray, names: Sequence[str]) -> list[pa.StructArray]:
    """Texts among the facts of events; canonical JSON has no line breaks, so that events are lines of JSON."""
    lines = pc.binary_join_element_wise(events, "", "\n")
    wanted = pa.schema([pa.field("facts", pa.struct([pa.field(name, pa.string()) for name in names]))])
    read = pa.json.read_json(
        pa.BufferReader("".join(lines.to_pylist()).encode()),
        pa.json.ReadOptions(block_size=_BLOCK),
        pa.json.ParseOptions(wanted, unexpected_field_behavior="ignore"),
    )
    return list(read["facts"].chunks)


def _seals(past: Past) -> tuple[Seal, ...]:
    """All seals; none where one cannot be read, which `lineage.ledger.verify` reports."""
    try:
        return tuple(read_all(Log.of(past.lake)))
    except SealError:
        return ()
