"""What tables hold of a subject, a delivery or a licence: rows, files and versions, counted from the files themselves.

Belongs here: counting in every file that is still on disk, also those that only older versions or no commit name,
because deleting rows from the newest version removes nothing from disk. What follows from it is `lineage.withdrawal`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

from lake.files import DataFile, commits, data_files
from lake.sources import Source, UnreadableFile
from lake.zones import Lake
from schemas.contract import Table
from schemas.tables import ACCESS, LEDGER, LICENCES, TABLES

Pair = tuple[str, str]
"""A delivery, and a series, path or subject in it."""


class Kind(StrEnum):
    """What can be withdrawn."""

    SUBJECT = "subject"
    DELIVERY = "delivery"
    LICENCE = "licence"


@dataclass(frozen=True)
class Scope:
    """What is to be withdrawn.

    Attributes:
        kind: a subject (pseudonym), a delivery or a licence.
        value: which.
    """

    kind: Kind
    value: str


@dataclass(frozen=True)
class Holding:
    """What one partition of a table holds of it.

    Attributes:
        table: path of the table.
        partition: values of the partition columns.
        rows: rows of the newest version.
        files: files of the newest version with such rows.
        bytes: size of these files.
        whole_files: of these, files that hold nothing else and can go as they are; the others must be rewritten.
        older_files: files with such rows that only older versions name, still on disk.
        older_bytes: their size.
        orphan_files: files with such rows that no commit names.
        orphan_bytes: their size.
        versions: versions of the table that can still be opened and hold such rows.
        evidence: whether it is a table of the audit zone, which holds pseudonyms and no PHI and is kept as the record.
    """

    table: str
    partition: dict[str, str]
    rows: int
    files: int
    bytes: int
    whole_files: int
    older_files: int
    older_bytes: int
    orphan_files: int
    orphan_bytes: int
    versions: list[int]
    evidence: bool


@dataclass
class Keys:
    """What leads to rows that do not carry the scope's own column.

    Attributes:
        series: series of it.
        places: paths of its files.
        people: subjects of it.
        made_of: deliveries of which a row was made with a part of it; what is left of them must be made again.
    """

    series: set[Pair] = field(default_factory=set)
    places: set[Pair] = field(default_factory=set)
    people: set[Pair] = field(default_factory=set)
    made_of: set[str] = field(default_factory=set)


@dataclass
class Held:
    """All that tables hold of it.

    Attributes:
        holdings: one a partition of a table.
        subjects: persons with rows in it.
        elsewhere: persons with rows outside it.
        log_commits: commits of Delta logs whose statistics name the subject, by table.
        unreadable_files: part files that were cut off in writing; nobody can tell what they hold.
        keys: what belongs to it, by the columns that tables have in common.
    """

    holdings: list[Holding] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    log_commits: dict[str, int] = field(default_factory=dict)
    unreadable_files: int = 0
    keys: Keys = field(default_factory=Keys)


_NOT_ASKED = {LEDGER.name, ACCESS.name, LICENCES.name}
"""The ledger names subjects by commitments only; accesses and terms are facts about people who work here and papers."""

_OWN = ("delivery", "subject", "licence", "series", "path")
_PARTS = {"delivery": "source_deliveries", "licence": "licences"}
"""Columns with every delivery and licence that a row was made of; its own delivery and licence are one of them."""


def held(lake: Lake, scope: Scope) -> Held:
    """What the tables hold of a scope, counted file by file."""
    answer = Held()
    keys = answer.keys
    for table in asked(scope):
        found: dict[tuple[tuple[str, str], ...], list[tuple[DataFile, int]]] = {}
        for file in data_files(lake.table(table)):
            if file.on_disk:
                matched = _matched(lake, table, file, scope, keys, answer)
                found.setdefault(tuple(sorted(file.partition.items())), []).append((file, matched))
        newest = lake.table(table).version()
        for partition, counted in sorted(found.items()):
            if any(rows for _, rows in counted):
                answer.holdings.append(_holding(table, dict(partition), counted, newest))
        if scope.kind is Kind.SUBJECT and table.zone != "audit" and (number := _named_in_log(lake, table, scope.value)):
            answer.log_commits[table.path] = number
    return answer


def asked(scope: Scope) -> list[Table]:
    """Tables to look into; those that carry the scope's column come first, they say what the others are asked for."""
    tables = [table for table in TABLES if table.name not in _NOT_ASKED]
    return sorted(tables, key=lambda table: not has(table, scope.kind))


def columns(table: Table) -> list[str]:
    """Columns of a table that say whether a row belongs to a scope."""
    return [name for name in (*_OWN, *_PARTS.values()) if has(table, name)]


def inside(row: Mapping[str, Any], scope: Scope, keys: Keys) -> bool:
    """Whether a row with the columns of `columns` belongs to a scope."""
    if row.get(scope.kind) is not None:
        return bool(row[scope.kind] == scope.value) or scope.value in (row.get(_PARTS.get(scope.kind, "")) or ())
    for name, known in (("series", keys.series), ("path", keys.places), ("subject", keys.people)):
        if row.get(name) is not None:
            return (row["delivery"], row[name]) in known
    return False


def _matched(lake: Lake, table: Table, file: DataFile, scope: Scope, keys: Keys, answer: Held) -> int:
    """Rows of a file that belong to the scope; what they lead to is noted on the way."""
    number = 0
    try:
        for row, count in _rows(lake.table(table).source, file, columns(table)):
            belongs = inside(row, scope, keys)
            number += count if belongs else 0
            _note(row, belongs, scope, answer)
    except (pa.ArrowInvalid, UnreadableFile):
        answer.unreadable_files += 1
    return number


def _note(row: Mapping[str, Any], belongs: bool, scope: Scope, answer: Held) -> None:
    keys = answer.keys
    if subject := row.get("subject"):
        (answer.subjects if belongs else answer.elsewhere).add(subject)
    if belongs and scope.kind in row and row[scope.kind] != scope.value:
        keys.made_of.add(row["delivery"])
        return  # the series it stands under is another's
    if belongs:
        for name, known in (("series", keys.series), ("path", keys.places), ("subject", keys.people)):
            if row.get(name):
                known.add((row["delivery"], row[name]))


def _rows(source: Source, file: DataFile, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], int]]:
    """Different rows of a file with the named columns, those of its partition included, and how often each is there."""
    stored = [name for name in names if name not in file.partition]
    partition = {name: file.partition[name] for name in names if name in file.partition}
    with source.parquet(file.path) as parquet:
        rows = parquet.read(columns=stored)
    if any(pa.types.is_list(kind) for kind in rows.schema.types):  # Arrow does not group by lists
        yield from ((partition | row, 1) for row in rows.to_pylist())
        return
    for row in rows.group_by(stored).aggregate([([], "count_all")]).to_pylist():
        count = row.pop("count_all")
        yield partition | row, count


def _holding(table: Table, partition: dict[str, str], counted: list[tuple[DataFile, int]], newest: int) -> Holding:
    hits = [(file, rows) for file, rows in counted if rows]
    live = [(file, rows) for file, rows in hits if file.newest]
    older = [file for file, _ in hits if not file.newest and not file.orphan]
    orphans = [file for file, _ in hits if file.orphan]
    return Holding(
        table=table.path,
        partition=partition,
        rows=sum(rows for _, rows in live),
        files=len(live),
        bytes=sum(file.bytes for file, _ in live),
        whole_files=sum(rows == file.rows for file, rows in live),
        older_files=len(older),
        older_bytes=sum(file.bytes for file in older),
        orphan_files=len(orphans),
        orphan_bytes=sum(file.bytes for file in orphans),
        versions=[v for v in range(newest + 1) if any(file.in_version(v) for file, _ in hits)],
        evidence=table.zone == "audit",
    )


def _named_in_log(lake: Lake, table: Table, subject: str) -> int:
    return sum(subject in text for _, text in commits(lake.table(table)))


def has(table: Table, name: str) -> bool:
    """Whether a table has a column of this name."""
    return any(column.name == name for column in table.columns)
