"""Station 3a, `series`: what each series is, its geometry, what is missing.

Belongs here: from headers to rows of `curated/series`. How a series is judged is `imaging.kinds.classify`.
"""

from collections import Counter
from functools import partial
from typing import Any

import pyarrow as pa

from imaging.kinds.classify import classify
from imaging.kinds.rules import RuleBook, load_rules
from imaging.volumes.geometry import canonical, spacing_of
from lake.tables.written import Written
from lake.zones import Lake
from lineage.ledger.events import EventType
from schemas.tables import SERIES
from stages.nifti import nifti_units, series_row
from stages.packed import Series, dicom_units, series_of
from stages.quality import with_quality
from stages.station import Outcome, Report, commit, recorded, silent, work_off

_OLDEST = 90
"""Ages above 89 are one class (45 CFR 164.514(b)(2)(i)(C))."""


def describe(lake: Lake, delivery: str, report: Report = silent) -> Outcome:
    """Describe every series of a delivery.

    Raises:
        TableMissing: if nothing was de-identified yet.
        DocumentError: if the document of classification rules cannot be used.
    """
    rules = load_rules(lake.settings.classification_rules)
    units = [*dicom_units(lake, delivery), *nifti_units(lake, delivery)]
    described = work_off(lake, partial(describe_unit, lake=lake, delivery=delivery), units, report).rows(SERIES)
    rows = with_quality(lake, delivery, described)
    written = Written()
    written.hand(SERIES, rows)
    versions = commit(lake, "series", delivery, written, [SERIES], quarantine=False)
    details = {
        **{f"contrast_{name}": n for name, n in sorted(Counter(str(r["contrast"]) for r in rows).items())},
        "missing_slices": sum(int(str(row["missing_slices"])) for row in rows),
        "flagged": sum(bool(row["quality_flags"]) for row in rows),
        "joined_series": sum(unit["kind"][0].as_py() == "joined" for unit in units),
    }
    outcome = Outcome(SERIES.path, versions[SERIES.path], len(rows), details=details)
    return recorded(lake, EventType.MATERIALIZED, "series", delivery, outcome, digests=rules.digests)


def describe_unit(unit: pa.RecordBatch, lake: Lake, delivery: str) -> pa.RecordBatch:
    """Describe the series of a unit."""
    rules = load_rules(lake.settings.classification_rules)
    written = Written()
    for row in unit.to_pylist():
        if row["kind"] == "nifti":
            written.hand(SERIES, series_row(lake, delivery, row))
        else:
            written.hand(SERIES, [_row(series, rules) for series in series_of(lake, row, delivery) if series.headers])
    return written.batch()


def _row(series: Series, rules: RuleBook) -> dict[str, Any]:
    headers = series.headers
    judged = classify(headers, rules)
    first = headers[0]
    volumes = series.plan.volumes
    shape = spacing = None
    if volumes:
        steps, depth = volumes[0].instances.shape
        moved = canonical(volumes[0].affine, (volumes[0].columns, volumes[0].rows, depth))
        shape = [*moved.shape, steps] if steps > 1 else list(moved.shape)
        spacing = list(spacing_of(moved.affine))
    return {
        **series.keys,
        **judged.values,
        "evidence": judged.evidence,
        "confidence": judged.contrast.confidence,
        "description": first.series_description or None,
        "manufacturer": first.manufacturer or None,
        "model": first.model or None,
        "field_strength": first.field_strength,
        "echo_time": first.echo_time,
        "repetition_time": first.repetition_time,
        "inversion_time": first.inversion_time,
        "flip_angle": first.flip_angle,
        "sex": first.sex or None,
        "age": None if first.age is None else min(first.age, _OLDEST),
        "instances": len(headers) + len(series.broken),
        "volumes": len(volumes),
        "shape": shape,
        "spacing": spacing,
        "missing_slices": sum(len(volume.missing) for volume in volumes),
    }
