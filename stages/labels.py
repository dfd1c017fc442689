"""Station 4b, `labels`: segmentations and outlined structures, mapped onto volumes by reference, key and geometry.

Belongs here: rows of `curated/labels`. Which volumes come into question is `stages.label_images`, whether a label fits
one is `imaging.labels.labels` and `imaging.labels.drawings`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.labels import labels as grids
from imaging.labels import segmentations, structures
from imaging.labels.drawings import Drawing, Painted, paint, with_values
from imaging.labels.labels import LabelMap
from imaging.nifti import nifti
from lake.tables.written import Written
from lake.voxels import payload
from lake.zones import Lake
from lineage.ledger.events import EventType
from schemas.delivery import MANIFEST_NAME, Delivery
from schemas.document import canonical_json
from schemas.reasons import Reason
from schemas.tables import INSTANCES, LABELS, QUARANTINE, VOLUMES
from stages.intake.landed import manifest_of
from stages.label_images import Images, grid_of
from stages.packed import received
from stages.station import Outcome, Report, commit, held, located, recorded, silent, unit_bytes, work_off

OBJECTS = segmentations.SOP_CLASSES | {structures.SOP_CLASS}
"""SOP classes of objects that become labels."""

_UNIT = pa.schema([pa.field("kind", pa.string()), pa.field("row", pa.string())])
"""A label map as delivered (`kind` nifti, `row` its received row), or a part file with objects (`kind` dicom)."""

_KEYS = ("subject", "study", "series", "volume")

Row = dict[str, Any]


def map_labels(lake: Lake, delivery: str, report: Report = silent) -> Outcome:
    """Map a delivery's label maps, segmentations and structure sets onto volumes.

    Raises:
        TableMissing: if its volumes were not made yet.
    """
    lake.table(VOLUMES).read(["volume"], {"delivery": delivery})
    work = partial(map_unit, lake=lake, delivery=delivery)
    written = work_off(lake, work, list(_units(lake, delivery)), silent)
    located(lake, delivery, written)
    number = written.count(LABELS)
    report(f"{number} label maps fit a volume")
    versions = commit(lake, "labels", delivery, written, [LABELS])
    reasons = Counter(str(row["reason"]) for row in written.rows(QUARANTINE))
    details = {f"held_{reason}": count for reason, count in sorted(reasons.items())}
    outcome = Outcome(LABELS.path, versions[LABELS.path], number, quarantined=sum(reasons.values()), details=details)
    return recorded(lake, EventType.MATERIALIZED, "labels", delivery, outcome, reasons=dict(reasons))


def _units(lake: Lake, delivery: str) -> Iterator[pa.RecordBatch]:
    """Labels up to a size a unit, so that few small ones need no other process."""
    items = [
        (
            "nifti",
            {name: row[name] for name in (*_KEYS[:3], "path", "sha256", "licence", "series_uid", "study_uid")},
            row["bytes"],
        )
        for row in received(lake, delivery, "label")
    ]
    table = lake.table(INSTANCES)
    for file in table.names({"delivery": delivery}):
        rows = table.source.parquet(file).read(columns=["sop_class", "dicom_bytes"]).to_pylist()
        if size := sum(row["dicom_bytes"] for row in rows if row["sop_class"] in OBJECTS):
            items.append(("dicom", {"file": file}, size))
    target = unit_bytes(lake, sum(size for _, _, size in items))
    unit: list[dict[str, str]] = []
    filled = 0
    for kind, row, size in items:
        if unit and filled + size > target:
            yield pa.RecordBatch.from_pylist(unit, _UNIT)
            unit, filled = [], 0
        unit.append({"kind": kind, "row": json.dumps(row)})
        filled += size
    if unit:
        yield pa.RecordBatch.from_pylist(unit, _UNIT)


def map_unit(unit: pa.RecordBatch, lake: Lake, delivery: str) -> pa.RecordBatch:
    """Map the labels of a unit and write them as one part file."""
    manifest = manifest_of(lake, delivery)
    images, written = Images(lake, delivery), Written()
    rows: list[Row] = []
    for item in unit.to_pylist():
        row = json.loads(item["row"])
        if item["kind"] == "nifti":
            try:
                data = lake.landed(delivery).read_bytes(row["path"])
                rows.append(_of_nifti(data, row, manifest, images))
            except ImagingError as error:
                written.hand(QUARANTINE, [held("labels", _reason(error), row["path"], row["sha256"])])
            continue
        for found in _objects(lake, row["file"]):
            try:
                rows.extend(_of_object(found, manifest, images))
            except ImagingError as error:
                written.hand(QUARANTINE, [held("labels", error.reason, instance=found["instance"])])
    if rows:
        rows.sort(key=lambda row: (row["subject"], row["label"]))
        written.parts.append(lake.table(LABELS).write(rows, {"delivery": delivery}))
    return written.batch()


def _reason(error: ImagingError) -> Reason:
    known = (Reason.UNREADABLE, Reason.LABEL_UNMATCHED)
    return error.reason if error.reason in known else Reason.LABEL_MISFIT


def _objects(lake: Lake, file: str) -> Iterator[Row]:
    """Objects of a part file that become labels; only row groups that hold one are read."""
    columns = [*_KEYS[:3], "instance", "sop_class", "licence", "dicom"]
    with lake.table(INSTANCES).source.parquet(file) as parquet:
        for group in range(parquet.metadata.num_row_groups):
            classes = parquet.read_row_group(group, columns=["sop_class"])["sop_class"].to_pylist()
            wanted = [place for place, sop_class in enumerate(classes) if sop_class in OBJECTS]
            if wanted:
                yield from parquet.read_row_group(group, columns=columns).take(wanted).to_pylist()


def _of_nifti(data: bytes, row: Row, manifest: Delivery, images: Images) -> Row:
    label = nifti.read(data)
    column = next((name for name in ("series", "study") if row[f"{name}_uid"]), "subject")
    candidates = images.keyed(row["subject"], column, row[column]) if row["subject"] else []
    if not candidates:
        raise _unmatched()
    fitting = grids.fit(label, [(c["volume"], np.array(c["affine"]).reshape(4, 4), c["shape"]) for c in candidates])
    volume = next(c for c in candidates if c["volume"] == fitting)
    mapped = grids.label_map(label)
    if unknown := set(mapped.counts) - set(manifest.label_scheme):
        raise ImagingError(
            Reason.LABEL_MISFIT,
            f"found {len(unknown)} label values without a meaning, needed all in label_scheme of {MANIFEST_NAME}",
        )
    said = {"delivered_as": "NIfTI", "mapped_by": f"{'patient' if column == 'subject' else column} and grid"}
    return _row(volume, mapped, row["licence"], label.affine) | {
        "label": _id(volume["volume"], manifest.label_task, row["sha256"]),
        "task": manifest.label_task,
        "scheme": _keyed(manifest.label_scheme),
        "coding": _keyed({v: {"type": coding.model_dump()} for v, coding in manifest.label_coding.items()}),
        "source": None,
        "provenance": canonical_json(said | _elsewhere(volume, images)),
    }


def _of_object(found: Row, manifest: Delivery, images: Images) -> list[Row]:
    """Rows of a segmentation or structure set: all of them, or none where anything of it does not fit."""
    sets = found["sop_class"] == structures.SOP_CLASS
    drawing: Drawing = structures.read(found["dicom"]) if sets else segmentations.read(found["dicom"])
    volume, how = _fitting(drawing, found, images)
    task = manifest.label_task or ("structure-set" if sets else "segmentation")
    values = _declared(drawing, manifest)
    said = {**drawing.notes, "mapped_by": how, **_elsewhere(volume, images)}
    painted = list(paint(drawing, grid_of(volume)))
    rows = []
    for one in painted:
        # where regions overlap, each has a map and a task of its own, which a release can ask for
        alone = f".{one.regions[0].number}" if len(painted) > 1 else ""
        rows.append(
            _row(volume, with_values(one.map, values), found["licence"], np.array(volume["affine"]))
            | _named(one, values)
            | {
                "label": _id(volume["volume"], task + alone, found["instance"]),
                "task": task + alone,
                "source": found["instance"],
                "provenance": canonical_json(said | _made(one, values, volume)),
            }
        )
    return rows


def _fitting(drawing: Drawing, found: Row, images: Images) -> tuple[Row, str]:
    """The first volume that an object fits, and how it was found.

    Raises:
        ImagingError: LABEL_UNMATCHED where none comes into question, LABEL_MISFIT where it lies on none of them.
    """
    misfit: ImagingError | None = None
    for volume, how in images.drawn_on(drawing, found["subject"], found["study"]):
        try:
            drawing.require(grid_of(volume))
        except ImagingError as error:
            misfit = misfit or error
        else:
            return volume, how
    raise misfit or _unmatched()


def _declared(drawing: Drawing, manifest: Delivery) -> dict[int, int]:
    """Number of a region to the value that the delivery declares for its name; empty unless it does for all."""
    declared = {name.casefold(): value for value, name in manifest.label_scheme.items()}
    found = {r.number: declared[r.name.casefold()] for r in drawing.regions if r.name.casefold() in declared}
    return found if len(set(found.values())) == len(drawing.regions) else {}


def _named(painted: Painted, values: Mapping[int, int]) -> Row:
    """Names and codes of the values of a map."""
    regions = {values.get(region.number, region.number): region for region in painted.regions}
    scheme = {0: "background"} | {value: region.name for value, region in regions.items()}
    return {
        "scheme": _keyed(scheme),
        "coding": _keyed({value: region.coding for value, region in regions.items() if region.coding}),
    }


def _made(painted: Painted, values: Mapping[int, int], volume: Row) -> Row:
    """How the regions of a map were made, and how much of the volume they cover."""
    made = {str(values.get(region.number, region.number)): region.made for region in painted.regions if region.made}
    return {"algorithm_types": made, "slices_drawn": painted.slices, "voxels": volume["shape"][:3]}


def _elsewhere(volume: Row, images: Images) -> Row:
    return {} if volume["delivery"] == images.delivery else {"delivery_of_volume": volume["delivery"]}


def _row(volume: Row, mapped: LabelMap, licence: str, affine: NDArray[np.float64]) -> Row:
    """What rows of all labels have: keys of the volume, and the map."""
    frame = payload.encode(mapped.array)
    return {
        **{name: volume[name] for name in _KEYS},
        "shape": list(mapped.array.shape),
        "affine": np.asarray(affine, dtype=np.float64).ravel().tolist(),
        "counts": _keyed(mapped.counts),
        "licence": licence,
        "voxels_bytes": len(frame),
        "voxels": frame,
    }


def _keyed(values: Mapping[int, object]) -> str:
    """A JSON object of what belongs to each value, in the order of values."""
    return json.dumps({str(value): values[value] for value in sorted(values)}, ensure_ascii=False)


def _id(volume: str, task: str | None, source: str) -> str:
    return hashlib.sha256(f"{volume}/{task}/{source}".encode()).hexdigest()[:20]


def _unmatched() -> ImagingError:
    return ImagingError(Reason.LABEL_UNMATCHED, "found a label of no image in the lake, needed the image too")
