"""The data card of a release: one self-contained page that says what is in it and what is not.

Belongs here: from a manifest and its rows to HTML and Markdown. Choosing the rows is `stages.release`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from lake.releases import SPLITS
from lineage.evidence.strata import gaps, strata
from schemas.release import ReleaseManifest
from stages.export.markdown import environment

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


def card(manifest: ReleaseManifest, rows: Sequence[Mapping[str, Any]], split: Mapping[str, str]) -> str:
    """The card as a page.

    Args:
        manifest: the frozen manifest.
        rows: columns of volumes and series of each volume in it.
        split: split of each subject.
    """
    page = Environment(loader=PackageLoader("stages"), autoescape=select_autoescape())
    return page.get_template("datacard.html").render(**_said(manifest, rows, split))


def markdown(manifest: ReleaseManifest, rows: Sequence[Mapping[str, Any]], split: Mapping[str, str]) -> str:
    """The card as Markdown, for a repository of data sets; arguments as `card`."""
    return environment("stages").get_template("datacard.md").render(**_said(manifest, rows, split))


def _said(manifest: ReleaseManifest, rows: Sequence[Mapping[str, Any]], split: Mapping[str, str]) -> dict[str, Any]:
    """What a card says, whatever it is written as."""
    counted = strata(rows, split)
    spacing = [tuple(sorted(row["spacing"])) for row in rows]
    facts = {
        "Voxel size, finest edge [mm]": _range(s[0] for s in spacing),
        "Voxel size, coarsest edge [mm]": _range(s[-1] for s in spacing),
        "Volumes with missing slices": str(sum(bool(row["missing_slices"]) for row in rows)),
        "Volumes with a fourth axis": str(sum(len(row["shape"]) == 4 for row in rows)),
        "Volumes with a label": str(sum(row.get("label") is not None for row in rows)),
    }
    return {
        "manifest": manifest,
        "splits": SPLITS,
        "strata": counted,
        "gaps": gaps(counted),
        "facts": facts,
        "quasi": _NAMES,
    }


def _range(values: Any) -> str:
    found = list(values)
    return f"{min(found):.2f} to {max(found):.2f}"
