"""What tables hold of a subject, a delivery or a licence: rows, files and versions, counted from the files themselves.

Belongs here: counting in every file that is still on disk, also those that only older versions or no commit name,
because deleting rows from the newest version removes nothing from disk. What follows from it is `lineage.withdrawal`.
"""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from lake.tables.files import DataFile, commits, data_files
from lake.zones import Lake
from lineage.withdrawal.belonging import Keys, Kind, Scope, columns, has, inside, note
from lineage.withdrawal.reading import COUNT, Reader
from schemas.contract import Table
from schemas.tables import ACCESS, LEDGER, LICENCES, TABLES


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


def held(lake: Lake, scope: Scope) -> Held:
    """What the tables hold of a scope, counted file by file."""
    answer = Held()
    for table in asked(scope):
        there = [file for file in data_files(lake.table(table)) if file.on_disk]
        reader = Reader.of(lake, table)
        found: dict[tuple[tuple[str, str], ...], list[tuple[DataFile, int]]] = {}
        for file, rows in reader.each(there, scope):
            matched = _matched(reader, file, rows, scope, answer)
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
    tables = [table for table in TABLES if table.name not in _NOT_ASKED and columns(table)]
    return sorted(tables, key=lambda table: not has(table, scope.kind))


def _matched(reader: Reader, file: DataFile, rows: pa.Table | None, scope: Scope, answer: Held) -> int:
    """Rows of a file that belong to the scope; what they lead to is noted on the way."""
    if rows is None:
        answer.unreadable_files += 1
        return 0
    belongs = inside(rows, scope, answer.keys)
    if not pc.any(belongs).as_py():
        answer.elsewhere |= _people(rows)
        return 0
    # only of these is it asked what they lead to
    whole = reader.rows(file, columns(reader.table))
    assert whole is not None, "was read a moment ago"
    note(whole, inside(whole, scope, answer.keys), scope, answer.keys)
    mine = rows.filter(belongs)
    answer.subjects |= _people(mine)
    answer.elsewhere |= _people(rows.filter(pc.invert(belongs)))
    return int(pc.sum(mine[COUNT]).as_py())


def _people(rows: pa.Table) -> set[str]:
    return {each for each in rows["subject"].unique().to_pylist() if each} if "subject" in rows.column_names else set()


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
        versions=sorted({v for file, _ in hits for v in _versions(file, newest)}),
        evidence=table.zone == "audit",
    )


def _versions(file: DataFile, newest: int) -> range:
    """Versions of the table that hold a file."""
    if file.since is None:
        return range(0)
    return range(file.since, newest + 1 if file.until is None else file.until)


def _named_in_log(lake: Lake, table: Table, subject: str) -> int:
    return sum(subject in text for _, text in commits(lake.table(table)))
