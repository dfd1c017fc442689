"""The gallery page: a card with preview, facts and quality for each volume, and filters.

Belongs here: from rows to HTML. As one file it holds its previews and needs no network; served, it asks for them, so
that a thousand show at once. It works without its script, which only filters and opens the viewer.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined

from lake.stores.storage import Location
from lake.zones import Lake
from orchestration.gallery.choice import LIMIT, Choice, choose
from schemas.tables import VOLUMES

FOLDER = "pages"
"""Folder below the lake's root where pages are written unless another file is named."""

TIMES = " \N{MULTIPLICATION SIGN} "

FILTERS = {
    "contrast": "Contrast",
    "body_part": "Body part",
    "plane": "Plane",
    "split": "Split",
    "delivery": "Delivery",
    "gaps": "Slices",
    "quality": "Quality",
    "labelled": "Label map",
}
"""Fields that the page filters by, with their names."""

_MEASURES = {"snr": "SNR {:.3g}", "cnr": "CNR {:.3g}", "motion": "motion {:.2g} mm"}
"""Measures of quality that a card shows; `docs/reference/quality.md` says what they are."""


@dataclass(frozen=True)
class Gallery:
    """What was written.

    Attributes:
        page: the file.
        volumes: volumes that it shows.
        found: volumes that fit; more than `volumes` where a limit cut them off.
        sealed: volumes of the sealed test set that were left out.
    """

    page: Path
    volumes: int
    found: int
    sealed: int


def write(
    lake: Lake,
    *,
    release: str | None = None,
    delivery: str | None = None,
    where: str | None = None,
    limit: int = LIMIT,
    out: Path | None = None,
    purpose: str = "research",
) -> Gallery:
    """Write a gallery as one file; a thousand volumes are some 50 MB, which a browser opens at once.

    Args:
        lake: the lake.
        release: as `choose`.
        delivery: as `choose`.
        where: as `choose`.
        limit: as `choose`.
        out: the file; None: in `FOLDER` below the lake's root.
        purpose: as `choose`.

    Raises:
        GalleryError, ReleaseError, TableMissing: as `choose`.
    """
    chosen = choose(lake, release=release, delivery=delivery, where=where, limit=limit, purpose=purpose)
    place = out or lake.settings.root / FOLDER / f"{chosen.source.name}.html"
    Location(place.parent).write_bytes(place.name, alone(chosen).encode())
    return Gallery(place, len(chosen.rows), chosen.found, chosen.sealed)


def alone(chosen: Choice) -> str:
    """The page as one file that holds its previews."""
    previews = {name: f"data:image/png;base64,{data}" for name, data in _previews(chosen).items()}
    return _page(chosen, previews, viewer=None)


def served(chosen: Choice, previews: Mapping[str, str], *, viewer: bool) -> str:
    """The page as a server gives it.

    Args:
        chosen: what it shows.
        previews: volume to where its preview is asked for.
        viewer: whether NiiVue is installed; without it the page says how to get it.
    """
    return _page(chosen, previews, viewer=viewer)


def asset(name: str) -> bytes:
    """A script that belongs to the page."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].encode()


def _previews(chosen: Choice) -> dict[str, str]:
    """Volume to preview; read delivery by delivery, so that memory holds few."""
    found, source = {}, chosen.source
    wanted = pa.array([row["volume"] for row in chosen.rows], pa.string())
    for delivery in sorted({row["delivery"] for row in chosen.rows}):
        table = source.lake.table(VOLUMES).read(
            ["volume", "preview"], {"delivery": delivery}, source.version(VOLUMES.path)
        )
        for row in table.filter(pc.is_in(table["volume"], wanted)).to_pylist():
            if row["preview"]:
                found[row["volume"]] = base64.b64encode(row["preview"]).decode()
    return found


def _card(chosen: Choice, row: Mapping[str, Any], preview: str | None) -> dict[str, Any]:
    source = chosen.source
    return {
        **row,
        "plane": row["plane"] or "unknown",
        "split": source.splits.get(row["volume"], ""),
        "preview": preview,
        "voxels": TIMES.join(str(n) for n in row["shape"][:3]),
        "steps": row["shape"][3] if len(row["shape"]) > 3 else 0,
        "size": TIMES.join(f"{edge:.3g}" for edge in row["spacing"]),
        "gaps": "slices missing" if row["missing_slices"] else "complete",
        "missing": _missing(row),
        "labelled": "with" if row["volume"] in source.labels else "without",
        "measures": ", ".join(form.format(row[name]) for name, form in _MEASURES.items() if row[name] is not None),
        "quality": _quality(row["quality_flags"]),
    }


def _quality(flags: Sequence[str] | None) -> str:
    if flags is None:
        return "not measured"
    return "stands out" if flags else "like its group"


def _missing(row: Mapping[str, Any]) -> str:
    gaps = row["missing_slices"]
    if not gaps:
        return "none"
    total, axis = row["shape"][row["missing_axis"]], "xyz"[row["missing_axis"]]
    return f"{len(gaps)} of {total} along {axis}: {', '.join(str(index) for index in gaps)}"


def _page(chosen: Choice, previews: Mapping[str, str], *, viewer: bool | None) -> str:
    cards = [_card(chosen, row, previews.get(row["volume"])) for row in chosen.rows]
    choices = {name: sorted({str(card[name]) for card in cards if card[name]}) for name in FILTERS}
    return (
        _environment()
        .get_template("gallery.html")
        .render(
            title=chosen.source.title,
            cards=cards,
            found=chosen.found,
            sealed=chosen.sealed,
            where=chosen.where,
            filters={name: (title, choices[name]) for name, title in FILTERS.items() if len(choices[name]) > 1},
            names=list(FILTERS),
            viewer=viewer,
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("orchestration"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
