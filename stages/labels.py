"""Station 4b, `labels`: delivered segmentations, mapped onto the volumes of a delivery by geometry.

Belongs here: rows of `curated/labels`. Whether a label fits an image is `imaging.labels`.
"""

import hashlib
import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np

from imaging import labels as grids
from imaging import nifti
from imaging.errors import ImagingError
from lake import payload
from lake.written import Written
from lake.zones import Lake
from lineage.events import EventType
from schemas.delivery import MANIFEST_NAME, Delivery
from schemas.reasons import Reason
from schemas.tables import LABELS, QUARANTINE, RECEIVED, VOLUMES
from stages.packed import received
from stages.station import Outcome, Report, commit, held, recorded, silent


def map_labels(lake: Lake, delivery: str, report: Report = silent) -> Outcome:
    """Map a delivery's label maps onto its volumes.

    Raises:
        TableMissing: if its volumes were not made yet.
    """
    manifest = Delivery.read(lake.landing / delivery / MANIFEST_NAME)
    volumes = _by_series(lake, delivery)
    pseudonyms = _pseudonyms(lake, delivery)
    written = Written()
    rows = []
    for row in received(lake, delivery, "label"):
        try:
            candidates = volumes[pseudonyms.get(row["series_uid"], "")]
            rows.append(_row((lake.landing / delivery / row["path"]).read_bytes(), row, manifest, candidates))
        except ImagingError as error:
            reason = Reason.LABEL_MISFIT if error.reason is not Reason.UNREADABLE else error.reason
            written.hand(QUARANTINE, [held("labels", reason, row["path"], row["sha256"])])
    report(f"{len(rows)} label maps fit a volume")
    if rows:
        rows.sort(key=lambda row: (row["subject"], row["label"]))
        written.parts.append(lake.table(LABELS).write(rows, {"delivery": delivery}))
    versions = commit(lake, "labels", delivery, written, [LABELS])
    reasons = Counter(str(row["reason"]) for row in written.rows(QUARANTINE))
    outcome = Outcome(LABELS.path, versions[LABELS.path], len(rows), quarantined=sum(reasons.values()))
    return recorded(lake, EventType.MATERIALIZED, "labels", delivery, outcome, reasons=dict(reasons))


def _by_series(lake: Lake, delivery: str) -> dict[str, list[dict[str, Any]]]:
    columns = ["subject", "study", "series", "volume", "shape", "affine"]
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in lake.table(VOLUMES).read(columns, {"delivery": delivery}).to_pylist():
        found[row["series"]].append(row)
    return found


def _pseudonyms(lake: Lake, delivery: str) -> dict[str, str]:
    """Original Series Instance UID, or path of a NIfTI image, to the pseudonymous series."""
    rows = lake.table(RECEIVED).rows(["path", "content", "series_uid", "series"], {"delivery": delivery})
    named = {row["series_uid"]: row["series"] for row in rows if row["content"] == "dicom" and row["series_uid"]}
    return named | {row["path"]: row["series"] for row in rows if row["content"] == "nifti"}


def _row(
    data: bytes, received_row: dict[str, Any], manifest: Delivery, candidates: list[dict[str, Any]]
) -> dict[str, Any]:
    label = nifti.read(data)
    places = [(c["volume"], np.array(c["affine"]).reshape(4, 4), tuple(c["shape"])) for c in candidates]
    fitting = grids.fit(label, places)
    volume = next(c for c in candidates if c["volume"] == fitting)
    mapped = grids.label_map(label)
    if unknown := set(mapped.counts) - set(manifest.label_scheme):
        raise ImagingError(
            Reason.LABEL_MISFIT,
            f"found {len(unknown)} label values without a meaning, needed all in label_scheme of {MANIFEST_NAME}",
        )
    frame = payload.encode(mapped.array)
    digest = hashlib.sha256(f"{volume['volume']}/{manifest.label_task}/{received_row['sha256']}".encode()).hexdigest()
    return {
        **{name: volume[name] for name in ("subject", "study", "series", "volume")},
        "label": digest[:20],
        "task": manifest.label_task,
        "scheme": json.dumps({str(value): name for value, name in sorted(manifest.label_scheme.items())}),
        "provenance": "delivered as NIfTI",
        "shape": list(mapped.array.shape),
        "affine": np.asarray(label.affine, dtype=np.float64).ravel().tolist(),
        "counts": json.dumps({str(value): number for value, number in sorted(mapped.counts.items())}),
        "licence": received_row["licence"],
        "voxels_bytes": len(frame),
        "voxels": frame,
    }
