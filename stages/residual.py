"""The second look: whether any identifier that the vault knows stands in what station 2 put out.

Belongs here: which bytes are scanned against which values. The scanner shares nothing with the cleaner
(`deid.residual`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from deid.policy import load_policy
from deid.residual import Scanner
from lake.engine import engine
from lake.zones import Lake
from schemas.tables import IDENTIFIERS, INSTANCES, REPORTS

_FINDINGS = pa.schema(
    [
        pa.field("kind", pa.string()),
        pa.field("where", pa.string()),
        pa.field("instance", pa.string()),
        pa.field("count", pa.int64()),
    ]
)
_UNIT = pa.schema([pa.field("file", pa.string())])


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
        return {
            "values_looked_for": self.values,
            "bytes_read": self.bytes,
            "findings": sum(hits.values()),
            **hits,
            **where,
        }


def scan(lake: Lake, delivery: str) -> Residue:
    """Scan the de-identified files of a delivery for every identifying value of the whole delivery."""
    files = lake.table(INSTANCES).files({"delivery": delivery})
    units = [pa.RecordBatch.from_pylist([{"file": str(file)}], _UNIT) for file in files]
    findings: Counter[str] = Counter()
    examples: list[str] = []
    size = 0
    for batch in engine(lake.settings).map(partial(_scan_unit, lake=lake, delivery=delivery), units):
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
    scanner = _scanner(lake, delivery)
    findings: Counter[str] = Counter()
    examples: list[str] = []
    rows = lake.table(REPORTS).rows(["report", "text"], {"delivery": delivery})
    for row in rows:
        for finding in scanner.scan(row["text"], "text"):
            findings[f"{finding.kind} in {finding.where}"] += finding.count
            examples.append(row["report"])
    values = lake.table(IDENTIFIERS).read(["kind"], {"delivery": delivery}).num_rows
    return Residue(values, sum(len(row["text"]) for row in rows), findings, tuple(sorted(set(examples))[:5]))


def _scan_unit(unit: pa.RecordBatch, lake: Lake, delivery: str) -> pa.RecordBatch:
    scanner = _scanner(lake, delivery)
    rows: list[dict[str, object]] = []
    for file in unit["file"].to_pylist():
        for instance, data in _instances(file):
            rows.append({"kind": "", "where": "", "instance": instance, "count": len(data)})
            rows.extend(
                {"kind": finding.kind, "where": finding.where, "instance": instance, "count": finding.count}
                for finding in scanner.scan(data, "header")
            )
    return pa.RecordBatch.from_pylist(rows, _FINDINGS)


def _instances(file: str) -> Iterator[tuple[str, bytes]]:
    with pq.ParquetFile(file) as parquet:
        for group in range(parquet.metadata.num_row_groups):
            rows = parquet.read_row_group(group, columns=["instance", "dicom"])
            yield from zip(rows["instance"].to_pylist(), rows["dicom"].to_pylist(), strict=True)


def _scanner(lake: Lake, delivery: str) -> Scanner:
    rows = lake.table(IDENTIFIERS).read(["kind", "value"], {"delivery": delivery}).to_pylist()
    return Scanner({(row["kind"], row["value"]) for row in rows}, load_policy(lake.settings.policy).dates)
