"""The second look: whether any identifier that the vault knows stands in what station 2 put out.

Belongs here: which bytes are scanned against which values, and the record of a scan that certificates rest on. The
scanner shares nothing with the cleaner (`deid.proof.residual`). What lies around the data is
`stages.second_look.surroundings`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby

import pyarrow as pa

from deid.policy import load_policy
from deid.proof.residual import Scanner
from deid.text.identifiers import Identifiers
from lake.engines.engine import engine
from lake.zones import Lake
from schemas.contract import Zone
from schemas.tables import DIAGNOSES, IDENTIFIERS, INSTANCES, LABELS, REPORTS
from stages.second_look.pixel_text import shown, suspicious

SCANS = "scans"
"""Folder of the audit zone where the newest scan of each delivery is recorded."""

Shown = Callable[[Sequence[bytes], Identifiers], Sequence[str]]
"""From a series' files to the kinds of text that their pixels still show; see `stages.second_look.pixel_text`."""

REMEDY = (
    "add a rule for the element that the decisions name, or rename what tells a person outside the restricted zone, "
    "and run the delivery again"
)
"""What a person does about a finding, which blocks its delivery."""

_FINDINGS = pa.schema(
    [
        pa.field("kind", pa.string()),
        pa.field("where", pa.string()),
        pa.field("instance", pa.string()),
        pa.field("count", pa.int64()),
    ]
)
_UNIT = pa.schema([pa.field("file", pa.string())])
_SAID = {
    LABELS: ("task", "scheme", "coding", "provenance"),
    DIAGNOSES: ("name", "value", "unit", "scheme", "code", "meaning", "provenance"),
}
"""Columns of labels and diagnoses that hold words; the others are numbers and pseudonyms."""


@dataclass(frozen=True)
class Residue:
    """What a scan found.

    Attributes:
        values: identifying values that were looked for.
        bytes: bytes that were read.
        findings: hits by kind of identifier and place; never a value.
        examples: pseudonymous ids where hits are, a few.
    """

    values: int
    bytes: int
    findings: Mapping[str, int]
    examples: tuple[str, ...]

    def facts(self) -> dict[str, int | str]:
        """As metadata."""
        hits = {f"found_{name}": number for name, number in sorted(self.findings.items())}
        where = {"look_at": ", ".join(self.examples)} if self.examples else {}
        remedy = {"remedy": REMEDY} if hits else {}
        return {
            "values_looked_for": self.values,
            "bytes_read": self.bytes,
            "findings": sum(hits.values()),
            **hits,
            **where,
            **remedy,
        }

    def __add__(self, other: "Residue") -> "Residue":
        """What both scans found; the same values were looked for."""
        return Residue(
            max(self.values, other.values),
            self.bytes + other.bytes,
            dict(Counter(self.findings) + Counter(other.findings)),
            tuple(sorted({*self.examples, *other.examples})[:5]),
        )


def scan(lake: Lake, delivery: str, read: Shown = shown) -> Residue:
    """Scan the de-identified files of a delivery for every identifying value of the whole delivery.

    Args:
        lake: the lake.
        delivery: which delivery.
        read: reads the text in the pixels of suspicious series; a function that processes can share.
    """
    files = lake.table(INSTANCES).names({"delivery": delivery})
    units = [pa.RecordBatch.from_pylist([{"file": file}], _UNIT) for file in files]
    work = partial(_scan_unit, lake=lake, delivery=delivery, suspects=suspicious(lake, delivery), read=read)
    findings: Counter[str] = Counter()
    examples: list[str] = []
    size = 0
    for batch in engine(lake.settings).map(work, units):
        for row in batch.to_pylist():
            if not row["kind"]:
                size += row["count"]
                continue
            findings[f"{row['kind']} in {row['where']}"] += row["count"]
            examples.append(row["instance"])
    values = lake.table(IDENTIFIERS).read(["kind"], {"delivery": delivery}).num_rows
    return Residue(values, size, findings, tuple(sorted(set(examples))[:5]))


def scan_reports(lake: Lake, delivery: str) -> Residue:
    """Scan the text of a delivery's reports."""
    scanner = scanner_of(lake, delivery)
    findings: Counter[str] = Counter()
    examples: list[str] = []
    rows = lake.table(REPORTS).rows(["report", "text"], {"delivery": delivery})
    for row in rows:
        for finding in scanner.scan(row["text"], "text"):
            findings[f"{finding.kind} in {finding.where}"] += finding.count
            examples.append(row["report"])
    values = lake.table(IDENTIFIERS).read(["kind"], {"delivery": delivery}).num_rows
    return Residue(values, sum(len(row["text"]) for row in rows), findings, tuple(sorted(set(examples))[:5]))


def scan_labels(lake: Lake, delivery: str) -> Residue:
    """Scan the names, codes and provenance of a delivery's label maps and diagnoses."""
    scanner = scanner_of(lake, delivery)
    findings: Counter[str] = Counter()
    examples: list[str] = []
    size = 0
    for table, columns in _SAID.items():
        key = table.key[-1]
        for row in lake.table(table).rows([key, *columns], {"delivery": delivery}):
            text = "\n".join(row[name] for name in columns if row[name])
            size += len(text)
            for finding in scanner.scan(text, "text"):
                findings[f"{finding.kind} in {table.name}"] += finding.count
                examples.append(row[key])
    values = lake.table(IDENTIFIERS).read(["kind"], {"delivery": delivery}).num_rows
    return Residue(values, size, findings, tuple(sorted(set(examples))[:5]))


def keep(lake: Lake, delivery: str, residue: Residue) -> None:
    """Record what a scan of a delivery found, bound to the files that it read."""
    said = asdict(residue) | {"delivery": delivery, "files_sha256": _files(lake, delivery)}
    lake.location(Zone.AUDIT, SCANS).write_bytes(f"{delivery}.json", json.dumps(said, sort_keys=True).encode())


def kept(lake: Lake, delivery: str) -> Residue | None:
    """The recorded scan of a delivery's files as they are now; None where these files were not scanned."""
    location = lake.location(Zone.AUDIT, SCANS)
    if not location.exists(f"{delivery}.json"):
        return None
    said = json.loads(location.read_bytes(f"{delivery}.json"))
    if said["files_sha256"] != _files(lake, delivery):
        return None
    return Residue(said["values"], said["bytes"], said["findings"], tuple(said["examples"]))


def _files(lake: Lake, delivery: str) -> str:
    """Digest of the names of the part files; each run writes files of new names and never changes one."""
    names = sorted(file.rpartition("/")[2] for file in lake.table(INSTANCES).names({"delivery": delivery}))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _scan_unit(
    unit: pa.RecordBatch, lake: Lake, delivery: str, suspects: frozenset[str], read: Shown
) -> pa.RecordBatch:
    scanner = scanner_of(lake, delivery)
    rows: list[dict[str, object]] = []
    for file in unit["file"].to_pylist():
        # files of a series stand together in a part file
        for series, group in groupby(_instances(lake, file), key=lambda found: found[0]):
            kept: list[bytes] = []
            for _, instance, data in group:
                rows.append({"kind": "", "where": "", "instance": instance, "count": len(data)})
                rows.extend(
                    {"kind": finding.kind, "where": finding.where, "instance": instance, "count": finding.count}
                    for finding in scanner.scan(data, "header")
                )
                if series in suspects:
                    kept.append(data)
            if kept:
                kinds = read(kept, Identifiers.of(_pairs(lake, delivery)))
                rows.extend({"kind": k, "where": "text in pixels", "instance": series, "count": 1} for k in kinds)
    return pa.RecordBatch.from_pylist(rows, _FINDINGS)


def _instances(lake: Lake, file: str) -> Iterator[tuple[str, str, bytes]]:
    columns = ["series", "instance", "dicom"]
    with lake.table(INSTANCES).source.parquet(file) as parquet:
        for group in range(parquet.metadata.num_row_groups):
            rows = parquet.read_row_group(group, columns=columns)
            yield from zip(*(rows[name].to_pylist() for name in columns), strict=True)


def _pairs(lake: Lake, delivery: str) -> set[tuple[str, str]]:
    rows = lake.table(IDENTIFIERS).read(["kind", "value"], {"delivery": delivery}).to_pylist()
    return {(row["kind"], row["value"]) for row in rows}


def scanner_of(lake: Lake, delivery: str) -> Scanner:
    """The search for every identifying value of a delivery, under the configured policy."""
    return Scanner(_pairs(lake, delivery), load_policy(lake.settings.policy).dates)
