"""What each table holds and what it would cost a month in each class of storage.

Belongs here: counting, and the arithmetic of a price book. It only shows; nothing is moved. Prices are a document
(`schemas.prices`, `lake/tiering/prices.yaml`), never code.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

import yaml

from lake.releases import names
from lake.tables.files import DataFile, data_files, log_files
from lake.tables.upkeep import pinned
from lake.zones import Lake
from schemas.contract import Table
from schemas.prices import PriceBook, StorageClass
from schemas.tables import ACCESS, TABLES, VOLUMES

WINDOW_DAYS = 30
"""Reads of this many days count as those of a month."""

_READING = ("read", "export")


@dataclass(frozen=True)
class Costs:
    """What a table would cost in one class.

    Attributes:
        storage: a month's storage, watching included.
        reading: a month's reads.
        moving: moving every file there, once.
        fits: whether Delta readers go on working: files of a live version must be readable at once.
    """

    storage: float
    reading: float
    moving: float
    fits: bool

    @property
    def month(self) -> float:
        """Storage and reading of a month."""
        return self.storage + self.reading


@dataclass(frozen=True)
class Holding:
    """A table, as storage sees it.

    Attributes:
        table: its path.
        rows: rows of the newest version.
        files: part files on disk.
        bytes: their size.
        needed_files: of these, files that the newest version or a release needs; they are never archived.
        needed_bytes: their size.
        spare_files: files that only older versions need, or no commit names; a clean-up would remove them.
        spare_bytes: their size.
        log_files: files of the Delta log; they are never moved.
        log_bytes: their size.
        oldest: when the oldest file was written.
        newest: when the newest file was written.
        last_read: last recorded access that read it.
        reads: reads of the whole table a month that the costs assume.
        movable: whether its files may be moved at all; those of a sealed table may not.
        costs: class to costs.
        proposed: the cheapest class that answers within milliseconds and spans more than one zone.
    """

    table: str
    rows: int
    files: int
    bytes: int
    needed_files: int
    needed_bytes: int
    spare_files: int
    spare_bytes: int
    log_files: int
    log_bytes: int
    oldest: dt.datetime | None
    newest: dt.datetime | None
    last_read: dt.datetime | None
    reads: float
    movable: bool
    costs: Mapping[str, Costs]
    proposed: str


def price_book(path: Path | None = None) -> PriceBook:
    """The price book at `path`, or the one that ships.

    Raises:
        schemas.document.DocumentError: if there is none, or it does not say what it must.
    """
    if path is not None:
        return PriceBook.read(path)
    shipped = resources("lake.tiering").joinpath("prices.yaml").read_text(encoding="utf-8")
    return PriceBook.parse(yaml.safe_load(shipped), "prices.yaml")


def holdings(lake: Lake, book: PriceBook, now: dt.datetime, reads: float | None = None) -> list[Holding]:
    """Every table that there is.

    Args:
        lake: the lake.
        book: prices.
        now: the time that ages and the month of reads count back from.
        reads: reads of each whole table a month; None: what `audit/access` recorded in the last `WINDOW_DAYS`.
    """
    needed = pinned(lake)
    accesses = lake.table(ACCESS).rows(["time", "action", "subject_of_access", "rows"])
    releases = set(names(lake))
    found = []
    for contract in TABLES:
        if lake.table(contract).exists():
            mine = [row for row in accesses if _reads(row, contract, releases)]
            found.append(_holding(lake, contract, needed.get(contract.path, set()), mine, book, now, reads))
    return found


def costs(
    files: Sequence[DataFile], kind: StorageClass, book: PriceBook, *, reads: float, last_use: dt.datetime | None,
    now: dt.datetime,
) -> Costs:  # fmt: skip
    """What files would cost in a class.

    Args:
        files: the files.
        kind: the class.
        book: its book, whose first class charges the standard part of overheads.
        reads: reads of all the files a month, one request a file.
        last_use: when they were last read; None: never, so that a file's own age counts.
        now: the time idle days count to.
    """
    gb = book.bytes_per_gb
    storage = sum(_storage(file, kind, gb, _idle_days(file, last_use, now)) for file in files)
    storage += len(files) * kind.overhead_standard_bytes / gb * book.classes[0].per_gb_month
    size = sum(file.bytes for file in files)
    reading = reads * (size / gb * kind.retrieval_per_gb + len(files) / 1000 * kind.get_per_1000)
    return Costs(storage, reading, len(files) / 1000 * kind.put_per_1000, kind.immediate)


def _storage(file: DataFile, kind: StorageClass, gb: int, idle: int) -> float:
    if kind.falls:
        small = file.bytes < kind.minimum_bytes
        rates = [fall.per_gb_month for fall in kind.falls if idle >= fall.after_days and not small]
        watched = 0 if small else kind.monitoring_per_1000 / 1000
        return file.bytes / gb * (rates[-1] if rates else kind.per_gb_month) + watched
    billed = max(file.bytes, kind.minimum_bytes) + kind.overhead_bytes
    return billed / gb * kind.per_gb_month + kind.monitoring_per_1000 / 1000


def _idle_days(file: DataFile, last_use: dt.datetime | None, now: dt.datetime) -> int:
    return (now - max(file.written, last_use or file.written)).days


def _holding(
    lake: Lake,
    contract: Table,
    pinned: set[int],
    accesses: Sequence[Mapping[str, object]],
    book: PriceBook,
    now: dt.datetime,
    reads: float | None,
) -> Holding:
    table = lake.table(contract)
    files = [file for file in data_files(table) if file.on_disk]
    needed = [file for file in files if file.newest or any(file.in_version(version) for version in pinned)]
    log = log_files(table)
    rows = sum(file.rows for file in files if file.newest)
    last_read = max((_time(row) for row in accesses), default=None)
    assumed = _monthly(accesses, rows, now) if reads is None else reads
    by_class = {
        kind.name: costs(files, kind, book, reads=assumed, last_use=last_read, now=now) for kind in book.classes
    }
    candidates = [kind.name for kind in book.classes if kind.immediate and not kind.single_zone]
    movable = not contract.sealed
    return Holding(
        table=contract.path,
        rows=rows,
        files=len(files),
        bytes=_size(files),
        needed_files=len(needed),
        needed_bytes=_size(needed),
        spare_files=len(files) - len(needed),
        spare_bytes=_size(files) - _size(needed),
        log_files=len(log),
        log_bytes=sum(found.bytes for found in log),
        oldest=min((file.written for file in files), default=None),
        newest=max((file.written for file in files), default=None),
        last_read=last_read,
        reads=assumed,
        movable=movable,
        costs=by_class,
        proposed=min(candidates, key=lambda name: by_class[name].month) if movable else candidates[0],
    )


def _reads(row: Mapping[str, object], contract: Table, releases: set[str]) -> bool:
    """Whether an access read this table; one of a release read its volumes."""
    target = row["subject_of_access"]
    through = contract is VOLUMES and target in releases
    return row["action"] in _READING and (target == contract.path or through)


def _monthly(accesses: Iterable[Mapping[str, object]], rows: int, now: dt.datetime) -> float:
    """Reads of the whole table in the last `WINDOW_DAYS`: half of its rows read twice is one."""
    since = now - dt.timedelta(days=WINDOW_DAYS)
    read = sum(int(str(row["rows"])) for row in accesses if _time(row) >= since)
    return read / rows if rows else 0.0


def _time(row: Mapping[str, object]) -> dt.datetime:
    return dt.datetime.fromisoformat(str(row["time"]))


def _size(files: Iterable[DataFile]) -> int:
    return sum(file.bytes for file in files)
