"""What an installation and a lake lack, if anything.

Belongs here: examinations, each with a remedy. Printing is `orchestration.verbs.doctor`, buckets are
`orchestration.buckets`.
"""

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from lake.settings import EngineName, Settings
from orchestration import buckets
from orchestration.finding import Finding
from schemas.rooms import ROOMS
from schemas.tables import TABLES

if TYPE_CHECKING:
    from lake.zones import Lake

_FREE_GIB = 5
"""Free disk below which a demo may not finish: its lake is under 1 GiB, its environment 7."""

_OPEN_FILES = 256
"""Files that a process may need open at once: those of its libraries, and of a worker for each core."""

_JAVA = 17

_TAMPERED = (
    "keep a copy of the audit zone as evidence; larmor verify says what else does not hold, and "
    "docs/how-to/keep-and-restore.md how to restore"
)


def examine(settings: Settings) -> list[Finding]:
    """Examine the installation, then the buckets that the lake lies in, then the lake."""
    found = [_python(), _rooms(), _java(settings), *_packages(), _disk(settings), _open_files(), *_rules(settings)]
    stores = list(buckets.examine(settings))
    if all(store.ok or not store.needed for store in stores):
        return [*found, *stores, *_lake(settings)]
    return [*found, *stores, Finding("lake", False, "not looked at", "put the bucket right, then ask again")]


def _python() -> Finding:
    version = "{}.{}.{}".format(*sys.version_info[:3])
    return Finding("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer and run make setup")


def _rules(settings: Settings) -> Iterator[Finding]:
    """Whether the lake's own classification rules can be used, where it has some."""
    from imaging.kinds.rules import load_rules
    from schemas.document import DocumentError

    if settings.classification_rules is None:
        return
    remedy = "correct the document; docs/how-to/extend-classification.md says what it may hold"
    try:
        found = ", ".join(load_rules(settings.classification_rules).digests)
    except DocumentError as error:
        yield Finding("classification rules", False, str(error), remedy)
    else:
        yield Finding("classification rules", True, found)


def _packages() -> Iterator[Finding]:
    for name in ("dagster", "deltalake", "pyarrow", "pydicom", "presidio-analyzer", "torch", "lightning", "monai"):
        try:
            yield Finding(name, True, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, False, "not installed", "run make setup")


def _rooms() -> Finding:
    """Whether every room's import name is ours: the index has a package `deid` that would take one."""
    import importlib.util

    home = Path(__file__).resolve().parent.parent
    strangers = []
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            strangers.append(room)
    remedy = "uninstall the package that took the name (pip uninstall deid), then run make setup"
    return Finding(
        "import names", not strangers, "ours" if not strangers else f"not ours: {', '.join(strangers)}", remedy
    )


def _java(settings: Settings) -> Finding:
    wanted = settings.engine is EngineName.SPARK
    java = shutil.which("java")
    remedy = f"install Java {_JAVA} or newer; only the Spark engine needs it"
    if java is None:
        return Finding("Java", not wanted, "none, needed for LARMOR_ENGINE=spark only", remedy, wanted)
    told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    match = re.search(r'version "(\d+)', told.stderr)
    major = int(match[1]) if match else 0
    return Finding(
        "Java", major >= _JAVA or not wanted, f"version {major}" if major else "unknown version", remedy, wanted
    )


def _disk(settings: Settings) -> Finding:
    place = next(p for p in (settings.root, *settings.root.parents) if p.exists())
    free = shutil.disk_usage(place).free / 2**30
    return Finding(
        "free disk", free >= _FREE_GIB, f"{free:.0f} GiB", f"free at least {_FREE_GIB} GiB, or set LARMOR_ROOT"
    )


def _open_files() -> Finding:
    """Whether a process may have enough files open; with too few, libraries cannot even be loaded."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = allowed == resource.RLIM_INFINITY
    remedy = "say ulimit -n 4096 in the shell, or set LimitNOFILE= of the service"
    return Finding(
        "open files", endless or allowed >= _OPEN_FILES, "no limit" if endless else f"{allowed} at once", remedy
    )


def _formats(lake: "Lake") -> Finding:
    """Whether this version writes to the lake's tables: one that an older or a newer version made, it refuses."""
    from lake.errors import TableNewer
    from stages.upkeep.upgrade import due

    try:
        older = due(lake)
    except TableNewer as error:
        return Finding("format", False, str(error), "install the version of Larmor that the other machines have")
    found = f"of an older version: {', '.join(each.table for each in older)}" if older else "of this version"
    return Finding("format", not older, found, "larmor doctor backup PLACE, then larmor upgrade")


def _lake(settings: Settings) -> Iterator[Finding]:
    if not settings.root.is_dir():
        yield Finding("lake", True, f"none yet at {settings.root}")
        return
    from lake.zones import Lake
    from lineage.ledger.verify import verify

    lake = Lake(settings)
    there = [table.name for table in TABLES if lake.table(table).exists()]
    yield Finding("tables", True, ", ".join(there) or "none yet")
    yield _formats(lake)
    restricted = settings.place("restricted")
    if isinstance(restricted, Path) and restricted.is_dir():
        mode = restricted.stat().st_mode & 0o077
        yield Finding(
            "restricted zone",
            not mode,
            "for its owner only" if not mode else "open to others",
            f"chmod 700 {restricted}",
        )
    verdict = verify(lake)
    found = f"{verdict.entries} entries, {verdict.seals} seals" if verdict.ok else f"does not hold: {verdict.first}"
    yield Finding("ledger", verdict.ok, found, _TAMPERED)
