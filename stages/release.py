"""Station 5, `release`: a specification becomes a frozen list of volumes, split by subject, with its terms.

Belongs here: choosing, splitting and freezing. Reading a release is `lake.releases`, its page is
`stages.export.datacard`.
"""

import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.releases import CARD, CARD_TEXT, MANIFEST, MEMBERS, SPLITS, Release, keep_places
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.ledger.seals import seal
from lineage.terms.questions import Action
from lineage.terms.union import union
from schemas.agreement import AnyTerm
from schemas.contract import Zone
from schemas.release import ReleaseManifest, ReleaseRisk, ReleaseSpec, SmallCells, Splits
from schemas.tables import DIAGNOSES, LABELS, REPORTS, SERIES, VOLUMES
from schemas.term import Kind
from stages.export.datacard import card, markdown
from stages.permission import covered_by, permitted_rows
from stages.risk import assessed, banded, exposed, residual
from stages.standing import counting_volumes
from stages.standing import licences as licences_of
from stages.station import Report, silent

SPECS = "releases"
"""Folder below the lake's root where specifications lie, one `<name>.yaml` a release."""

_MEMBERS = pa.schema(
    [
        pa.field(name, pa.string(), nullable=name == "label")
        for name in ("delivery", "subject", "study", "series", "volume", "split", "label", "licence", "pixel_digest")
    ]
)


class CohortError(ValueError):
    """A specification chooses nothing, or cannot be evaluated."""


def spec_path(lake: Lake, name: str) -> Path:
    """Where the specification of a release lies."""
    return lake.settings.root / SPECS / f"{name}.yaml"


def freeze(lake: Lake, spec: ReleaseSpec, report: Report = silent) -> Release:
    """Freeze a release; one that is frozen already is returned as it stands.

    Raises:
        CohortError: if a table that it needs is not there yet, the cohort is empty, its predicate is no SQL over the
            tables, or the name is taken by a release of another specification.
        Refusal: if a licence in the cohort does not allow the purpose.
    """
    location = lake.location(Zone.CURATED, "releases", spec.name)
    if location.exists(MANIFEST):
        frozen = Release.open(lake, spec.name)
        if frozen.manifest.spec != spec:
            raise CohortError(
                f"release {spec.name}: found one frozen with another specification, needed a new name; "
                "a release never changes"
            )
        return frozen
    versions = _versions(lake, spec)
    rows = cohort(lake, spec, versions, report)
    rows, risk = _guarded(lake, spec, rows)
    report(f"{len(rows)} volumes of {len({r['subject'] for r in rows})} subjects in the cohort")
    decision = permitted_rows(lake, rows, Action.RELEASE, spec.purpose, spec.name)
    covering = covered_by(lake, decision)
    split = split_subjects({str(row["subject"]) for row in rows}, spec.splits, spec.seed)
    members = [{name: row.get(name) for name in _MEMBERS.names} | {"split": split[row["subject"]]} for row in rows]
    raw = _parquet(members)
    manifest = _manifest(spec, versions, members, covering, sorted({str(r["policy"]) for r in rows}), raw)
    measured = {"risk": risk, "residual": residual(lake, rows)}
    manifest = manifest.model_copy(update=measured | {"decision": decision.digest})
    location.write_bytes(MEMBERS, raw)
    keep_places(lake, spec.name, versions, members)
    location.write_bytes(CARD, card(manifest, rows, split).encode())
    location.write_bytes(CARD_TEXT, markdown(manifest, rows, split).encode())
    # the manifest comes last: without it there is no release
    location.write_bytes(MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())
    release = Release.open(lake, spec.name)
    facts = {"release": spec.name, "release_sha256": release.sha256, "members_sha256": manifest.members_sha256}
    rights = {name: getattr(manifest, name) for name in ("train_models", "share_models", "export")}
    counted = {"volumes": len(members), "licences": manifest.licences}
    append(lake, EventType.RELEASED, {**decision.facts, **facts, **rights, **counted})
    seal(lake)
    return release


def _versions(lake: Lake, spec: ReleaseSpec) -> dict[str, int]:
    """Versions that a release is pinned to, of every table that it reads."""
    needed = [VOLUMES, SERIES, *([LABELS] if spec.label_task else [])]
    versions = {table.path: lake.table(table).version() for table in (*needed, DIAGNOSES, REPORTS)}
    if missing := [table.path for table in needed if versions[table.path] < 0]:
        raise CohortError(
            f"release {spec.name}: found no table {', '.join(missing)} in this lake, needed it; materialize these "
            "assets for its deliveries first (larmor run DELIVERY)"
        )
    return {path: version for path, version in versions.items() if version >= 0}


def _guarded(lake: Lake, spec: ReleaseSpec, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], ReleaseRisk]:
    """The cohort after what the specification says of small cells, and the risk of what is left."""
    known = banded(lake, rows)
    alone = exposed(known, spec.k)
    if alone and spec.risk is SmallCells.BLOCK:
        raise CohortError(
            f"release {spec.name}: found {len(alone)} subjects that fewer than {spec.k} resemble, needed none; widen "
            "the cohort, lower k with a reason, or choose risk: suppress or risk: report"
        )
    if spec.risk is SmallCells.SUPPRESS:
        rows = [row for row in rows if row["subject"] not in alone]
        known = [row for row in known if row["subject"] not in alone]
        if not rows:
            raise CohortError(
                f"release {spec.name}: found only subjects that fewer than {spec.k} resemble, so none is left; widen "
                "the cohort, or lower k with a reason"
            )
        return rows, assessed(known, spec.k).model_copy(update={"suppressed": len(alone)})
    return rows, assessed(known, spec.k)


def cohort(lake: Lake, spec: ReleaseSpec, versions: dict[str, int], report: Report = silent) -> list[dict[str, Any]]:
    """Rows of the cohort, ordered by volume: columns of volumes and series, and the label where one is asked for.

    `licences` of a row are all that its series came under, in whatever delivery.

    Raises:
        CohortError: if nothing fits, or the predicate is no SQL over these columns.
    """
    own = [c.name for c in VOLUMES.columns if c.name not in {"voxels", "preview", "occupancy"}]
    volumes = lake.table(VOLUMES).read(own, version=versions[VOLUMES.path])
    # columns that both tables have are the volume's own
    extra = [c.name for c in SERIES.columns if c.name not in own]
    series = lake.table(SERIES).read(["delivery", "series", *extra], version=versions[SERIES.path])
    # of a series that came in several deliveries only the volumes of its newest versions count
    counted, behind = counting_volumes(lake, volumes)
    if behind:
        report(f"{behind} series have newer instances than any volume; run their deliveries for them")
    rows = [r for r in _chosen(counted, series, spec) if not spec.deliveries or r["delivery"] in spec.deliveries]
    known = licences_of(lake, rows)
    rows = [row | {"licences": sorted(known[row["subject"], row["series"]])} for row in rows]
    if not rows:
        raise CohortError(
            f"release {spec.name}: found no volume that fits the cohort among {volumes.num_rows}, needed at least one; "
            "widen the predicate or materialize more deliveries"
        )
    if spec.label_task:
        labels = lake.table(LABELS).read(["volume", "label", "task"], version=versions[LABELS.path]).to_pylist()
        # where a volume has several maps of one task, the choice does not depend on the order of files
        labels = sorted((row for row in labels if row["task"] == spec.label_task), key=lambda row: str(row["label"]))
        named = {row["volume"]: row["label"] for row in labels}
        # a label stays with its voxels, whichever delivery's volume shows them now
        drawn = volumes.filter(pc.is_in(volumes["volume"], pa.array(named, pa.string()))).to_pylist()
        same = {_voxels(row): named[row["volume"]] for row in sorted(drawn, key=lambda row: str(row["volume"]))}
        rows = [row | {"label": named.get(row["volume"]) or same.get(_voxels(row))} for row in rows]
    return rows


def _voxels(volume: dict[str, Any]) -> tuple[object, ...]:
    """What two volumes of a series have in common that show the same voxels at the same place."""
    return volume["subject"], volume["series"], volume["pixel_digest"], *volume["affine"]


def _chosen(volumes: pa.Table, series: pa.Table, spec: ReleaseSpec) -> list[dict[str, Any]]:
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as session:
        session.register("volume", volumes)
        session.register("described", series)
        joined = session.table("volume").join(session.table("described"), "delivery, series")
        try:
            chosen: list[dict[str, Any]] = (
                joined.filter(spec.cohort).order("delivery, volume").to_arrow_table().to_pylist()
            )
        except duckdb.Error:
            raise CohortError(
                f"release {spec.name}: found a cohort that is no SQL predicate over these tables, needed one over the "
                f"columns {', '.join(sorted({*volumes.column_names, *series.column_names}))}"
            ) from None
        return chosen


def split_subjects(subjects: set[str], splits: Splits, seed: int) -> dict[str, str]:
    """The split of each subject: by rank of a keyed hash, so that it depends on seed and subjects alone.

    Every split with a fraction gets at least one subject where there are enough of them.
    """
    ranked = sorted(subjects, key=lambda s: hashlib.sha256(f"{seed}/{s}".encode()).digest())
    fractions = {"test": splits.test, "validation": splits.validation}
    split = dict.fromkeys(ranked, "train")
    start = 0
    for name, fraction in fractions.items():
        wanted = max(1, round(fraction * len(ranked))) if fraction else 0
        # the training set never gives away its last subject
        count = min(wanted, max(0, len(ranked) - start - 1))
        split |= dict.fromkeys(ranked[start : start + count], name)
        start += count
    return split


def _manifest(
    spec: ReleaseSpec,
    versions: dict[str, int],
    members: list[dict[str, Any]],
    covering: Sequence[AnyTerm],
    policies: list[str],
    raw: bytes,
) -> ReleaseManifest:
    counts, together = {}, union(covering)
    for split in SPLITS:
        rows = [member for member in members if member["split"] == split]
        distinct = {f"{name}s": len({r[name] for r in rows}) for name in ("subject", "volume")}
        counts[split] = distinct | {
            "series": len({r["series"] for r in rows}),
            "labels": sum(r["label"] is not None for r in rows),
        }
    return ReleaseManifest(
        name=spec.name,
        spec=spec,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        tables=versions,
        members_sha256=hashlib.sha256(raw).hexdigest(),
        counts=counts,
        licences={document.id: document.digest for document in covering if document.kind == Kind.LICENCE},
        policies=policies,
        train_models=together.train_models,
        share_models=together.share_models,
        export=together.export,
        terms=together,
    )


def _parquet(members: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(members, _MEMBERS), sink, compression="zstd")
    raw: bytes = sink.getvalue().to_pybytes()
    return raw
