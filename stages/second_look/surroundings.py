"""The second look at what lies around the data: names of files and partitions, table logs, Dagster's storage and logs.

Belongs here: which files are read, and which words are ours. De-identified data leak less often than the logs beside
them. How bytes are searched is `deid.proof.residual`; the data themselves are `stages.second_look.residual`.
"""

import contextlib
import getpass
import platform
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from deid.proof.residual import Finding, Scanner
from lake.stores.found import Found
from lake.stores.newer import LOG, newer, numbered
from lake.stores.storage import Location
from lake.tables.parquet import rows_of
from lake.zones import Lake
from lineage.ledger.commits import Log, tip
from lineage.ledger.events import EventType
from lineage.terms.terms import history
from schemas.contract import Zone
from schemas.delivery import MANIFEST_NAME
from schemas.reasons import Reason
from schemas.tables import IDENTIFIERS, LICENCES, RECEIVED, TABLES
from stages import policies
from stages.second_look.residual import Residue

_CHECKPOINT = ".parquet"
_READ = frozenset(
    {".json", ".crc", ".db", ".db-wal", ".db-shm", ".db-journal", ".out", ".err", ".log", ".txt", ".yaml", ".yml",
     ".tsv", ".csv", ".html", ".md", ".bval", ".bvec", ""}
)  # fmt: skip
"""Endings of files whose content is words. Voxels, weights and part files are searched where they are made."""
_CHUNK, _OVERLAP = 16 << 20, 512
_WORD = re.compile(r"[^\W\d_]+")

Seen = set[tuple[str, int, int]]
"""Path, size and time of change of files that were read before."""


def scan_around(
    lake: Lake, delivery: str, home: str | None = None, seen: Seen | None = None, *, into_others: bool = True
) -> Residue:
    """Scan everything outside the restricted zone and landing that was written since a delivery landed.

    Of the ledger the commits are read; a file that no commit names there is a finding of `larmor verify`.

    Args:
        lake: the lake.
        delivery: whose identifiers are looked for.
        home: folder of Dagster's storage and logs; None: the lake's own, where it has one.
        seen: files that were read before and did not change; those that are read now are added.
        into_others: whether partitions of other deliveries are looked into as well, where part files alone belong; it
            is the one thing whose cost grows with the lake, so of the scans of a delivery only the last one does it.
    """
    only = None if into_others else f"delivery={quote(delivery, safe='')}"
    return _around(lake, [delivery], _landed(lake, delivery), home, only, _Found(seen if seen is not None else set()))


def scan_everything_around(lake: Lake, deliveries: Sequence[str], home: str | None = None) -> Residue:
    """Scan everything outside the restricted zone and landing, however old, for identifiers of several deliveries.

    Args:
        lake: the lake.
        deliveries: whose identifiers are looked for.
        home: folder of Dagster's storage and logs; None: the lake's own, where it has one.
    """
    return _around(lake, deliveries, 0.0, home, None, _Found(set()))


def _around(
    lake: Lake, deliveries: Sequence[str], since: float, home: str | None, only: str | None, found: "_Found"
) -> Residue:
    """Scan what was written since a moment, seconds since the epoch; of partitions `only` one, or all."""
    values = _values(lake, deliveries)
    scanner = Scanner.of_storage(values, own_words(lake))
    ledger = Log.of(lake)
    but = ledger.ledger.path if ledger.ledger.local else None
    for top, folder in _folders(lake, Path(home) if home else lake.settings.root / "dagster").items():
        files = newer(folder, since, only, but)
        if top == Zone.AUDIT and ledger.has(0):
            files = chain(files, numbered(ledger.commits.path, tip(ledger).version, since))
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # others write and tidy up at the same time
                found.look(scanner, top, file.relative_to(folder), file)
    for top, zone in _far(lake).items():
        for there in zone.files():
            if there.changed.timestamp() >= since:
                with contextlib.suppress(FileNotFoundError):
                    found.look_far(scanner, top, there, zone)
    return found.residue(len(values))


def scan_folder(lake: Lake, deliveries: Iterable[str], folder: Path) -> Residue:
    """Scan a folder that is to leave, such as an export: names of files, sidecars, tables and pages."""
    values = _values(lake, deliveries)
    scanner = Scanner.of_storage(values, own_words(lake))
    found = _Found(set())
    for file in newer(folder):
        found.look(scanner, "export", file.relative_to(folder), file)
    return found.residue(len(values))


def own_words(lake: Lake) -> frozenset[str]:
    """Words that this software, its documents and the people who run it write, lower case."""
    texts = [str(lake.settings.root), sys.prefix, str(Path.home()), platform.node(), _user(), *Reason, *EventType]
    texts += [lake.settings.policy, lake.settings.principal or ""]
    texts += [f"{table.path} {' '.join(column.name for column in table.columns)}" for table in TABLES]
    texts += policies.texts(lake)
    for entry in history(lake) if lake.table(LICENCES).exists() else ():
        document = entry.document
        texts += [document.id, document.licensor, document.title, getattr(document, "attribution", "")]
    return frozenset(word for text in texts for word in _WORD.findall(text.casefold()))


class _Found:
    """What was found so far."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._findings: Counter[str] = Counter()
        self._places: set[str] = set()
        self._bytes = 0

    def look(self, scanner: Scanner, top: str, name: Path, file: Path) -> None:
        """Look at a file's name and, where it holds words, at its content."""
        status = file.stat()
        self._look(scanner, top, name, (str(file), status.st_size, status.st_mtime_ns), lambda: _content(file))

    def look_far(self, scanner: Scanner, top: str, file: Found, zone: Location) -> None:
        """Look at an object of a zone on S3 as at a file."""
        mark = (zone.address(file.name), file.bytes, int(file.changed.timestamp() * 1e9))
        name = Path(file.name)
        self._look(scanner, top, name, mark, lambda: _words(zone.read_bytes(file.name), name.suffix))

    def _look(
        self, scanner: Scanner, top: str, name: Path, mark: tuple[str, int, int], content: Callable[[], Iterable[bytes]]
    ) -> None:
        if mark in self._seen:
            return
        self._seen.add(mark)
        in_name = scanner.scan_storage(f"/{name}/".encode(), f"file names of {top}")
        # a name that tells a person is not told again
        self._note(in_name, top if in_name else f"{top}/{name.parent}")
        if _readable(name):
            for data in content():
                self._bytes += len(data)
                self._note(scanner.scan_storage(data, _kind(top, name)), top if in_name else f"{top}/{name.parent}")

    def _note(self, findings: list[Finding], place: str) -> None:
        for finding in findings:
            self._findings[f"{finding.kind} in {finding.where}"] += finding.count
            self._places.add(place)

    def residue(self, values: int) -> Residue:
        """All of it."""
        return Residue(values, self._bytes, dict(self._findings), tuple(sorted(self._places)[:5]))


def _values(lake: Lake, deliveries: Iterable[str]) -> set[tuple[str, str]]:
    table = lake.table(IDENTIFIERS)
    rows = [row for delivery in deliveries for row in table.rows(["kind", "value"], {"delivery": delivery})]
    return {(row["kind"], row["value"]) for row in rows}


def _landed(lake: Lake, delivery: str) -> float:
    """When the delivery landed: what was last written before cannot hold anything of it; 0 where nobody knows."""
    parts = lake.table(RECEIVED).location.join(f"delivery={quote(delivery, safe='')}").files()
    times, folder = [part.changed.timestamp() for part in parts], lake.landed(delivery)
    if not folder.exists(MANIFEST_NAME):
        return 0.0
    # the time of change: copying a file keeps its time of modification, not this one; an object has only the former
    at = (folder.path / MANIFEST_NAME).stat().st_ctime if folder.local else _put(folder)
    return min([*times, at])


def _put(folder: Location) -> float:
    return folder.about(MANIFEST_NAME).changed.timestamp()


def _far(lake: Lake) -> dict[str, Location]:
    """Zones outside the restricted one that lie on S3."""
    zones = {str(zone): lake.location(zone) for zone in Zone if zone is not Zone.RESTRICTED}
    return {name: zone for name, zone in zones.items() if not zone.local}


def _folders(lake: Lake, home: Path) -> dict[str, Path]:
    """Every local folder of the lake outside the restricted zone and landing, by what to call it."""
    settings = lake.settings
    closed = {settings.place(name) for name in (Zone.RESTRICTED, "landing", "licences")}
    open_zones = (zone for zone in Zone if zone is not Zone.RESTRICTED)
    zones = {str(zone): place for zone in open_zones if isinstance(place := settings.place(zone), Path)}
    root = settings.root
    beside = [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
    others = {
        folder.name: folder
        for folder in beside
        if folder not in closed and folder not in zones.values() and folder != home
    }
    return {**zones, **others, "dagster": home}


def _readable(name: Path) -> bool:
    return name.suffix in _READ or (name.suffix == _CHECKPOINT and LOG in name.parts)


def _content(file: Path) -> Iterator[bytes]:
    if file.suffix == _CHECKPOINT:
        yield from _words(file.read_bytes(), file.suffix)
    else:
        yield from pieces(file)


def pieces(file: Path) -> Iterator[bytes]:
    """The content of a file in pieces that overlap, so that nothing is cut in two."""
    with file.open("rb") as opened:
        before = b""
        while piece := opened.read(_CHUNK):
            yield before + piece
            before = piece[-_OVERLAP:]


def _words(data: bytes, ending: str) -> Iterator[bytes]:
    """The content of a small file that is in memory; a checkpoint's is compressed."""
    if ending != _CHECKPOINT:
        yield data
        return
    try:
        yield str(rows_of(data).to_pylist()).encode()
    except pa.ArrowInvalid:
        yield data


def _kind(top: str, name: Path) -> str:
    return f"{top} table logs" if LOG in name.parts else f"{top} files"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
