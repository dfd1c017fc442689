"""Which volumes a gallery shows, and what it knows of them.

Belongs here: from a release, a delivery or a predicate to rows. The sealed test set of a release is never among them.
How they look is `orchestration.gallery.page`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from lake.releases import Release
from lake.zones import Lake
from lineage.access import Access, accessed
from schemas.tables import LABELS, SERIES, VOLUMES

if TYPE_CHECKING:
    from lake.voxels.volumes import Volumes

LIMIT = 1000
"""Volumes that a gallery shows unless told otherwise."""

SHOWN = (
    "delivery", "subject", "series", "volume", "kind", "contrast", "body_part", "part", "shape", "spacing",
    "missing_slices", "missing_axis", "licence", "snr", "cnr", "motion",
    "plane", "description", "quality_flags",
)  # fmt: skip
"""Columns of `curated/volumes`, and from `plane` on of `curated/series`."""

_LEFT_OUT = ("voxels", "preview", "occupancy", "sources")
_OPEN_SPLITS = ("train", "validation")


class GalleryError(ValueError):
    """Nothing can be shown as asked; the message says what was found and needed."""


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes:
        lake: the lake.
        title: what the page is called.
        name: what the file is called, without its ending.
        target: what the record of access calls it.
        facts: more facts of the access.
        partition: of the volumes' table.
        release: the release; None: not of one.
        splits: split of each volume of the release.
        labels: label map of each volume of the release that has one.
    """

    lake: Lake
    title: str
    name: str
    target: str
    facts: Mapping[str, str]
    partition: Mapping[str, str]
    release: Release | None
    splits: Mapping[str, str]
    labels: Mapping[str, str]

    def version(self, path: str) -> int | None:
        """The version of a table that is shown; None: the newest."""
        return self.release.manifest.tables.get(path) if self.release else None

    def volumes(self) -> "Volumes":
        """The volumes, opened."""
        from lake.voxels.volumes import Volumes

        return self.release.volumes() if self.release else Volumes(self.lake, VOLUMES)

    def recorded(self, rows: int, purpose: str) -> None:
        """Record that volumes were looked at."""
        accessed(self.lake, Access.READ, self.target, rows, purpose, **self.facts)


@dataclass(frozen=True)
class Choice:
    """What a gallery shows.

    Attributes:
        source: where the rows come from.
        rows: a row a volume, in the order shown, with the columns `SHOWN`.
        found: volumes that fit; more than `rows` where a limit cut them off.
        sealed: volumes of the sealed test set that were left out.
        where: the predicate.
    """

    source: Source
    rows: list[dict[str, Any]]
    found: int
    sealed: int
    where: str | None


def choose(
    lake: Lake,
    *,
    release: str | None = None,
    delivery: str | None = None,
    where: str | None = None,
    limit: int = LIMIT,
    purpose: str = "research",
) -> Choice:
    """The volumes to show, and a record that they are looked at.

    Args:
        lake: the lake.
        release: volumes of this release, at the versions it is pinned to.
        delivery: volumes of this delivery; neither: all volumes of the lake.
        where: SQL predicate over the columns of `curated/volumes` and `curated/series`.
        limit: most volumes to show.
        purpose: what for, for the record.

    Raises:
        GalleryError: if nothing fits, or the predicate is no SQL over these columns.
        ReleaseError: if there is no such release.
        TableMissing: if there are no volumes yet.
    """
    source = _source(lake, release, delivery)
    rows = _fitting(source, where)
    open_rows = [row for row in rows if source.release is None or source.splits[row["volume"]] in _OPEN_SPLITS]
    if not open_rows:
        raise GalleryError(
            f"found no volume to show among {len(rows)} that fit, needed at least one; "
            "widen --where, or name another release or delivery"
        )
    order = ("delivery", "subject", "contrast", "volume")
    shown = sorted(open_rows, key=lambda row: [row[name] for name in order])[:limit]
    source.recorded(len(shown), purpose)
    return Choice(source, shown, len(open_rows), len(rows) - len(open_rows), where)


def _source(lake: Lake, release: str | None, delivery: str | None) -> Source:
    if release and delivery:
        raise GalleryError("found a release and a delivery, needed one of them")
    if release:
        opened = Release.open(lake, release)
        # which volumes are sealed must be known to leave them out; nothing else of the test set is read
        members = [m for split in (*_OPEN_SPLITS, "test") for m in opened.members(split, sealed_ok=True)]
        splits = {member.volume: member.split for member in members}
        labels = {member.volume: member.label for member in members if member.label}
        facts = {"release": release}
        return Source(lake, f"Release {release}", f"release-{release}", release, facts, {}, opened, splits, labels)
    if delivery:
        there = sorted({values["delivery"] for values in lake.table(VOLUMES).partitions()})
        if delivery not in there:
            raise GalleryError(
                f"found no volumes of delivery {delivery}, needed one of: {', '.join(there) or 'none yet'}; "
                f"make them with larmor run {delivery} --to series"
            )
        name, only = f"delivery-{delivery}", {"delivery": delivery}
        return Source(lake, f"Delivery {delivery}", name, VOLUMES.path, only, only, None, {}, _labels(lake))
    return Source(lake, "All volumes", "volumes", VOLUMES.path, {}, {}, None, {}, _labels(lake))


def _labels(lake: Lake) -> dict[str, str]:
    """A label map of each volume that has one, whichever delivery brought it; of several the first by task."""
    table = lake.table(LABELS)
    if not table.exists():
        return {}
    rows = table.read(["volume", "label", "task"]).to_pylist()
    return {row["volume"]: row["label"] for row in sorted(rows, key=lambda row: row["task"], reverse=True)}


def _fitting(source: Source, where: str | None) -> list[dict[str, Any]]:
    """Rows that fit, with facts of their series; those of a release are its members only."""
    lake = source.lake
    own = [column.name for column in VOLUMES.columns if column.name not in _LEFT_OUT]
    extra = [column.name for column in SERIES.columns if column.name not in own]
    # a table has some sixty columns: only those that are shown or spoken of are read
    needed = {*SHOWN, *re.findall(r"\w+", (where or "").lower())}
    volumes = lake.table(VOLUMES).read(
        [name for name in own if name in needed], source.partition, source.version(VOLUMES.path)
    )
    if source.release is not None:
        volumes = volumes.filter(pc.is_in(volumes["volume"], pa.array(list(source.splits), pa.string())))
    names, described = ["delivery", "series", *(name for name in extra if name in needed)], lake.table(SERIES)
    series = SERIES.arrow_schema.empty_table().select(names)
    if described.exists():
        series = described.read(names, source.partition, source.version(SERIES.path))
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as session:
        session.register("volume", volumes)
        session.register("described", series)
        joined = session.table("volume").join(session.table("described"), "delivery, series", how="left")
        try:
            found: list[dict[str, Any]] = (
                joined.filter(_one_predicate(where)).project(", ".join(SHOWN)).to_arrow_table().to_pylist()
            )
        except duckdb.Error:
            raise GalleryError(
                "found a predicate that is no SQL over these tables, needed one such as contrast = 'T1', with text in "
                "quotes, over the columns "
                f"{', '.join(sorted({*own, *extra}))}"
            ) from None
    return found


def _one_predicate(where: str | None) -> str:
    if where and ";" in where:
        raise GalleryError("found ';' in the predicate, needed one SQL expression")
    return where or "true"
