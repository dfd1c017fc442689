"""Series as they lie in `curated/instances`: the unit of work of the stations that come after de-identification.

Belongs here: part files as units, and their series with headers read. Each part file holds whole series. Objects that
become no volume (reports, segmentations, captures and so on, `deid.objects`) are instances and no series of images; a
series of nothing else has no row in `curated/series`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deid.objects import becomes_volume
from imaging.errors import ImagingError
from imaging.header import Header
from imaging.headers import HeaderReader
from imaging.series import SeriesPlan, plan
from lake.zones import Lake
from schemas.reasons import Reason
from schemas.tables import INSTANCES, RECEIVED

UNIT = pa.schema([pa.field("kind", pa.string()), pa.field("file", pa.string()), pa.field("row", pa.string())])
"""A part file of instances (`kind` dicom), or a received NIfTI image (`kind` nifti, `row` its keys as JSON)."""

_KEYS = ("subject", "study", "series", "licence", "policy")


@dataclass(frozen=True)
class Series:
    """One series of a part file.

    Attributes:
        keys: subject, study, series, licence and policy, the same for all its instances.
        instances: pseudonymous SOP Instance UIDs of the instances whose header can be read.
        files: their bytes.
        headers: their headers.
        plan: the volumes they make.
        broken: instances whose header cannot be read, with the reason.
    """

    keys: dict[str, str]
    instances: list[str]
    files: list[bytes]
    headers: list[Header]
    plan: SeriesPlan
    broken: list[tuple[str, Reason]]


def dicom_units(lake: Lake, delivery: str) -> list[pa.RecordBatch]:
    """A unit for each part file of a delivery's instances.

    Raises:
        TableMissing: if nothing was de-identified yet.
    """
    files = lake.table(INSTANCES).files({"delivery": delivery})
    return [pa.RecordBatch.from_pylist([{"kind": "dicom", "file": str(f), "row": "{}"}], UNIT) for f in files]


def received(lake: Lake, delivery: str, content: str) -> list[dict[str, Any]]:
    """Kept files of a kind of content, in the order of their paths."""
    rows = lake.table(RECEIVED).rows(None, {"delivery": delivery})
    kept = [row for row in rows if row["content"] == content and row["outcome"] == "kept"]
    return sorted(kept, key=lambda row: str(row["path"]))


def series_of(file: str) -> Iterator[Series]:
    """The series of a part file, one at a time, so that memory holds one."""
    rows = pq.ParquetFile(file)
    columns = [*_KEYS, "instance", "sop_class", "dicom"]
    batches = (
        row
        for batch in rows.iter_batches(64, columns=columns)
        for row in batch.to_pylist()
        if becomes_volume(row["sop_class"])
    )
    for _, group in groupby(batches, key=lambda row: (row["subject"], row["series"])):
        yield _series(list(group))


def _series(rows: list[dict[str, Any]]) -> Series:
    instances, files, headers, broken = [], [], [], []
    reader = HeaderReader()
    for row in rows:
        try:
            headers.append(reader.read(row["dicom"]))
        except ImagingError as error:
            broken.append((row["instance"], error.reason))
            continue
        instances.append(row["instance"])
        files.append(row["dicom"])
    keys = {name: rows[0][name] for name in _KEYS}
    return Series(keys, instances, files, headers, plan(headers), broken)
