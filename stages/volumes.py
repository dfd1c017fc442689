"""Station 3b, `volumes`: series as normalized volumes, voxels in the Delta payload.

Belongs here: from a series to rows of `curated/volumes`. Slices become a volume in `imaging`, a volume becomes bytes in
`lake.voxels.payload`.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from imaging.errors import ImagingError
from imaging.kinds.classify import classify
from imaging.kinds.rules import RuleBook, load_rules
from imaging.pictures.preview import preview
from imaging.quality.quality import quality
from imaging.volumes.normalize import assemble
from imaging.volumes.order import x_fastest
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import VolumePlan
from imaging.volumes.statistics import statistics
from imaging.volumes.volume import Volume
from lake.tables.written import Written
from lake.voxels import payload
from lake.zones import Lake
from lineage.ledger.events import EventType
from schemas.tables import INSTANCES, QUARANTINE, VOLUMES
from stages import nifti
from stages.identity import open_vault
from stages.packed import Series, dicom_units, series_of
from stages.station import Outcome, Report, commit, held, located, recorded, silent, work_off

_PREVIEWS = 4
"""Pictures that a materialization shows: one a contrast, enough to see orientation and intensities."""


def normalize(lake: Lake, delivery: str, report: Report = silent) -> Outcome:
    """Make the volumes of a delivery.

    Raises:
        TableMissing: if nothing was de-identified yet.
        DocumentError: if the document of classification rules cannot be used.
    """
    rules = load_rules(lake.settings.classification_rules)
    units = [*dicom_units(lake, delivery), *nifti.nifti_units(lake, delivery)]
    key = open_vault(lake).derived(b"pixel digest")
    written = work_off(lake, partial(normalize_unit, lake=lake, delivery=delivery, key=key), units, report)
    located(lake, delivery, written)
    versions = commit(lake, "volumes", delivery, written, [VOLUMES])
    reasons = Counter(str(row["reason"]) for row in written.rows(QUARANTINE))
    outcome = Outcome(
        VOLUMES.path,
        versions[VOLUMES.path],
        written.count(VOLUMES),
        quarantined=sum(reasons.values()),
        details={
            "bytes": sum(part.bytes for part in written.parts if part.table == VOLUMES.path),
            "instances": lake.table(INSTANCES).read(["instance"], {"delivery": delivery}).num_rows,
            **{f"held_{reason}": number for reason, number in sorted(reasons.items())},
        },
    )
    facts = {"reasons": dict(reasons), "digests": rules.digests}
    return recorded(lake, EventType.MATERIALIZED, "volumes", delivery, outcome, **facts)


def previews(lake: Lake, delivery: str) -> list[tuple[str, bytes]]:
    """A picture of the first volume of each of a few contrasts."""
    rows = lake.table(VOLUMES).rows(["contrast", "body_part", "volume", "preview"], {"delivery": delivery})
    first: dict[str, bytes] = {}
    for row in sorted(rows, key=lambda row: str(row["volume"])):
        if row["preview"]:
            first.setdefault(f"{row['body_part']}, {row['contrast']}", row["preview"])
    return sorted(first.items())[:_PREVIEWS]


def normalize_unit(unit: pa.RecordBatch, lake: Lake, delivery: str, key: bytes) -> pa.RecordBatch:
    """Make the volumes of a unit and write them as one part file."""
    rules = load_rules(lake.settings.classification_rules)
    written = Written()
    rows: list[dict[str, Any]] = []
    for item in unit.to_pylist():
        if item["kind"] == "nifti":
            rows.extend(_of_nifti(lake, delivery, item, key, written))
            continue
        for series in series_of(lake, item, delivery):
            rows.extend(_of_series(series, delivery, key, rules, written))
    if rows:
        rows.sort(key=lambda row: (row["subject"], row["series"], row["volume"]))
        written.parts.append(lake.table(VOLUMES).write(rows, {"delivery": delivery}))
    return written.batch()


def _of_series(
    series: Series, delivery: str, key: bytes, rules: RuleBook, written: Written
) -> Iterator[dict[str, Any]]:
    """Rows of a series' volumes; what cannot become one is handed over for quarantine."""
    rejected = [held("volumes", reason, instance=instance) for instance, reason in series.broken]
    used = {index for planned in series.plan.volumes for index in planned.members}
    # a multi-frame instance of which some frames are in a volume is not held back as a whole
    left_out = [r for r in series.plan.rejected if r.index not in used]
    # what another delivery keeps is held there, where it was treated on its own
    own = [place == delivery for place in series.deliveries]
    rejected += [held("volumes", r.reason, instance=series.instances[r.index]) for r in left_out if own[r.index]]
    if series.plan.volumes:
        judged = classify(series.headers, rules).values
    for number, planned in enumerate(series.plan.volumes):
        try:
            volume = assemble(planned, lambda i: stored_pixels(series.files[i], series.headers[i]))
        except ImagingError as error:
            members = [series.instances[i] for i in planned.members if own[i]]
            rejected += [held("volumes", error.reason, instance=instance) for instance in members]
            continue
        name = volume_id(delivery, series.keys["series"], number)
        told = judged | {"contrast": contrast_of(series, planned, judged["contrast"], rules)}
        yield _row(volume, name, series.keys, told, key) | _sources(series, planned)
    written.hand(QUARANTINE, rejected)


def contrast_of(series: Series, planned: VolumePlan, judged: str, rules: RuleBook) -> str:
    """Contrast of a volume: its series', or where that has none, as with echoes of two weightings, its own."""
    if judged != "unknown" or len(series.plan.volumes) == 1:
        return judged
    places = {(int(i), int(k)) for i, k in zip(planned.instances.flat, planned.frames.flat, strict=True) if i >= 0}
    headers = [header.planes[k] if header.planes else header for i, k in places for header in (series.headers[i],)]
    return classify(headers, rules).contrast.value


def _sources(series: Series, planned: VolumePlan) -> dict[str, Any]:
    members = planned.members
    return {
        "instances": len(members),
        "sources": [series.instances[index] for index in members],
        "source_deliveries": [series.deliveries[index] for index in members],
        "source_policies": [series.policies[index] for index in members],
        "licences": series.licences,
        "basis": series.basis,
    }


def _of_nifti(
    lake: Lake, delivery: str, unit: dict[str, Any], key: bytes, written: Written
) -> Iterator[dict[str, Any]]:
    keys = nifti.keys(unit)
    try:
        volume = nifti.read(lake, delivery, unit)
    except ImagingError as error:
        written.hand(QUARANTINE, [held("volumes", error.reason, unit["file"], nifti.digest(unit))])
        return
    judged = nifti.stated(lake, delivery, unit)
    yield _row(volume, volume_id(delivery, keys["series"], 0), keys, judged, key) | {
        "instances": 0,
        "sources": [],
        "licences": [keys["licence"]],
    }


def volume_id(delivery: str, series: str, number: int) -> str:
    """Name of a volume: the same in every run, another one in every delivery that brings the series."""
    return hashlib.sha256(f"{delivery}/{series}/{number}".encode()).hexdigest()[:20]


def _row(volume: Volume, name: str, keys: dict[str, str], judged: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    numbers = statistics(volume)
    frame = payload.encode(volume.array)

    def listed(values: Any) -> list[float] | None:
        return None if values is None else np.asarray(values, dtype=np.float64).ravel().tolist()

    return {
        **keys,
        "volume": name,
        "kind": volume.kind,
        "contrast": judged["contrast"],
        "body_part": judged["body_part"],
        "part": volume.part,
        "shape": list(volume.shape),
        "affine": listed(volume.affine),
        "spacing": list(volume.spacing),
        "tilt": volume.tilt,
        "gap": volume.gap,
        "dtype": str(volume.array.dtype),
        "slope": volume.slope,
        "intercept": volume.intercept,
        "bvals": listed(volume.bvals),
        "bvecs": listed(volume.bvecs),
        "times": listed(volume.times),
        **asdict(volume.acquisition),
        "percentiles": listed(numbers.percentiles),
        "mean": numbers.mean,
        "std": numbers.std,
        **asdict(quality(volume, numbers)),
        "occupancy": numbers.occupancy,
        "missing_slices": list(volume.missing_slices),
        "missing_axis": volume.missing_axis,
        # a plain hash of released pixels could be matched with one of the original (PS3.15 E.3.9, note 3)
        "pixel_digest": hmac.new(key, x_fastest(volume.array).T.data, hashlib.sha256).hexdigest(),
        "preview": preview(volume, numbers),
        "voxels_bytes": len(frame),
        "voxels": frame,
    }
