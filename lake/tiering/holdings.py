"""A lake as a fleet: every part file of every table that may move, where it is, and since when.

Belongs here: from tables and the record of places to the planner's arrays, and from uses of tables to reads of files.
What was used, and what will be, is handed in (`stages.upkeep.tiers`): this room does not know the ledger.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lake.tables.files import DataFile, commits, data_files
from lake.tiering.archived import places
from lake.tiering.fleet import NEVER, Fleet, Uses
from lake.tiering.mover import needed
from lake.zones import Lake
from schemas.contract import Table
from schemas.prices import PriceBook
from schemas.tables import TABLES

_RANGE_BYTES = 8 * 2**20
"""Bytes of a read request: readers fetch a large file by ranges of about so much."""


@dataclass(frozen=True)
class Use:
    """A use of a table, of some or all of its deliveries.

    Attributes:
        table: its path.
        day: day of reading, counted from the day of the plan; negative: it was.
        passes: how often everything is read that day.
        deliveries: deliveries it reads; None: all.
        known: day from which it was known; later than `day`: nobody announced it.
    """

    table: str
    day: int
    passes: float
    deliveries: frozenset[str] | None = None
    known: int = -NEVER


@dataclass(frozen=True)
class Terms:
    """The licence of a delivery.

    Attributes:
        licence: its id.
        until: last day in force; None: no end.
    """

    licence: str
    until: dt.date | None


@dataclass(frozen=True)
class Held:
    """A file of the lake.

    Attributes:
        contract: its table.
        file: the file.
        tier: class it is in.
        needed: whether the newest version or a release needs it.
    """

    contract: Table
    file: DataFile
    tier: str
    needed: bool


def held(lake: Lake, book: PriceBook) -> tuple[list[Held], dict[str, str]]:
    """Every part file that may move, and the day that each moved one came to its tier, by table and path."""
    found, moved = [], {}
    for contract in TABLES:
        table = lake.table(contract)
        if contract.sealed or not table.exists():
            continue
        keep, there = needed(lake, contract), places(table.source)
        for file in data_files(table):
            place = there.get(file.path)
            if not file.on_disk and place is None:
                continue
            tier = place.tier if place else book.classes[0].name
            found.append(Held(contract, file, tier, file.path in keep))
            if place:
                moved[f"{contract.path}/{file.path}"] = place.moved
    return found, moved


def fleet_of(lake: Lake, book: PriceBook, today: dt.date, terms: Mapping[str, Terms]) -> tuple[Fleet, list[Held]]:
    """The lake's files as a fleet of groups of one file, days counted from today.

    Args:
        lake: the lake.
        book: prices.
        today: day 0.
        terms: delivery to its licence.

    Raises:
        ValueError: if a file is on a tier that the book does not name.
    """
    files, moved = held(lake, book)
    tables = sorted({each.contract.path for each in files})
    licences = sorted({one.licence for one in terms.values()} | {""})
    batches = {name: place for place, name in enumerate(sorted({_batch(each) for each in files}))}
    number = {kind.name: place for place, kind in enumerate(book.classes)}
    stopped = {path: _stopped(lake, path) for path in tables}
    rows = []
    for each in files:
        own = terms.get(each.file.partition.get("delivery", ""), Terms("", None))
        born = min((each.file.written.date() - today).days, -1)
        book.named(each.tier)
        day = moved.get(f"{each.contract.path}/{each.file.path}")
        since = (dt.date.fromisoformat(day) - today).days if day else born
        until = each.file.until
        spare = NEVER if each.needed else min(stopped[each.contract.path].get(until, -1) - today.toordinal(), -1)
        rows.append(
            (
                tables.index(each.contract.path), licences.index(own.licence), batches[_batch(each)],
                each.file.bytes, born, spare, (own.until - today).days if own.until else NEVER, number[each.tier],
                max(-since, 1),
            )
        )  # fmt: skip
    columns = np.array(rows, np.int64).reshape(-1, 9).T
    fleet = Fleet.of(
        columns[3].astype(np.float64), tables=tables, licences=licences, table=columns[0], licence=columns[1],
        batch=columns[2], born=columns[4], spare=columns[5], licence_end=columns[6], start=columns[7], held=columns[8],
    )  # fmt: skip
    return fleet, files


def _batch(each: Held) -> str:
    """Files of a delivery are used together, whatever the table; other tables are read as a whole."""
    return each.file.partition.get("delivery", "") or each.contract.path


def reads_of(uses: Sequence[Use], fleet: Fleet, files: Sequence[Held]) -> Uses:
    """Uses of tables as reads of their files: all files of the deliveries, in ranges."""
    group, day, requests, size, known = [], [], [], [], []
    place = {path: number for number, path in enumerate(fleet.tables)}
    delivery = np.array([each.file.partition.get("delivery", "") for each in files])
    live = np.array([each.needed for each in files], np.bool_)
    for use in uses:
        if use.table not in place:
            continue
        hit = (fleet.table == place[use.table]) & live & (fleet.born <= use.day)
        if use.deliveries is not None:
            hit &= np.isin(delivery, list(use.deliveries))
        rows = np.flatnonzero(hit)
        group.append(rows)
        day.append(np.full(len(rows), use.day))
        requests.append(use.passes * np.maximum(np.ceil(fleet.bytes[rows] / _RANGE_BYTES), 1))
        size.append(use.passes * fleet.bytes[rows])
        known.append(np.full(len(rows), use.known))
    if not group:
        return Uses.none()
    return Uses(*(np.concatenate(column) for column in (group, day, requests, size, known))).merged()


def _stopped(lake: Lake, path: str) -> dict[int | None, int]:
    """Version to the day of its commit, as an ordinal: from then on what it removed is spare."""
    (contract,) = (table for table in TABLES if table.path == path)
    found: dict[int | None, int] = {}
    for version, text in commits(lake.table(contract)):
        for line in text.splitlines():
            if '"commitInfo"' in line and (stamp := json.loads(line).get("commitInfo", {}).get("timestamp")):
                found[version] = dt.datetime.fromtimestamp(stamp / 1000, dt.UTC).date().toordinal()
    return found
