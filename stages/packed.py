"""Series as they lie in `curated/instances`: the unit of work of the stations that come after de-identification.

Belongs here: part files as units, and their series with headers read. Each part file holds whole series. Objects that
become no volume (reports, segmentations, captures and so on, `deid.headers.objects`) are instances and no series of
images; a series of nothing else has no row in `curated/series`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pyarrow as pa

from deid.headers.objects import becomes_volume
from imaging.errors import ImagingError
from imaging.headers.header import Header
from imaging.headers.headers import HeaderReader
from imaging.volumes.series import SeriesPlan, plan
from lake.zones import Lake
from schemas.reasons import Reason
from schemas.tables import INSTANCES, RECEIVED
from stages.standing import Key, basis, standing
from stages.versions import neighbours

UNIT = pa.schema([pa.field("kind", pa.string()), pa.field("file", pa.string()), pa.field("row", pa.string())])
"""A part file of instances (`kind` dicom, `row` the series in it that are treated apart), a series that came in several
deliveries (`kind` joined, `row` which instances of each), or a received NIfTI image (`kind` nifti, `row` its keys)."""

_KEYS = ("subject", "study", "series", "licence", "policy")
_COLUMNS = [*_KEYS, "instance", "instance_number", "version", "sop_class", "dicom"]


@dataclass(frozen=True)
class Series:
    """One series: of a part file, or put together from several deliveries.

    Attributes:
        keys: subject, study, series, licence and policy, of the delivery that is treated where they differ.
        instances: pseudonymous SOP Instance UIDs of the instances whose header can be read.
        files: their bytes.
        headers: their headers.
        plan: the volumes they make.
        broken: instances of the delivery that is treated whose header cannot be read, with the reason.
        deliveries: of each instance, the delivery that keeps it.
        policies: of each instance, the policy that treated it.
        licences: licences of all.
        basis: digest of the versions of all, see `stages.standing`.
    """

    keys: dict[str, str]
    instances: list[str]
    files: list[bytes]
    headers: list[Header]
    plan: SeriesPlan
    broken: list[tuple[str, Reason]]
    deliveries: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    licences: list[str] = field(default_factory=list)
    basis: str = ""


def dicom_units(lake: Lake, delivery: str) -> list[pa.RecordBatch]:
    """A unit for each part file of a delivery's instances, and for each series that other deliveries share with it.

    Raises:
        TableMissing: if nothing was de-identified yet.
    """
    files = lake.table(INSTANCES).names({"delivery": delivery})
    shared = _shared(lake, delivery)
    skipped = json.dumps(sorted(series for _, series in shared))
    units = [{"kind": "dicom", "file": file, "row": skipped} for file in files]
    for (subject, series), members in sorted(shared.items()):
        if members:
            row = {"subject": subject, "series": series, "members": members, "delivery": delivery}
            units.append({"kind": "joined", "file": "", "row": json.dumps(row)})
    return [pa.RecordBatch.from_pylist([unit], UNIT) for unit in units]


def _shared(lake: Lake, delivery: str) -> dict[Key, dict[str, list[str]]]:
    """Series that are not this delivery's alone, each with the instances that count by the delivery that keeps them."""
    near = neighbours(lake, delivery)
    if not near:
        return {}
    now = standing(lake, [delivery, *near])
    counting = now.counting()
    own = Counter((row["subject"], row["series"]) for row in now.rows if row["delivery"] == delivery)
    found: dict[Key, dict[str, list[str]]] = {}
    for key in now.touched(delivery):
        rows = counting.get(key, [])
        if {row["delivery"] for row in rows} == {delivery} and len(rows) == own[key]:
            continue
        found[key] = {}
        for row in rows:
            found[key].setdefault(row["delivery"], []).append(row["instance"])
    return found


def received(lake: Lake, delivery: str, content: str) -> list[dict[str, Any]]:
    """Kept files of a kind of content, in the order of their paths."""
    rows = lake.table(RECEIVED).rows(None, {"delivery": delivery})
    kept = [row for row in rows if row["content"] == content and row["outcome"] == "kept"]
    return sorted(kept, key=lambda row: str(row["path"]))


def series_of(lake: Lake, unit: Mapping[str, str], delivery: str) -> Iterator[Series]:
    """The series of a unit of a delivery, one at a time, so that memory holds one.

    Args:
        lake: the lake.
        unit: row of a unit of kind dicom or joined.
        delivery: the delivery that is treated.
    """
    if unit["kind"] == "joined":
        rows = _joined(lake, json.loads(unit["row"]), delivery)
        if rows:
            yield _series(rows, delivery)
        return
    skipped = set(json.loads(unit["row"]))
    parquet = lake.table(INSTANCES).source.parquet(unit["file"])
    batches = (
        row | {"delivery": delivery}
        for batch in parquet.iter_batches(64, columns=_COLUMNS)
        for row in batch.to_pylist()
        if becomes_volume(row["sop_class"]) and row["series"] not in skipped
    )
    for _, group in groupby(batches, key=lambda row: (row["subject"], row["series"])):
        yield _series(list(group), delivery)


def _joined(lake: Lake, unit: Mapping[str, Any], delivery: str) -> list[dict[str, Any]]:
    """Rows of a series that several deliveries keep, those of the treated one first; only its row groups are read."""
    table, found = lake.table(INSTANCES), []
    for keeper in sorted(unit["members"], key=lambda name: (name != delivery, name)):
        wanted = set(unit["members"][keeper])
        for file in table.names({"delivery": keeper}):
            with table.source.parquet(file) as parquet:
                for group in range(parquet.metadata.num_row_groups):
                    names = parquet.read_row_group(group, columns=["instance"])["instance"].to_pylist()
                    if wanted.isdisjoint(names):
                        continue
                    rows = parquet.read_row_group(group, columns=_COLUMNS).to_pylist()
                    found += [row | {"delivery": keeper} for row in rows if row["instance"] in wanted]
    return found


def _series(rows: list[dict[str, Any]], delivery: str) -> Series:
    keys = {name: rows[0][name] for name in _KEYS}
    # a part file that is older than the column has none
    versions = basis((row["instance"], row.get("version")) for row in rows)
    # as a series lies in one delivery, whatever the deliveries were
    rows.sort(key=lambda row: (row["instance_number"] or 0, row["instance"]))
    read, broken = list[tuple[dict[str, Any], Header]](), []
    reader = HeaderReader()
    for row in rows:
        try:
            read.append((row, reader.read(row["dicom"])))
        except ImagingError as error:
            if row["delivery"] == delivery:
                broken.append((row["instance"], error.reason))
    headers = [header for _, header in read]
    return Series(
        keys,
        [row["instance"] for row, _ in read],
        [row["dicom"] for row, _ in read],
        headers,
        plan(headers),
        broken,
        [row["delivery"] for row, _ in read],
        [row["policy"] for row, _ in read],
        sorted({row["licence"] for row in rows}),
        versions,
    )
