"""Risk of a set: how many people of a release look alike in what others may know of them.

Belongs here: k-anonymity over quasi-identifiers, counted by subject. It is a property of the whole list, so no rule for
single files can see it. What a release does with it is `stages.release`; the fields are `schemas.release`.

A subject's record is what all of their series in the release say together. Subjects with equal records form a cell; a
cell of fewer than k subjects is small, and whoever knows those facts of a person finds them among fewer than k
(L. Sweeney, "k-anonymity: a model for protecting privacy", 2002). Where a fact is not stated, it is a value like
any other: nobody can be told apart by it.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from deid.policy import load_policy
from lake.zones import Lake
from schemas.document import DocumentError
from schemas.policy import Dates, shipped
from schemas.release import ReleaseRisk, Residual
from schemas.tables import CERTIFICATES, INSTANCES

AGE_YEARS, WEIGHT_KG, HEIGHT_M = 10, 20, 0.2
"""Widths of bands."""
_UPPER_95 = 3.0
"""Rule of three: with no finding in n values, the rate is below 3/n with 95 % confidence (Hanley and Lippman-Hand,
JAMA 249:1743, 1983)."""

Record = tuple[tuple[Hashable, ...], ...]

QUASI_IDENTIFIERS = ("age", "sex", "weight", "height", "site", "scanner", "field_strength", "week")
"""What others may know of a person, in the order of a record."""


def assessed(rows: Sequence[Mapping[str, Any]], k: int) -> ReleaseRisk:
    """The risk of a list.

    Args:
        rows: one a series or volume: `subject` and, where known, the quasi-identifiers, banded by `banded`.
        k: subjects that a cell needs not to be small.
    """
    records = _records(rows)
    cells = Counter(records.values())
    small = {record: number for record, number in cells.items() if number < k}
    return ReleaseRisk(
        k=k,
        subjects=len(records),
        cells=len(cells),
        smallest=min(cells.values(), default=0),
        small_cells=len(small),
        subjects_in_small_cells=sum(small.values()),
        by_size={str(size): n for size, n in sorted(Counter(cells.values()).items())},
        values_below_k={name: _rare(records, place, k) for place, name in enumerate(QUASI_IDENTIFIERS)},
        without={name: _in_small_cells(records, place, k) for place, name in enumerate(QUASI_IDENTIFIERS)},
    )


def exposed(rows: Sequence[Mapping[str, Any]], k: int) -> frozenset[str]:
    """Subjects in small cells; without them every cell that is left has k or more."""
    records = _records(rows)
    cells = Counter(records.values())
    return frozenset(subject for subject, record in records.items() if cells[record] < k)


def upper_bound(values: int) -> float:
    """Upper end of the 95 % confidence interval of a rate of which no case was found in so many; 1 for none."""
    return min(1.0, _UPPER_95 / values) if values else 1.0


def banded(lake: Lake, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Quasi-identifiers of a release's rows, in bands.

    Args:
        lake: the lake; weight, height and date of the study come from its instances.
        rows: columns of volumes and series of each volume.
    """
    wanted = list(rows)
    facts = _facts(lake, {str(row["delivery"]) for row in wanted})
    dates = _dates(lake)
    found = []
    for row in wanted:
        own = facts.get((row["delivery"], row["series"]), {})
        kept = dates.get(row["policy"], Dates.KEEP)
        found.append(
            {
                "subject": row["subject"],
                "age": _band(row.get("age"), AGE_YEARS),
                "sex": row.get("sex"),
                "weight": _band(own.get("weight"), WEIGHT_KG),
                "height": _band(own.get("height"), HEIGHT_M),
                # where it was scanned is not in the lake; who licensed it is, and a licensor is a site or a few
                "site": row.get("licence"),
                "scanner": (row.get("manufacturer"), row.get("model")),
                "field_strength": row.get("field_strength"),
                "week": week(own.get("study_date"), kept),
            }
        )
    return found


def week(date: str | None, dates: Dates) -> str | None:
    """When a study took place, as far as its date says so: year and ISO week, the year alone, or nothing.

    A shifted date says nothing of the week, because each subject's shift is random.
    """
    if not date or dates is Dates.SHIFT:
        return None
    if dates is Dates.YEAR_ONLY:
        return date[:4]
    try:
        year, number, _ = dt.datetime.strptime(date[:8], "%Y%m%d").replace(tzinfo=dt.UTC).isocalendar()
    except ValueError:
        return None
    return f"{year}-W{number:02d}"


def residual(lake: Lake, rows: Iterable[Mapping[str, Any]]) -> Residual:
    """What the residual scans of a release's series amount to: series certified, values looked for, the bound."""
    wanted = {(str(row["delivery"]), str(row["series"])) for row in rows}
    table = lake.table(CERTIFICATES)
    certified, values, size = set(), {}, 0
    for row in table.rows(["delivery", "series", "values_looked_for", "bytes_read"]) if table.exists() else []:
        if (row["delivery"], row["series"]) in wanted:
            certified.add((row["delivery"], row["series"]))
            values[row["delivery"]] = row["values_looked_for"]
            size += row["bytes_read"]
    total = sum(values.values())
    return Residual(
        series=len(wanted), certified=len(certified), values=total, bytes=size, upper_bound=upper_bound(total)
    )


def _records(rows: Sequence[Mapping[str, Any]]) -> dict[str, Record]:
    """What all rows of each subject say together: the different values of each quasi-identifier."""
    said: dict[str, list[set[Hashable]]] = defaultdict(lambda: [set() for _ in QUASI_IDENTIFIERS])
    for row in rows:
        for values, name in zip(said[str(row["subject"])], QUASI_IDENTIFIERS, strict=True):
            values.add(row.get(name))
    return {subject: tuple(tuple(sorted(v, key=repr)) for v in values) for subject, values in said.items()}


def _rare(records: Mapping[str, Record], place: int, k: int) -> int:
    """Values of one quasi-identifier, taken alone, that fewer than k subjects have."""
    return sum(number < k for number in Counter(record[place] for record in records.values()).values())


def _in_small_cells(records: Mapping[str, Record], place: int, k: int) -> int:
    """Subjects in small cells if this quasi-identifier were not there."""
    cells = Counter(record[:place] + record[place + 1 :] for record in records.values())
    return sum(number for number in cells.values() if number < k)


def _facts(lake: Lake, deliveries: set[str]) -> dict[tuple[str, str], dict[str, Any]]:
    table = lake.table(INSTANCES)
    columns = ["delivery", "series", "weight", "height", "study_date"]
    rows = [row for delivery in sorted(deliveries) for row in table.rows(columns, {"delivery": delivery})]
    return {(row["delivery"], row["series"]): row for row in rows}


def _dates(lake: Lake) -> dict[str, Dates]:
    """What each policy that can be known by its digest does to dates; of others the dates count as real."""
    found = {}
    for name in [*shipped(), lake.settings.policy]:
        try:
            policy = load_policy(name)
        except DocumentError:
            continue
        found[policy.digest] = policy.dates
    return found


def _band(value: float | None, width: float) -> str | None:
    if value is None:
        return None
    low = int(value / width) * width
    return f"{low:g} to {low + width:g}"
