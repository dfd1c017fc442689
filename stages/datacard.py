"""The data card of a release: one self-contained page that says what is in it and what is not.

Belongs here: from a manifest and its rows to HTML. Choosing the rows is `stages.release`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from lake.releases import SPLITS
from schemas.release import ReleaseManifest

_STRATA = {
    "contrast": "Contrast",
    "body_part": "Body part",
    "manufacturer": "Manufacturer",
    "field_strength": "Field strength [T]",
    "sex": "Sex",
    "plane": "Plane",
    "licence": "Licence",
}
_NAMES = {
    "age": "Age, bands of 10 years",
    "sex": "Sex",
    "weight": "Weight, bands of 20 kg",
    "height": "Height, bands of 0.2 m",
    "site": "Site (the licence stands for it)",
    "scanner": "Scanner: make and model",
    "field_strength": "Field strength",
    "week": "Week of the study (year, where dates are years)",
}
_AGE_BAND = 20
"""Width of an age band in years, wide enough that a small release does not single people out."""


def card(manifest: ReleaseManifest, rows: Sequence[Mapping[str, Any]], split: Mapping[str, str]) -> str:
    """The page.

    Args:
        manifest: the frozen manifest.
        rows: columns of volumes and series of each volume in it.
        split: split of each subject.
    """
    strata = {title: _counted(rows, lambda row, name=name: row.get(name), split) for name, title in _STRATA.items()}
    strata["Age [years]"] = _counted(rows, lambda row: _age_band(row.get("age")), split)
    spacing = [tuple(sorted(row["spacing"])) for row in rows]
    facts = {
        "Voxel size, finest edge [mm]": _range(s[0] for s in spacing),
        "Voxel size, coarsest edge [mm]": _range(s[-1] for s in spacing),
        "Volumes with missing slices": str(sum(bool(row["missing_slices"]) for row in rows)),
        "Volumes with a fourth axis": str(sum(len(row["shape"]) == 4 for row in rows)),
        "Volumes with a label": str(sum(row.get("label") is not None for row in rows)),
    }
    environment = Environment(loader=PackageLoader("stages"), autoescape=select_autoescape())
    template = environment.get_template("datacard.html")
    return template.render(manifest=manifest, splits=SPLITS, strata=strata, facts=facts, quasi=_NAMES)


def _counted(rows: Sequence[Mapping[str, Any]], of: Any, split: Mapping[str, str]) -> list[tuple[str, list[int]]]:
    """Each value with its volumes in every split, most frequent first; what is not stated is counted too."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        value = of(row)
        counts.setdefault("not stated" if value in (None, "") else f"{value}", Counter())[split[row["subject"]]] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    return [(value, [found[name] for name in SPLITS]) for value, found in ordered]


def _age_band(age: int | None) -> str | None:
    if age is None:
        return None
    low = age // _AGE_BAND * _AGE_BAND
    return f"{low} to {low + _AGE_BAND - 1}"


def _range(values: Any) -> str:
    found = list(values)
    return f"{min(found):.2f} to {max(found):.2f}"
