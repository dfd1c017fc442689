"""Station 4c, `diagnoses`: declared columns of delivered tables, mapped by key.

Belongs here: rows of `curated/diagnoses`. What may be declared is `schemas.diagnosis`; whom a key names is
`stages.diagnosis_keys`. A column that is not declared is not looked at, and a value that is not of the declared kind
holds its whole row back; no value is quoted anywhere.
"""

import csv
import hashlib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deid.policy import load_policy
from lake.tables.written import Written
from lake.zones import Lake
from lineage.ledger.events import EventType
from schemas.diagnosis import Coding, DiagnosisColumn, DiagnosisTable, Value
from schemas.document import canonical_json
from schemas.reasons import Reason
from schemas.tables import DIAGNOSES, QUARANTINE
from stages.diagnosis_keys import About, Keys
from stages.intake.landed import manifest_of
from stages.packed import received
from stages.station import Outcome, Report, commit, held, recorded, silent

_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})([eE][+-]?\d{1,2})?")
_IN_A_YEAR = {"a": 1.0, "mo": 12.0, "wk": 365.25 / 7, "d": 365.25}
"""UCUM units of time in which an age may be given."""

Row = dict[str, Any]


class _Held(ValueError):
    """A line of a table cannot be taken over."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class _Said:
    """What a line says of one thing.

    Attributes:
        file: received row of the table.
        line: line in it.
        row: the diagnosis, without what all have.
    """

    file: Row
    line: int
    row: Row

    @property
    def about(self) -> tuple[str, ...]:
        """What two lines may not say differently."""
        return tuple(str(self.row[name]) for name in ("subject", "study", "series", "name"))


def map_diagnoses(lake: Lake, delivery: str, report: Report = silent) -> Outcome:
    """Take over the declared columns of a delivery's tables.

    Raises:
        TableMissing: if the delivery was not received yet.
    """
    manifest = manifest_of(lake, delivery)
    written = Written()
    said: list[_Said] = []
    files = received(lake, delivery, "table")
    if files:
        policy = load_policy(lake.settings.policy)
        keys = Keys(lake, delivery, manifest)
        for file in files:
            table = manifest.table_of(file["path"])
            assert table is not None, "a file is a table because one covers it"
            data = lake.landed(delivery).read_bytes(file["path"])
            said += _read(data, file, table, keys, policy.age_cap, written)
        rows, repeated = _agreed(said, written)
        written.hand(DIAGNOSES, [row | {"diagnosis": _id(delivery, row), "policy": policy.digest} for row in rows])
    else:
        rows, repeated = [], 0
    report(f"{len(rows)} diagnoses of {len({row['subject'] for row in rows})} subjects")
    versions = commit(lake, "diagnoses", delivery, written, [DIAGNOSES])
    reasons = Counter(str(row["reason"]) for row in written.rows(QUARANTINE))
    details = {"tables": len(files), **{f"held_{reason}": count for reason, count in sorted(reasons.items())}}
    outcome = Outcome(DIAGNOSES.path, versions[DIAGNOSES.path], len(rows), repeated, sum(reasons.values()), details)
    return recorded(lake, EventType.MATERIALIZED, "diagnoses", delivery, outcome, reasons=dict(reasons))


def _read(data: bytes, file: Row, table: DiagnosisTable, keys: Keys, age_cap: int, written: Written) -> Iterator[_Said]:
    """What the lines of a table say; what cannot be taken over is handed over for quarantine."""
    try:
        lines = list(_lines(data, table))
    except _Held as error:
        written.hand(QUARANTINE, [held("diagnoses", error.reason, file["path"], file["sha256"])])
        return
    shared = {"delivered_as": "table", "mapped_by": str(table.names), "declaration_sha256": table.digest}
    for line, cells in lines:
        try:
            about = _about(cells[table.key], table, keys)
            rows = [
                {**vars(about), **_valued(column, cells[column.column].strip(), age_cap), "licence": file["licence"]}
                for column in table.columns
                if cells[column.column].strip() not in table.missing
            ]
        except _Held as error:
            written.hand(QUARANTINE, [held("diagnoses", error.reason, file["path"], file["sha256"], line=line)])
            continue
        yield from (_Said(file, line, row | {"provenance": canonical_json(shared)}) for row in rows)


def _lines(data: bytes, table: DiagnosisTable) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and declared cells of each line.

    Raises:
        _Held: if it is no such table.
    """
    wanted = [table.key, *(column.column for column in table.columns)]
    try:
        with io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, delimiter=table.delimiter, strict=True)
            names = list(reader.fieldnames or ())
            if any(names.count(name) != 1 for name in wanted):
                raise _Held(Reason.TABLE_UNREADABLE)
            for row in reader:
                yield reader.line_num, {name: row[name] or "" for name in wanted}
    except (UnicodeDecodeError, csv.Error):
        raise _Held(Reason.TABLE_UNREADABLE) from None


def _about(key: str, table: DiagnosisTable, keys: Keys) -> About:
    about = keys.named(table.names, key.strip()) if key.strip() else None
    if about is None:
        raise _Held(Reason.LABEL_UNMATCHED)
    return about


def _valued(column: DiagnosisColumn, cell: str, age_cap: int) -> Row:
    """What a cell says, as columns of a diagnosis.

    Raises:
        _Held: if it is not of the declared kind, levels or range.
    """
    coding: Coding | None = column.coding
    number: float | None = None
    if column.kind is Value.CATEGORY:
        level = next((level for level in column.levels if level.value == cell), None)
        if level is None:
            raise _Held(Reason.VALUE_UNDECLARED)
        value, coding = level.name or level.value, level.coding or coding
    elif column.kind is Value.BOOLEAN:
        word = cell.casefold()
        if word not in (*map(str.casefold, column.true), *map(str.casefold, column.false)):
            raise _Held(Reason.VALUE_UNDECLARED)
        number = float(word in map(str.casefold, column.true))
        value = "true" if number else "false"
    else:
        number = _number(column, cell, age_cap)
        value = format(number, ".15g")
    return {
        "name": column.name,
        "kind": str(column.kind),
        "value": value,
        "number": number,
        "unit": column.unit,
        "scheme": coding.scheme if coding else None,
        "code": coding.code if coding else None,
        "meaning": coding.meaning if coding else None,
    }


def _number(column: DiagnosisColumn, cell: str, age_cap: int) -> float:
    """A number in the declared range; ages above the policy's cap become one year more than the cap."""
    assert column.minimum is not None, "the declaration of a number has a range"
    assert column.maximum is not None, "the declaration of a number has a range"
    if not _NUMBER.fullmatch(cell) or not column.minimum <= float(cell) <= column.maximum:
        raise _Held(Reason.VALUE_UNDECLARED)
    years = _IN_A_YEAR.get(column.unit or "")
    # a time of more than 89 years can only be an age, or tell one (45 CFR 164.514(b)(2)(i)(C))
    return (age_cap + 1) * years if years and float(cell) >= (age_cap + 1) * years else float(cell)


def _agreed(said: list[_Said], written: Written) -> tuple[list[Row], int]:
    """One row for each thing that was said, and how often one was said again; contradictions are held back."""
    together: dict[tuple[str, ...], list[_Said]] = defaultdict(list)
    for one in said:
        together[one.about].append(one)
    contradicted: dict[tuple[str, int], Row] = {}
    rows, repeated = [], 0
    for _, same in sorted(together.items()):
        if len({one.row["value"] for one in same}) == 1:
            rows.append(same[0].row)
            repeated += len(same) - 1
            continue
        contradicted |= {(one.file["path"], one.line): one.file for one in same}
    for (path, line), file in sorted(contradicted.items()):
        reason = Reason.CONFLICTING_DUPLICATE
        written.hand(QUARANTINE, [held("diagnoses", reason, path, file["sha256"], line=line)])
    return rows, repeated


def _id(delivery: str, row: Mapping[str, Any]) -> str:
    about = "/".join(str(row[name]) for name in ("subject", "study", "series", "name"))
    return hashlib.sha256(f"{delivery}/{about}".encode()).hexdigest()[:20]
