"""What waits in quarantine, as work to go through: by reason, with the remedy and examples.

Belongs here: reading the table that every station fills (`stages.station.held`). Its paths hold PHI; what leaves here
for people without access to the restricted zone names a row by an id that only the vault's key can make.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lake.zones import Lake
from schemas.tables import QUARANTINE, RECEIVED
from stages.identity import open_vault

EXAMPLES = 5
"""Ids that a group names; all of them are in the list that `larmor quarantine --list` writes."""

_ID_DIGITS = 16
"""Hexadecimal digits of an id: 64 bits keep a million rows apart."""

STATIONS = ("received", "instances", "volumes", "reports", "labels", "diagnoses")
"""Stations that hold files back, in the order in which a delivery passes them."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """Rows of one station and reason.

    Attributes:
        reason: of the closed list.
        stage: station that held them back.
        remedy: what a person can do.
        count: rows.
        deliveries: deliveries that they came in, sorted.
        examples: ids of a few rows.
    """

    reason: str
    stage: str
    remedy: str
    count: int
    deliveries: tuple[str, ...]
    examples: tuple[str, ...]


def waiting(lake: Lake, delivery: str | None = None, reason: str | None = None) -> list[dict[str, Any]]:
    """Rows of quarantine, each with its `id`; sorted, and empty where nothing is held.

    The rows hold PHI (paths). An id is the same as long as the row is the same one.

    Args:
        lake: the lake.
        delivery: of this delivery only.
        reason: of this reason only.
    """
    table = lake.table(QUARANTINE)
    if not table.exists():
        return []
    rows = table.rows(None, {"delivery": delivery} if delivery else None)
    rows = [row for row in rows if reason in (None, row["reason"])]
    if not rows:
        return []
    key = open_vault(lake).derived(b"quarantine row")
    named = [{"id": _id(key, row), **row} for row in rows]
    return sorted(named, key=lambda row: (row["delivery"], STATIONS.index(row["stage"]), row["reason"], row["id"]))


def grouped(rows: Iterable[Row]) -> list[Group]:
    """Rows of `waiting` by reason and station, most first; nothing of a group is PHI."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["reason"], row["stage"]), []).append(row)
    groups = [
        Group(
            reason,
            stage,
            members[0]["remedy"],
            len(members),
            tuple(sorted({row["delivery"] for row in members})),
            tuple(sorted(row["id"] for row in members)[:EXAMPLES]),
        )
        for (reason, stage), members in found.items()
    ]
    return sorted(groups, key=lambda group: (-group.count, group.reason, group.stage))


def first_station(groups: Sequence[Group]) -> str | None:
    """The first station, in the way of a delivery, that holds something; None: none does."""
    return min((group.stage for group in groups), key=STATIONS.index, default=None)


def kept(lake: Lake, delivery: str) -> frozenset[tuple[str, str, str]]:
    """Path, digest and content of the files of a delivery that go on to the stations after reception."""
    table = lake.table(RECEIVED)
    if not table.exists():
        return frozenset()
    rows = table.rows(["path", "sha256", "content", "outcome"], {"delivery": delivery})
    return frozenset((row["path"], row["sha256"], row["content"]) for row in rows if row["outcome"] == "kept")


def _id(key: bytes, row: Row) -> str:
    what = "\0".join(str(row[name]) for name in ("delivery", "stage", "path", "line"))
    return hmac.new(key, what.encode(), hashlib.sha256).hexdigest()[:_ID_DIGITS]
