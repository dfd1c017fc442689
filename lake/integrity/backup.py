"""Backups: a consistent copy of all zones, kept by digest, and a lake made from one.

Belongs here: what belongs to a copy, in which order it is looked at, and its making and reading. Which versions fit
together beyond the tables (the ledger's head and seals) is the caller's to say.

A backup place holds `objects/`, every file once by its SHA-256, so that the next backup copies what is new; and
`backups/<name>/`, the list of files and, written last, the manifest. A backup that was killed has no manifest, and the
next one finds what it has copied. Objects hold PHI where restricted zone and landing are part of it.

Order makes the copy consistent while deliveries run: releases are listed first, then tables are pinned from the end of
the data's way to its beginning, so that what a row came from is always in the copy; the vault is read last.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from lake.integrity.copies import OBJECTS, object_name
from lake.integrity.watched import LANDING, STATE, location
from lake.stores.remains import is_temporary
from lake.stores.storage import Location
from lake.tables.files import LOG, data_files
from lake.tables.parquet import rows_of
from lake.tables.upkeep import pinned
from lake.zones import Lake
from schemas.contract import Table, Zone
from schemas.document import canonical_json
from schemas.tables import TABLES

_BACKUPS, _FILES, _MANIFEST, _MARK = "backups", "files.parquet", "manifest.json", "restoring.json"
_FORMAT = 1
_ROOT = ("licences", "releases")
"""Folders beside the zones that belong to a lake: documents of licences and specifications of releases."""
_AT_ONCE = 8
"""Files copied at once: enough to hide a store's answer times, few enough to fit memory."""

_LIST = pa.schema([("place", pa.string()), ("name", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])


class BackupError(ValueError):
    """A backup cannot be made or restored; the message says what was found and what is needed."""


@dataclass(frozen=True)
class Kept:
    """A file of a backup.

    Attributes:
        place: a zone, `landing`, or a folder beside them.
        name: its path there.
        bytes: its size.
        sha256: its digest.
    """

    place: str
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        name: its name, by which it is restored.
        made: when, UTC, RFC 3339.
        restricted: whether the restricted zone and landing are part of it.
        tables: version of each table.
        files: how many files.
        bytes: their size.
        files_sha256: digest of the list of files.
        format: version of this layout.
    """

    name: str
    made: str
    restricted: bool
    tables: Mapping[str, int]
    files: int
    bytes: int
    files_sha256: str
    format: int = _FORMAT

    @property
    def text(self) -> str:
        """The manifest's file."""
        return canonical_json(vars(self))

    @property
    def sha256(self) -> str:
        """Digest of the manifest's file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Rules:
    """What a caller knows of files that change while a backup is made.

    Attributes:
        pins: version that a table is pinned to; the others are pinned to their newest.
        fixed: content of small files as it belongs to these versions, by `<zone>/<name>`.
        left_out: whether a file is left out, by zone and name.
    """

    pins: Mapping[str, int] = field(default_factory=dict)
    fixed: Mapping[str, bytes] = field(default_factory=dict)
    left_out: Callable[[str, str], bool] = lambda _zone, _name: False


@dataclass(frozen=True)
class _Wanted:
    """A file to copy; its digest and size where they are known without reading it."""

    place: str
    name: str
    size: int | None = None
    sha256: str | None = None
    data: bytes | None = None


def backup(
    lake: Lake,
    place: Location,
    rules: Rules | None = None,
    *,
    restricted: bool = True,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Manifest, int]:
    """Copy a lake; the manifest, and how many files had to be copied.

    Args:
        lake: the lake.
        place: where backups lie, a folder or a prefix of S3; private, since objects hold PHI.
        rules: what the caller knows of files that change meanwhile.
        restricted: copy the restricted zone and landing too; without them nobody is known again, and nothing received
            later can be joined to persons received before.
        report: takes a line that tells a person how far it is.

    Raises:
        BackupError: if a file is not what its commit says, so that a copy of it would be worth nothing.
    """
    rules = rules or Rules()
    there = {found.name: found.bytes for found in place.join(OBJECTS).files()}
    versions, wanted = _chosen(lake, rules, restricted)
    kept, copied = list[Kept](), 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done, (file, new) in enumerate(pool.map(lambda one: _copy(lake, place, one, there), wanted), 1):
            kept.append(file)
            copied += new
            if done % 1000 == 0:
                report(f"{done} of {len(wanted)} files")
    listed = _listed(kept)
    made = dt.datetime.now(dt.UTC)
    manifest = Manifest(
        name=_free_name(place, made),
        made=made.isoformat(timespec="seconds").replace("+00:00", "Z"),
        restricted=restricted,
        tables=versions,
        files=len(kept),
        bytes=sum(file.bytes for file in kept),
        files_sha256=hashlib.sha256(listed).hexdigest(),
    )
    folder = place.join(_BACKUPS, manifest.name)
    folder.write_bytes(_FILES, listed)
    # the manifest comes last: without it there is no backup
    folder.create(_MANIFEST, manifest.text.encode())
    return manifest, copied


def backups(place: Location) -> list[Manifest]:
    """The backups of a place, oldest first."""
    folder = place.join(_BACKUPS)
    found = [_manifest(place, name) for name in folder.list() if folder.exists(f"{name}/{_MANIFEST}")]
    return sorted(found, key=lambda manifest: manifest.name)


def restore(
    place: Location, lake: Lake, name: str | None = None, report: Callable[[str], None] = lambda _: None
) -> Manifest:
    """Make a lake from a backup; one that was stopped goes on where it was.

    Args:
        place: where backups lie.
        lake: a lake with nothing in its zones.
        name: the backup; None: the newest.
        report: takes a line that tells a person how far it is.

    Raises:
        BackupError: if there is no such backup, one of its files is damaged, or the lake is not empty.
    """
    manifest = _asked(place, name)
    listed = place.join(_BACKUPS, manifest.name).read_bytes(_FILES)
    if hashlib.sha256(listed).hexdigest() != manifest.files_sha256:
        raise BackupError(f"backup {manifest.name}: found another list of files than its manifest's; use another one")
    files = [Kept(**row) for row in rows_of(listed).to_pylist()]
    mark = _begin(lake, manifest)
    # a table is there once its log is, so logs and what points to the newest commit come last
    files.sort(key=lambda file: (f"/{LOG}/" in file.name or file.name.startswith("seals/"), file.name))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done, _ in enumerate(pool.map(lambda file: _bring(place, lake, file), files), 1):
            if done % 1000 == 0:
                report(f"{done} of {len(files)} files")
    mark.delete(_MARK)
    return manifest


def _chosen(lake: Lake, rules: Rules, restricted: bool) -> tuple[dict[str, int], list[_Wanted]]:
    zones = [Zone.MODELS, Zone.CURATED, Zone.AUDIT, *([Zone.RESTRICTED] if restricted else [])]
    wanted = [file for zone in zones[:3] for file in _loose(lake, zone, rules)]
    needed = pinned(lake)
    versions = {}
    for contract in reversed(TABLES):
        table = lake.table(contract)
        if contract.zone in zones and table.exists():
            version = rules.pins.get(contract.path, table.version())
            versions[contract.path] = version
            wanted += _table(lake, contract, {version, *needed.get(contract.path, ())}, version)
    wanted += [_Wanted(*_parted(key), data=data) for key, data in rules.fixed.items()]
    if restricted:
        wanted += [_Wanted(LANDING, f.name, f.bytes) for f in lake.landed().files() if _finished(f.name)]
        wanted += _loose(lake, Zone.RESTRICTED, rules)
    for folder in _ROOT:
        wanted += [_Wanted(folder, f.name, f.bytes) for f in _beside(lake, folder).files() if _finished(f.name)]
    return versions, wanted


def _parted(key: str) -> tuple[str, str]:
    place, _, name = key.partition("/")
    return place, name


def _table(lake: Lake, contract: Table, versions: set[int], newest: int) -> Iterator[_Wanted]:
    table = lake.table(contract)
    for file in data_files(table):
        if file.on_disk and any(file.in_version(version) for version in versions):
            yield _Wanted(contract.zone, f"{contract.name}/{file.path}", file.bytes, file.sha256)
    for found in table.location.join(LOG).files():
        number = found.name.split(".")[0]
        if number.isdigit() and int(number) <= newest and not is_temporary(found.name):
            yield _Wanted(contract.zone, f"{contract.name}/{LOG}/{found.name}", found.bytes)


def _loose(lake: Lake, zone: Zone, rules: Rules) -> list[_Wanted]:
    """Files of a zone that no table holds: releases, reports, seals, models, the vault."""
    tables = {contract.name for contract in TABLES if contract.zone is zone}
    return [
        _Wanted(zone, found.name, found.bytes)
        for found in lake.location(zone).files()
        if found.name.split("/")[0] not in tables
        and _finished(found.name)
        and not (zone is Zone.RESTRICTED and found.name.startswith(f"{STATE}/"))
        and f"{zone}/{found.name}" not in rules.fixed
        and not rules.left_out(zone, found.name)
    ]


def _finished(name: str) -> bool:
    """Whether nothing in a path says that it is still being made."""
    return not any(part.startswith(".") or is_temporary(part) for part in name.split("/"))


def _beside(lake: Lake, place: str) -> Location:
    if place == "licences":
        return Location(lake.settings.folder("licences"))
    if place in _ROOT:
        return Location(lake.settings.root / place)
    return location(lake, place)


def _copy(lake: Lake, place: Location, wanted: _Wanted, there: Mapping[str, int]) -> tuple[Kept, bool]:
    if wanted.sha256 and wanted.size is not None and there.get(_stored(wanted.sha256)) == wanted.size:
        return Kept(wanted.place, wanted.name, wanted.size, wanted.sha256), False
    try:
        data = _beside(lake, wanted.place).read_bytes(wanted.name) if wanted.data is None else wanted.data
    except FileNotFoundError:
        raise BackupError(
            f"a file of {wanted.place}: found it gone that was there a moment ago, needed it; make the backup again, "
            "and run larmor doctor scrub --all if it is still missing"
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    if wanted.sha256 not in (None, digest):
        raise BackupError(
            f"a file of {wanted.place}: found other bytes than its commit says, needed them as they were written; find "
            "it with larmor doctor scrub --all, restore it from a copy, then make the backup"
        )
    new = there.get(_stored(digest)) != len(data)
    if new:
        place.write_bytes(object_name(digest), data)
    return Kept(wanted.place, wanted.name, len(data), digest), new


def _stored(sha256: str) -> str:
    return object_name(sha256).removeprefix(f"{OBJECTS}/")


def _listed(kept: list[Kept]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([vars(file) for file in kept], _LIST), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _free_name(place: Location, made: dt.datetime) -> str:
    """A name by time that comes after all others there, also where a clock was turned back."""
    last = max((manifest.name for manifest in backups(place)), default="")
    name = made.strftime("%Y%m%dt%H%M%Sz")
    return name if name > last else f"{last}-1"


def _manifest(place: Location, name: str) -> Manifest:
    try:
        found = Manifest(**json.loads(place.join(_BACKUPS, name).read_bytes(_MANIFEST)))
    except (ValueError, TypeError):
        raise BackupError(f"backup {name}: found a damaged manifest, needed an intact one; use another") from None
    if found.format != _FORMAT:
        raise BackupError(f"backup {name}: found format {found.format}, needed {_FORMAT}; use the Larmor that made it")
    return found


def _asked(place: Location, name: str | None) -> Manifest:
    there = backups(place)
    found = [manifest for manifest in there if name in (None, manifest.name)]
    if not found:
        listed = ", ".join(manifest.name for manifest in there) or "none"
        raise BackupError(f"found no backup {name or ''} here, needed one of: {listed}; larmor doctor backup makes one")
    return found[-1]


def _begin(lake: Lake, manifest: Manifest) -> Location:
    """Mark the lake as being restored; a lake that holds something else is left alone."""
    mark = lake.location(Zone.AUDIT)
    if mark.exists(_MARK):
        if json.loads(mark.read_bytes(_MARK)) != {"backup": manifest.sha256}:
            raise BackupError("found a lake that another backup is being restored to, needed an empty root")
        return mark
    # a restore that was killed before its mark leaves a file on its way to it
    if any(not is_temporary(name.rpartition("/")[2]) for zone in Zone for name in lake.location(zone).walk()):
        raise BackupError("found a lake there already, needed an empty root; set LARMOR_ROOT to another folder")
    mark.write_bytes(_MARK, canonical_json({"backup": manifest.sha256}).encode())
    return mark


def _bring(place: Location, lake: Lake, file: Kept) -> None:
    target = _beside(lake, file.place)
    if target.exists(file.name) and hashlib.sha256(target.read_bytes(file.name)).hexdigest() == file.sha256:
        return
    try:
        data = place.read_bytes(object_name(file.sha256))
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise BackupError(
            f"a file of {file.place}: found it damaged or missing in the backup, needed its bytes; use another backup"
        )
    target.write_bytes(file.name, data)
