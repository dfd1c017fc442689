"""The second look at what lies around the data: names of files and partitions, table logs, Dagster's storage and logs.

Belongs here: which files are read, and which words are ours. De-identified data leak less often than the logs beside
them. How bytes are searched is `deid.residual`; the data themselves are `stages.residual`.
"""

import contextlib
import getpass
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from deid.residual import Finding, Scanner
from lake.zones import Lake
from lineage.events import EventType
from schemas.contract import Zone
from schemas.delivery import MANIFEST_NAME
from schemas.licence import Licence
from schemas.reasons import Reason
from schemas.tables import IDENTIFIERS, LICENCES, RECEIVED, TABLES
from stages.residual import Residue

_LOG = "_delta_log"
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


def scan_around(lake: Lake, delivery: str, home: str | None = None, seen: Seen | None = None) -> Residue:
    """Scan everything outside the restricted zone and landing that was written since a delivery landed.

    Args:
        lake: the lake.
        delivery: whose identifiers are looked for.
        home: folder of Dagster's storage and logs; None: the lake's own, where it has one.
        seen: files that were read before and did not change; those that are read now are added.
    """
    values = _values(lake, [delivery])
    scanner = Scanner.of_storage(values, own_words(lake))
    since = _landed(lake, delivery)
    found = _Found(seen if seen is not None else set())
    for top, folder in _folders(lake, Path(home) if home else lake.settings.root / "dagster").items():
        for file in _files(folder):
            with contextlib.suppress(FileNotFoundError):  # others write and tidy up at the same time
                if file.stat().st_mtime >= since:
                    found.look(scanner, top, file.relative_to(folder), file)
    return found.residue(len(values))


def scan_folder(lake: Lake, deliveries: Iterable[str], folder: Path) -> Residue:
    """Scan a folder that is to leave, such as an export: names of files, sidecars, tables and pages."""
    values = _values(lake, deliveries)
    scanner = Scanner.of_storage(values, own_words(lake))
    found = _Found(set())
    for file in _files(folder):
        found.look(scanner, "export", file.relative_to(folder), file)
    return found.residue(len(values))


def own_words(lake: Lake) -> frozenset[str]:
    """Words that this software, its documents and the people who run it write, lower case."""
    texts = [str(lake.settings.root), sys.prefix, str(Path.home()), platform.node(), _user(), *Reason, *EventType]
    texts += [lake.settings.policy, lake.settings.principal or ""]
    texts += [f"{table.path} {' '.join(column.name for column in table.columns)}" for table in TABLES]
    if lake.table(LICENCES).exists():
        for row in lake.table(LICENCES).rows(["licence", "document"]):
            licence = Licence.model_validate_json(row["document"])
            texts += [row["licence"], licence.licensor, licence.title, licence.attribution or ""]
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
        mark = (str(file), status.st_size, status.st_mtime_ns)
        if mark in self._seen:
            return
        self._seen.add(mark)
        in_name = scanner.scan_storage(f"/{name}/".encode(), f"file names of {top}")
        # a name that tells a person is not told again
        self._note(in_name, top if in_name else f"{top}/{name.parent}")
        if _readable(name):
            for data in _content(file):
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
    parts = (lake.table(RECEIVED).location.path / f"delivery={quote(delivery, safe='')}").glob("*")
    manifest = lake.landing / delivery / MANIFEST_NAME
    times = [part.stat().st_mtime for part in parts]
    # the time of change: copying a file keeps its time of modification, not this one
    return min([*times, manifest.stat().st_ctime]) if manifest.is_file() else 0.0


def _folders(lake: Lake, home: Path) -> dict[str, Path]:
    """Everything of the lake outside the restricted zone and landing, by what to call it."""
    settings = lake.settings
    closed = {settings.folder(name) for name in (Zone.RESTRICTED, "landing", "licences")}
    zones = {str(zone): settings.folder(zone) for zone in Zone if zone is not Zone.RESTRICTED}
    root = settings.root
    beside = [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
    others = {
        folder.name: folder
        for folder in beside
        if folder not in closed and folder not in zones.values() and folder != home
    }
    return {**zones, **others, "dagster": home}


def _files(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(base, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _readable(name: Path) -> bool:
    return name.suffix in _READ or (name.suffix == _CHECKPOINT and _LOG in name.parts)


def _content(file: Path) -> Iterator[bytes]:
    """The content in pieces that overlap, so that nothing is cut in two."""
    if file.suffix == _CHECKPOINT:
        try:
            yield str(pq.read_table(file).to_pylist()).encode()
        except pa.ArrowInvalid:
            yield file.read_bytes()
        return
    with file.open("rb") as opened:
        before = b""
        while piece := opened.read(_CHUNK):
            yield before + piece
            before = piece[-_OVERLAP:]


def _kind(top: str, name: Path) -> str:
    return f"{top} table logs" if _LOG in name.parts else f"{top} files"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
