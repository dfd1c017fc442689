"""Which version of each instance counts, and which volumes are made of those that do.

Belongs here: the one truth over all deliveries, computed from rows of the curated zone whenever it is asked for. No row
decides for another one, so that a delivery can be run again or withdrawn, and the answer follows. Of versions of an
instance the one received last counts; a version was received when any delivery first brought it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from deid.headers.objects import becomes_volume
from lake.zones import Lake
from schemas.tables import COPIES, INSTANCES

_COLUMNS = ("delivery", "subject", "series", "instance", "identity", "version", "moment")

_COUNTED = """
with seen as (
    select identity, version, moment from instances union all select identity, version, moment from copies
), first as (
    select identity, version, min(moment) as first from seen group by all
), placed as (
    select i.*, row_number() over (
        partition by i.identity order by first.first desc, i.version desc, i.moment, i.delivery
    ) as place from instances i join first using (identity, version)
)
select delivery, subject, series, instance, identity, version, moment, place = 1 as counts from placed
order by subject, series, instance, delivery
"""

Row = dict[str, Any]
Key = tuple[str, str]
"""Subject and series."""


@dataclass(frozen=True)
class Standing:
    """Instances of some deliveries that become volumes.

    Attributes:
        rows: delivery, subject, series, instance, identity, version, moment, and whether it `counts`.
    """

    rows: Sequence[Mapping[str, Any]]

    def counting(self) -> dict[Key, list[Mapping[str, Any]]]:
        """Instances that count, by series."""
        found: dict[Key, list[Mapping[str, Any]]] = defaultdict(list)
        for row in self.rows:
            if row["counts"]:
                found[row["subject"], row["series"]].append(row)
        return dict(found)

    def touched(self, delivery: str) -> set[Key]:
        """Series that a delivery has instances of, and those that its instances were taken from or given to."""
        own = {row["identity"] for row in self.rows if row["delivery"] == delivery}
        return {(row["subject"], row["series"]) for row in self.rows if row["identity"] in own}


def standing(lake: Lake, deliveries: Iterable[str] | None = None) -> Standing:
    """How instances of these deliveries stand among each other; None: all deliveries.

    Raises:
        TableOutdated: if the tables were made by an older version.
    """
    import duckdb

    names = None if deliveries is None else sorted(set(deliveries))
    instances = _read(lake, INSTANCES, [*_COLUMNS, "sop_class"], names)
    classes = {name: becomes_volume(name) for name in set(instances["sop_class"].to_pylist())}
    mask = pa.array([classes[name] for name in instances["sop_class"].to_pylist()], pa.bool_())
    instances = _known(instances.filter(mask).select(list(_COLUMNS)))
    copies = _known(_read(lake, COPIES, list(_COLUMNS), names))
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as session:
        session.register("instances", instances)
        session.register("copies", copies)
        return Standing(session.sql(_COUNTED).to_arrow_table().to_pylist())


def basis(versions: Iterable[tuple[str, str | None]]) -> str:
    """Digest of the versions of instances that something was made of."""
    lines = sorted(f"{instance} {version or ''}" for instance, version in versions)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def counting_volumes(lake: Lake, volumes: pa.Table) -> tuple[pa.Table, int]:
    """Rows of `curated/volumes` that count, and the number of series whose newest instances are in none of them.

    A series that came in several deliveries has volumes in each of them: those made of all instances that count are the
    ones. Where there are none, because a delivery was not run to its end, those of the delivery received last stand in,
    unless something that they were made of was withdrawn.

    Args:
        lake: the lake.
        volumes: rows with delivery, subject, series, basis, sources and source_deliveries.
    """
    if not lake.table(INSTANCES).exists():
        return volumes, 0
    now = standing(lake)
    wanted = {key: basis((row["instance"], row["version"]) for row in rows) for key, rows in now.counting().items()}
    moments = {row["delivery"]: row["moment"] for row in now.rows}
    known = {(row["subject"], row["series"]) for row in now.rows}
    there = {(row["delivery"], row["instance"]) for row in now.rows}
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in volumes.select(["delivery", "subject", "series", "basis", "sources", "source_deliveries"]).to_pylist():
        groups[row["subject"], row["series"]].append(row)
    # by series the delivery whose volumes count; empty: none does
    chosen: dict[Key, str] = {}
    behind = 0
    for key, rows in groups.items():
        if key not in known or any(row["basis"] is None for row in rows):
            continue  # it did not come as DICOM, or was made before this was noted: all of it counts
        fresh = [row for row in rows if row["basis"] == wanted.get(key)]
        behind += key in wanted and not fresh
        usable = fresh or [row for row in rows if key in wanted and _is_whole(row, there)]
        chosen[key] = max(((moments.get(row["delivery"], ""), row["delivery"]) for row in usable), default=("", ""))[1]
    keys = zip(*(volumes[name].to_pylist() for name in ("delivery", "subject", "series")), strict=True)
    mask = [chosen.get((subject, series), delivery) == delivery for delivery, subject, series in keys]
    return volumes.filter(pa.array(mask, pa.bool_())), behind


def _is_whole(volume: Row, there: Collection[tuple[str, str]]) -> bool:
    """Whether everything that a volume was made of is still there."""
    keepers = volume["source_deliveries"] or [volume["delivery"]] * len(volume["sources"])
    return all(pair in there for pair in zip(keepers, volume["sources"], strict=True))


def licences(lake: Lake, rows: Iterable[Mapping[str, Any]]) -> dict[Key, set[str]]:
    """Every licence that instances of a series came under, the same instance brought again included."""
    found: dict[Key, set[str]] = defaultdict(set)
    for row in rows:
        found[row["subject"], row["series"]] |= set(row["licences"] or ()) | {row["licence"]}
    for copy in lake.table(COPIES).rows(["subject", "series", "licence"]):
        if (key := (copy["subject"], copy["series"])) in found:
            found[key].add(copy["licence"])
    return dict(found)


def _read(lake: Lake, contract: Any, columns: list[str], deliveries: Sequence[str] | None) -> pa.Table:
    table = lake.table(contract)
    if not table.exists():
        return contract.arrow_schema.empty_table().select(columns)
    if deliveries is None:
        return table.read(columns)
    return pa.concat_tables([table.read(columns, {"delivery": delivery}) for delivery in deliveries])


def _known(rows: pa.Table) -> pa.Table:
    """Rows with an identity each: one without, of tables made by hand, is an instance of its own."""
    names = list(_COLUMNS)
    filled = [
        {**row, "identity": row["identity"] or f"{row['delivery']}/{row['instance']}", "version": row["version"] or "",
         "moment": row["moment"] or ""}
        for row in rows.to_pylist()
    ] if any(rows[name].null_count for name in ("identity", "version", "moment")) else None  # fmt: skip
    return rows if filled is None else pa.Table.from_pylist(filled, rows.schema).select(names)
