"""What an officer should look at first: whatever on the page is not as it should be, a line each.

Belongs here: choosing. What stands in the sections is counted in the modules around this one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lineage.evidence.links import number
from lineage.ledger.verify import Verdict


@dataclass(frozen=True)
class Point:
    """Something to look at.

    Attributes:
        text: what was found.
        anchor: where on the page it stands.
        bad: whether it is a finding; False: something to know of.
    """

    text: str
    anchor: str
    bad: bool = True


def points(page: Mapping[str, Any], verdict: Verdict) -> list[Point]:
    """What to look at, findings first.

    Args:
        page: what the report gathered (`lineage.evidence.report`).
        verdict: on the ledger.
    """
    ledger = [] if verdict.ok else [Point("the ledger does not verify", "ledger")]
    found = [*ledger, *_deidentified(page), *_terms(page), *_models(page), *_releases(page), *_held(page)]
    return sorted(found, key=lambda point: not point.bad)


def _deidentified(page: Mapping[str, Any]) -> Iterator[Point]:
    for row in page["checks"]:
        if row.get("findings"):
            text = f"delivery {row['delivery']}: the second look found {number(row['findings'])} identifiers"
            yield Point(text, f"check-{row['delivery']}")
        if row.get("planted") and row["removed"] < row["planted"]:
            yield Point(f"delivery {row['delivery']}: not every canary was removed", f"check-{row['delivery']}")
    kept: Counter[str] = Counter()
    first: dict[str, int] = {}
    for place, group in enumerate(page["identifiers"], 1):
        for line in group.lines:
            if line.status == "kept":
                kept[line.title] += group.series.total()
                first.setdefault(line.title, place)
    for title, series in kept.items():
        yield Point(f"{title}: kept in {number(series)} series", f"identifiers-{first[title]}")


def _terms(page: Mapping[str, Any]) -> Iterator[Point]:
    for row in page["terms"]:
        if row["current"] and row["state"] not in ("in force", "superseded"):
            yield Point(f"terms {row['licence']}: {row['state']}", f"licence-{row['licence']}")
    if page["emergencies"]:
        yield Point(f"{number(len(page['emergencies']))} events of emergency access", "licences")
    if len(page["roles"]) > 1:
        yield Point(f"the document of roles changed {number(len(page['roles']) - 1)} times", "licences", False)
    if page["refusals"]:
        yield Point(f"{number(len(page['refusals']))} times terms refused what was asked for", "licences", False)


def _models(page: Mapping[str, Any]) -> Iterator[Point]:
    for row in page["models"]:
        if row["manifest"] is None and not row["retired"]:
            yield Point(f"model {row['name']}: its manifest cannot be read", f"model-{row['name']}")
        elif row["manifest"] is not None and not row["seen"]:
            yield Point(f"model {row['name']}: no exposures are recorded", f"model-{row['name']}")
    for row in page["sealed"]:
        for name, seen in row["models"].items():
            if seen:
                yield Point(f"model {name} saw {number(seen)} test subjects of {row['release']}", "models")


def _releases(page: Mapping[str, Any]) -> Iterator[Point]:
    for row in page["releases"]:
        manifest = row["manifest"]
        if manifest is None and not row["superseded"]:
            yield Point(f"release {row['name']}: its manifest cannot be read", f"release-{row['name']}")
        elif manifest and manifest.risk and manifest.risk.subjects_in_small_cells:
            few, all_ = number(manifest.risk.subjects_in_small_cells), number(manifest.risk.subjects)
            text = f"release {row['name']}: {few} of {all_} subjects share their combination of traits with fewer than "
            yield Point(f"{text}{manifest.risk.k - 1} others", f"release-{row['name']}", False)


def _held(page: Mapping[str, Any]) -> Iterator[Point]:
    if held := sum(row["n"] for row in page["quarantine"]):
        yield Point(f"{number(held)} files are held back in quarantine", "quarantine", False)
