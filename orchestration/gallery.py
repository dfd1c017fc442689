"""A gallery of volumes: one self-contained page with a preview of each and what is known of it.

Belongs here: choosing volumes and putting them on a page. The previews are made when volumes are (`imaging.preview`);
how the page looks is its template. The page needs no network, and works without its script, which only filters.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined

from lake.releases import Release
from lake.storage import Location
from lake.zones import Lake
from lineage.access import Access, accessed
from schemas.tables import SERIES, VOLUMES

FOLDER = "pages"
"""Folder below the lake's root where pages are written unless another file is named."""

LIMIT = 1000
"""Volumes that a page shows unless told otherwise: some 50 MB, which a browser opens at once."""

_SHOWN = (
    "delivery", "subject", "series", "volume", "kind", "contrast", "body_part", "part", "shape", "spacing",
    "missing_slices", "missing_axis", "licence",
)  # fmt: skip
_LEFT_OUT = ("voxels", "preview", "occupancy", "sources")
TIMES = " \N{MULTIPLICATION SIGN} "
_OPEN_SPLITS = ("train", "validation")

FILTERS = {
    "contrast": "Contrast",
    "body_part": "Body part",
    "plane": "Plane",
    "split": "Split",
    "delivery": "Delivery",
    "gaps": "Slices",
}
"""Fields that the page filters by, with their names."""


class GalleryError(ValueError):
    """Nothing can be shown as asked; the message says what was found and needed."""


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


@dataclass(frozen=True)
class _Source:
    """Where rows come from.

    Attributes:
        title: what the page is called.
        name: what the file is called, without its ending.
        target: what the record of access calls it.
        facts: more facts of the access.
        versions: table to version; empty: newest.
        partition: of the volumes' table.
        splits: split of each volume; None: not of a release.
    """

    title: str
    name: str
    target: str
    facts: Mapping[str, str]
    versions: Mapping[str, int]
    partition: Mapping[str, str]
    splits: Mapping[str, str] | None


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
    """Write a gallery page and record the access; the sealed test set of a release is not shown.

    Args:
        lake: the lake.
        release: volumes of this release, at the versions it is pinned to.
        delivery: volumes of this delivery; neither: all volumes of the lake.
        where: SQL predicate over the columns of `curated/volumes` and `curated/series`.
        limit: most volumes to show.
        out: the file; None: in `FOLDER` below the lake's root.
        purpose: what for, for the record.

    Raises:
        GalleryError: if nothing fits, or the predicate is no SQL over these columns.
        ReleaseError: if there is no such release.
        TableMissing: if there are no volumes yet.
    """
    source = _source(lake, release, delivery)
    rows = _chosen(lake, source, where)
    open_rows = [row for row in rows if source.splits is None or source.splits[row["volume"]] in _OPEN_SPLITS]
    if not open_rows:
        raise GalleryError(
            f"found no volume to show among {len(rows)} that fit, needed at least one; "
            "widen --where, or name another release or delivery"
        )
    order = ("delivery", "subject", "contrast", "volume")
    shown = sorted(open_rows, key=lambda row: [row[name] for name in order])[:limit]
    accessed(lake, Access.READ, source.target, len(shown), purpose, **source.facts)
    page = _page(source, _cards(lake, source, shown), len(open_rows), len(rows) - len(open_rows), where)
    place = out or lake.settings.root / FOLDER / f"{source.name}.html"
    Location(place.parent).write_bytes(place.name, page.encode())
    return Gallery(place, len(shown), len(open_rows), len(rows) - len(open_rows))


def _source(lake: Lake, release: str | None, delivery: str | None) -> _Source:
    if release and delivery:
        raise GalleryError("found a release and a delivery, needed one of them")
    if release:
        opened = Release.open(lake, release)
        # which volumes are sealed must be known to leave them out; nothing else of the test set is read
        splits = {m.volume: m.split for s in (*_OPEN_SPLITS, "test") for m in opened.members(s, sealed_ok=True)}
        facts = {"release": release}
        return _Source(f"Release {release}", f"release-{release}", release, facts, opened.manifest.tables, {}, splits)
    if delivery:
        there = sorted({values["delivery"] for values in lake.table(VOLUMES).partitions()})
        if delivery not in there:
            raise GalleryError(
                f"found no volumes of delivery {delivery}, needed one of: {', '.join(there) or 'none yet'}; "
                f"make them with larmor run {delivery} --to series"
            )
        name, partition = f"delivery-{delivery}", {"delivery": delivery}
        return _Source(f"Delivery {delivery}", name, VOLUMES.path, {"delivery": delivery}, {}, partition, None)
    return _Source("All volumes", "volumes", VOLUMES.path, {}, {}, {}, None)


def _chosen(lake: Lake, source: _Source, where: str | None) -> list[dict[str, Any]]:
    """Rows that fit, with the plane of their series; those of a release are its members only."""
    own = [column.name for column in VOLUMES.columns if column.name not in _LEFT_OUT]
    volumes = lake.table(VOLUMES).read(own, source.partition, source.versions.get(VOLUMES.path))
    if source.splits is not None:
        volumes = volumes.filter(pc.is_in(volumes["volume"], pa.array(list(source.splits), pa.string())))
    extra = [column.name for column in SERIES.columns if column.name not in own]
    names, described = ["delivery", "series", *extra], lake.table(SERIES)
    series = SERIES.arrow_schema.empty_table().select(names)
    if described.exists():
        series = described.read(names, source.partition, source.versions.get(SERIES.path))
    columns = ", ".join((*_SHOWN, "plane"))
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as session:
        session.register("volume", volumes)
        session.register("described", series)
        joined = session.table("volume").join(session.table("described"), "delivery, series", how="left")
        try:
            found: list[dict[str, Any]] = (
                joined.filter(_one_predicate(where)).project(columns).to_arrow_table().to_pylist()
            )
        except duckdb.Error:
            raise GalleryError(
                "found a predicate that is no SQL over these tables, needed one over the columns "
                f"{', '.join(sorted({*own, *extra}))}"
            ) from None
    return found


def _one_predicate(where: str | None) -> str:
    if where and ";" in where:
        raise GalleryError("found ';' in the predicate, needed one SQL expression")
    return where or "true"


def _cards(lake: Lake, source: _Source, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the page shows of each volume; previews are read delivery by delivery, so that memory holds few."""
    cards = []
    wanted = {row["volume"] for row in rows}
    previews: dict[str, str] = {}
    for delivery in sorted({row["delivery"] for row in rows}):
        table = lake.table(VOLUMES).read(
            ["volume", "preview"], {"delivery": delivery}, source.versions.get(VOLUMES.path)
        )
        for row in table.filter(pc.is_in(table["volume"], pa.array(list(wanted), pa.string()))).to_pylist():
            if row["preview"]:
                previews[row["volume"]] = base64.b64encode(row["preview"]).decode()
    for row in rows:
        split = source.splits[row["volume"]] if source.splits is not None else ""
        cards.append(
            {
                **row,
                "plane": row["plane"] or "unknown",
                "split": split,
                "preview": previews.get(row["volume"]),
                "voxels": TIMES.join(str(n) for n in row["shape"][:3]),
                "steps": row["shape"][3] if len(row["shape"]) > 3 else 0,
                "size": TIMES.join(f"{edge:.3g}" for edge in row["spacing"]),
                "gaps": "slices missing" if row["missing_slices"] else "complete",
                "missing": _missing(row),
            }
        )
    return cards


def _missing(row: Mapping[str, Any]) -> str:
    gaps = row["missing_slices"]
    if not gaps:
        return "none"
    total, axis = row["shape"][row["missing_axis"]], "xyz"[row["missing_axis"]]
    return f"{len(gaps)} of {total} along {axis}: {', '.join(str(index) for index in gaps)}"


def _page(source: _Source, cards: Sequence[Mapping[str, Any]], found: int, sealed: int, where: str | None) -> str:
    choices = {name: sorted({str(card[name]) for card in cards if card[name]}) for name in FILTERS}
    environment = Environment(
        loader=PackageLoader("orchestration"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("gallery.html").render(
        title=source.title,
        cards=cards,
        found=found,
        sealed=sealed,
        where=where,
        filters={name: (title, choices[name]) for name, title in FILTERS.items() if len(choices[name]) > 1},
        names=list(FILTERS),
    )
