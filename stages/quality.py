"""Quality of series: the worst of their volumes, and what stands out among series of the same site and scanner.

Belongs here: comparing series. What a measure of a volume means is `imaging.quality.quality`. Scanners are told apart
by manufacturer, model and field strength alone, sites by licence; no station, serial number or person is looked at.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.tables.checkpoint import File
from lake.tables.keys import Holders
from lake.tables.rewrite import rows_of
from lake.zones import Lake
from schemas.tables import SERIES, VOLUMES

LEAST_SERIES = 8
"""Series below which a group says nothing of what is usual in it."""

DELIVERIES = 50
"""Deliveries of each model and of each maker with which a delivery is compared: some hundred series of each contrast in
a lake of any size, at a cost that does not grow with it."""

DEVIATIONS = 3.5
"""Robust standard deviations from the median, on the worse side, from which a measure stands out.

Source: B. Iglewicz, D. Hoaglin, How to Detect and Handle Outliers, ASQC, 1993.
"""

SATURATED = 0.005
"""Share of voxels at the largest value from which an image is clipped; images that are not have a few in a million."""

CUT = 0.3
"""Share of a head's largest cross-section at a side of the field of view from which the head is cut."""

HEADS = frozenset({"head", "brain"})
"""Body parts that a field of view is meant to hold; legs and trunks go on beyond it."""


@dataclass(frozen=True)
class Measure:
    """How a measure is compared.

    Attributes:
        name: its column.
        worse: 1 where higher is worse, -1 where lower is.
        least: smallest standard deviation that a group is taken to have, so that in a group of near equals nothing
            stands out; of the logarithm for a ratio.
        ratio: whether values are compared by their logarithm.
    """

    name: str
    worse: int
    least: float
    ratio: bool = False

    def placed(self, value: float) -> float:
        """The value on the scale on which it is compared, higher is worse."""
        return self.worse * (math.log(max(value, 1e-12)) if self.ratio else value)


MEASURES = (
    Measure("snr", -1, 0.1, ratio=True),
    Measure("snr_air", -1, 0.1, ratio=True),
    Measure("cnr", -1, 0.15, ratio=True),
    Measure("background_artifacts", 1, 0.01),
    Measure("fber", -1, 0.2, ratio=True),
    Measure("efc", 1, 0.015),
    Measure("ghosting", 1, 0.01),
    Measure("fwhm", 1, 0.1, ratio=True),
    Measure("cut_off", 1, 0.05),
    Measure("saturation", 1, 0.0005),
    Measure("bad_slices", 1, 1.0),
    Measure("tsnr", -1, 0.1, ratio=True),
    Measure("dvars", 1, 0.05, ratio=True),
    Measure("outliers", 1, 0.005),
    Measure("motion", 1, 0.1),
)

_COUNTS = ("empty_slices", "bad_slices")
_GROUP = ("licence", "manufacturer", "model", "field_strength", "contrast")
_WIDER = ("manufacturer", "contrast")

Row = Mapping[str, Any]
Values = NDArray[np.float64]


def with_quality(lake: Lake, delivery: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows of a delivery's series with the quality of their volumes and their flags.

    Flags compare with what the lake holds now, up to `DELIVERIES` of each model and maker; those of series that are
    there already stay as they are until their delivery is described again.
    """
    columns = ["series", "fwhm", "empty_slices", *(m.name for m in MEASURES if m.name not in ("fwhm", *_COUNTS))]
    own: dict[str, list[Row]] = defaultdict(list)
    for volume in lake.table(VOLUMES).rows([*columns, "bad_slices"], {"delivery": delivery}):
        own[volume["series"]].append(volume)
    judged = [{**row, **worst(own[row["series"]])} for row in rows]
    unusual = outliers(judged, _others(lake, delivery, judged))
    return [
        {**row, "quality_flags": [*faults(row), *found] if own[row["series"]] else None}
        for row, found in zip(judged, unusual, strict=True)
    ]


def _others(lake: Lake, delivery: str, rows: Sequence[Row]) -> list[Row]:
    """Series of other deliveries that those of this one may be compared with: of so many of each model and maker.

    Which ones is left to chance, and the same again; `lake.tables.keys`.
    """
    table = lake.table(SERIES)
    near: dict[str, File] = {}
    for column in ("model", "manufacturer"):
        known = Holders.open(table, column)
        for value in {row[column] for row in rows}:
            there = [file for file in known.some(value, DELIVERIES + 1) if file.partition["delivery"] != delivery]
            near |= {file.path: file for file in there[:DELIVERIES]}
    names = [*_GROUP, *(m.name for m in MEASURES)]
    return [row for path in sorted(near) for row in rows_of(table, near[path], names).to_pylist()]


def worst(volumes: Sequence[Row]) -> dict[str, Any]:
    """The worst value of each measure over the volumes of a series; counts are summed; None where none has it."""
    found: dict[str, Any] = {}
    for measure in MEASURES:
        values = [v for v in (_number(volume[measure.name]) for volume in volumes) if v is not None]
        found[measure.name] = max(values, key=measure.placed) if values else None
    for name in _COUNTS:
        counts = [volume[name] for volume in volumes if volume[name] is not None]
        found[name] = sum(counts) if counts else None
    return found


def faults(row: Row) -> list[str]:
    """What is wrong with a series whatever others are like."""
    return [
        name
        for name, wrong in (
            ("missing_slices", (row["missing_slices"] or 0) > 0),
            ("empty_slices", (row["empty_slices"] or 0) > 0),
            ("saturation", (row["saturation"] or 0.0) > SATURATED),
            ("cut_off", row["body_part"] in HEADS and (row["cut_off"] or 0.0) > CUT),
        )
        if wrong
    ]


def outliers(rows: Sequence[Row], others: Sequence[Row] = ()) -> list[list[str]]:
    """Measures by which each series stands out, on their worse side only.

    Each is compared with the series of its licence, manufacturer, model, field strength and contrast; where these are
    fewer than `LEAST_SERIES`, with those of its manufacturer and contrast; where these are too few as well, not at all.

    Args:
        rows: series to judge; each is part of its group.
        others: further series to compare with.
    """
    narrow, wide = (_values(rows, others, names) for names in (_GROUP, _WIDER))
    found = []
    for row in rows:
        flags = []
        for measure in MEASURES:
            if row[measure.name] is None:
                continue
            group = narrow[measure.name, _key(row, _GROUP)]
            group = group if len(group) >= LEAST_SERIES else wide[measure.name, _key(row, _WIDER)]
            if len(group) >= LEAST_SERIES and _stands_out(measure, row[measure.name], group):
                flags.append(measure.name)
        found.append([flag for flag in flags if flag not in faults(row)])
    return found


def by_scanner(lake: Lake, delivery: str) -> list[dict[str, Any]]:
    """How many of a delivery's series carry which flags, by site, scanner and contrast; those with most first."""
    names = [*_GROUP, "quality_flags"]
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in lake.table(SERIES).rows(names, {"delivery": delivery}):
        groups[_key(row, _GROUP)].append(row)
    sheet = []
    for rows in groups.values():
        first = rows[0]
        flags = Counter(flag for row in rows for flag in row["quality_flags"] or [])
        sheet.append(
            {
                "site": first["licence"],
                "scanner": _scanner(first),
                "contrast": first["contrast"],
                "series": len(rows),
                "flagged": sum(bool(row["quality_flags"]) for row in rows),
                "flags": ", ".join(f"{name} {number}" for name, number in sorted(flags.items())),
            }
        )
    return sorted(sheet, key=lambda line: (-line["flagged"], line["site"], line["scanner"], line["contrast"]))


def _values(rows: Sequence[Row], others: Sequence[Row], names: tuple[str, ...]) -> dict[tuple[str, Any], Values]:
    """Values of each measure in each group that `rows` belong to, on the scale on which they are compared."""
    wanted = {_key(row, names) for row in rows}
    found: dict[tuple[str, Any], list[float]] = defaultdict(list)
    for row in (*rows, *others):
        key = _key(row, names)
        for measure in MEASURES if key in wanted else ():
            if row[measure.name] is not None:
                found[measure.name, key].append(measure.placed(row[measure.name]))
    return defaultdict(lambda: np.zeros(0), {key: np.array(values) for key, values in found.items()})


def _stands_out(measure: Measure, value: float, group: Values) -> bool:
    middle = float(np.median(group))
    spread = max(1.4826 * float(np.median(np.abs(group - middle))), measure.least)
    return measure.placed(value) - middle > DEVIATIONS * spread


def _key(row: Row, names: tuple[str, ...]) -> tuple[Any, ...]:
    """A row's group; names are compared without case, field strengths to a tenth of a tesla."""
    values = (row[name] for name in names)
    return tuple(round(v, 1) if isinstance(v, float) else v.strip().casefold() if v else "" for v in values)


def _scanner(row: Row) -> str:
    strength = row["field_strength"]
    words = (row["manufacturer"], row["model"], None if strength is None else f"{strength:.1f} T")
    return " ".join(word.strip() for word in words if word) or "unknown"


def _number(value: Any) -> float | None:
    """A measure as one number: of the three of an axis each, the geometric mean."""
    return float(np.exp(np.mean(np.log(value)))) if isinstance(value, list) else value
