"""Moves files between tiers: verified, resumable, and never what a reader needs out of its reach.

Belongs here: what may move, and the order of steps. A batch is written down before anything is touched
(`_tiers/moving.json`); every file is copied and read back before its place changes; the record of places is renewed in
between, so that at any moment a whole copy exists and a reader is told where. Whoever finds a batch does it again, step
by step, each of which may have been done already. How a place changes is `lake.tiering.folders` and `objects`.
"""

import contextlib
import datetime as dt
import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from lake.releases import Release, names
from lake.tables.files import data_files
from lake.tables.table import LakeTable
from lake.tiering import lease
from lake.tiering.archived import FOLDER, Place, keep, places
from lake.tiering.stores import MoveFailed, NotYet, Store, store_of
from lake.zones import Lake
from schemas.contract import Table
from schemas.prices import PriceBook

JOURNAL, _LOCK = "moving.json", "lock"

_BATCH_FILES, _BATCH_BYTES = 256, 4 * 2**30
"""What a batch holds at most, so that a crash leaves little to do again."""


class MoveRefused(ValueError):
    """A file must stay readable where it is; the message says why."""


class Busy(RuntimeError):
    """Another process moves files of this table."""


@dataclass(frozen=True)
class Move:
    """A file and its new tier.

    Attributes:
        path: the file, relative to its table.
        bytes: its size.
        source: class it is in.
        target: class it is to be in.
        sha256: digest that its commit recorded; None: none.
        why: which rule, or what else, gave the tier.
    """

    path: str
    bytes: int
    source: str
    target: str
    sha256: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Batch:
    """Moves that are done as one; it is the journal's content.

    Attributes:
        id: name that it keeps through crashes.
        moves: its moves.
    """

    id: str
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Result:
    """What became of moves.

    Attributes:
        moved: those that are done.
        gone: files that were cleaned up meanwhile.
        waiting: files that must be restored first; move them again later.
        failed: what is wrong with others, which stayed where they were.
    """

    moved: tuple[Move, ...] = ()
    gone: tuple[Move, ...] = ()
    waiting: tuple[Move, ...] = ()
    failed: tuple[str, ...] = ()

    def __add__(self, other: "Result") -> "Result":
        """Both."""
        return Result(*(getattr(self, name) + getattr(other, name) for name in vars(self)))


Record = Callable[[Table, str, Sequence[Move]], None]
"""Told of each batch that is done: table, id of the batch, moves. After a crash it may be told of one again."""


def unrecorded(table: Table, batch: str, moves: Sequence[Move]) -> None:
    """Record nothing."""


def needed(lake: Lake, contract: Table) -> set[str]:
    """Files of a table that its newest version or a release needs."""
    pinned = {
        found[contract.path] for found in (Release.open(lake, name).manifest.tables for name in names(lake))
        if contract.path in found
    }  # fmt: skip
    return {
        file.path
        for file in data_files(lake.table(contract))
        if file.newest or any(file.in_version(version) for version in pinned)
    }


def move(lake: Lake, contract: Table, moves: Sequence[Move], book: PriceBook, record: Record = unrecorded) -> Result:
    """Move files of a table; a batch that a crash left is finished first.

    Args:
        lake: the lake.
        contract: the table.
        moves: which files, and where to.
        book: prices, whose first class is the table's own place.
        record: told of each batch that is done.

    Raises:
        MoveRefused: if one of the files must not go there; nothing was moved then.
        Busy: if another process is at it.
    """
    table = lake.table(contract)
    with _alone(table) as renew:
        result = _left(lake, table, book, record)
        refuse(contract, moves, needed(lake, contract) if moves else set(), book)
        store = store_of(table, lake.settings.tiers, book)
        for some in _batches(moves):
            renew()
            result += _carried_out(table, Batch(uuid.uuid4().hex, tuple(some)), store, book, record)
    return result


def resume(lake: Lake, contract: Table, book: PriceBook, record: Record = unrecorded) -> Result:
    """Finish what a crash left half done; see `move`."""
    return move(lake, contract, [], book, record)


def restore(
    lake: Lake,
    contract: Table,
    paths: Sequence[str],
    book: PriceBook,
    way: str = "Standard",
    record: Record = unrecorded,
) -> Result:
    """Have archived files back in the class that files are written to.

    Where a store needs hours it is asked, and the files are given back as waiting; the same call fetches them later.

    Args:
        lake: the lake.
        contract: the table.
        paths: which files; others than archived ones are left alone.
        book: prices.
        way: how to restore: Standard, or as the book says of the class.
        record: told of each batch that is done.
    """
    table = lake.table(contract)
    store, there = store_of(table, lake.settings.tiers, book), places(table.source)
    back: list[Move] = []
    waiting: list[Move] = []
    for path in paths:
        place = there.get(path)
        if place is None or not place.hours:
            continue
        kind = book.named(place.tier)
        ways = [each.name for each in kind.restores]
        asked = Move(path, place.bytes, place.tier, book.classes[0].name, place.sha256, "restored")
        (back if store.ask(path, kind, way if way in ways else ways[0]) else waiting).append(asked)
    return move(lake, contract, back, book, record) + Result(waiting=tuple(waiting))


def refuse(contract: Table, moves: Sequence[Move], needed_files: set[str], book: PriceBook) -> None:
    """Refuse moves that would take something out of a reader's reach.

    Raises:
        MoveRefused: saying which and why.
    """
    if contract.sealed and moves:
        raise MoveRefused(f"table {contract.path}: found moves of a sealed table, needed none; every byte of it stays")
    for each in moves:
        target = book.named(each.target)
        if not each.path.endswith(".parquet") or any(part.startswith("_") for part in each.path.split("/")):
            raise MoveRefused(f"table {contract.path}: found a move of a log or an index, needed part files alone")
        if ".." in each.path.split("/") or each.path.startswith("/"):
            raise MoveRefused(f"table {contract.path}: found a path outside the table, needed its own files")
        if not target.immediate and each.path in needed_files:
            raise MoveRefused(
                f"table {contract.path}: found a move to {target.name} of a file that the newest version or a release "
                f"needs, needed a tier that can be read at once; {target.name} takes {target.hours:g} hours"
            )
        if target.single_zone:
            raise MoveRefused(
                f"table {contract.path}: found a move to {target.name}, which one data centre holds, needed a class "
                "that spans several: not everything of a lake can be made again"
            )


def _carried_out(table: LakeTable, batch: Batch, store: Store, book: PriceBook, record: Record) -> Result:
    journal = table.location.join(FOLDER)
    said = {"id": batch.id, "moves": [asdict(each) for each in batch.moves]}
    journal.write_bytes(JOURNAL, json.dumps(said).encode())
    known = places(table.source)
    result, ready = _prepared(batch, store, book, known)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    for each in ready:
        assert each.sha256 is not None
        if each.target == book.classes[0].name:
            continue  # it is told of again when it is back
        known[each.path] = Place(each.target, each.sha256, each.bytes, today, book.named(each.target).hours)
    keep(table.location, known)
    for each in ready:
        store.finish(each.path, book.named(each.source), book.named(each.target), str(each.sha256))
    back = [each.path for each in (*ready, *result.gone) if each.path in known
            and (each in result.gone or each.target == book.classes[0].name)]  # fmt: skip
    if back:
        keep(table.location, {path: place for path, place in known.items() if path not in set(back)})
    if ready:
        record(table.contract, batch.id, ready)
    journal.delete(JOURNAL)
    return result + Result(moved=tuple(ready))


def _prepared(batch: Batch, store: Store, book: PriceBook, known: dict[str, Place]) -> tuple[Result, list[Move]]:
    result, ready = Result(), []
    for each in batch.moves:
        place = known.get(each.path)
        digest = place.sha256 if place else each.sha256
        try:
            found = store.prepare(each.path, book.named(each.source), book.named(each.target), digest)
        except NotYet:
            result += Result(waiting=(each,))
        except FileNotFoundError:
            result += Result(gone=(each,))
        except MoveFailed as error:
            result += Result(failed=(str(error),))
        else:
            ready.append(replace(each, sha256=found))
    return result, ready


def _left(lake: Lake, table: LakeTable, book: PriceBook, record: Record) -> Result:
    try:
        said = json.loads(table.location.join(FOLDER).read_bytes(JOURNAL))
    except FileNotFoundError:
        return Result()
    batch = Batch(said["id"], tuple(Move(**each) for each in said["moves"]))
    return _carried_out(table, batch, store_of(table, lake.settings.tiers, book), book, record)


def _batches(moves: Sequence[Move]) -> Iterator[list[Move]]:
    some: list[Move] = []
    for each in moves:
        if some and (len(some) >= _BATCH_FILES or sum(m.bytes for m in some) + each.bytes > _BATCH_BYTES):
            yield some
            some = []
        some.append(each)
    if some:
        yield some


@contextlib.contextmanager
def _alone(table: LakeTable) -> Iterator[Callable[[], None]]:
    """One mover a table, by a lock that a dead process gives up by itself; on S3 by a lease, which must be renewed."""
    beside = table.location.join(FOLDER)
    busy = Busy(f"table {table.contract.path}: found another process moving its files; wait for it")
    if not table.location.local:
        try:
            with lease.held(beside) as renew:
                yield renew
        except lease.Taken:
            raise busy from None
        return
    if not table.location.path.is_dir():
        yield lambda: None
        return
    beside.make()
    descriptor = os.open(beside.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield lambda: None
    finally:
        os.close(descriptor)
