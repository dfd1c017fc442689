"""Which files of a lake have bytes that must never change, and the digest that each must have.

Belongs here: finding them, and who says their digest: the commit that added a part file, the delivery's list of
received files, a release's or a model's manifest; what none of these names is remembered when it is first read. Reading
and comparing is `lake.integrity.scrub`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lake.releases import MANIFEST, MEMBERS
from lake.stores.found import Found
from lake.stores.storage import Location
from lake.tables.files import LOG, data_files
from lake.tiering.archived import places
from lake.zones import Lake
from schemas.contract import Table, Zone
from schemas.tables import RECEIVED, TABLES

LANDING = "landing"
"""The place of deliveries as they came; the others are the zones."""

STATE = "scrub"
"""Folder of the restricted zone with what scrubs remember; it names files of landing."""

_FIXED = re.compile(
    rf"[^/]+/{LOG}/\d{{20}}(\.[^/]+)?\.(json|parquet)"  # commits and checkpoints
    r"|[^/]+/(.+/)?part-[^/]+\.parquet"  # part files, whoever wrote them
    r"|seals/\d{8}\.json"
    r"|releases/[^/]+/[^/]+"
    r"|vault/(vault\.(key|check)|subjects/[0-9a-f]+)"
)
"""Files of tables, seals, releases and the vault that are written once."""

_STATED = {"weights_sha256": "weights.safetensors", "config_sha256": "config.yaml", "exposure_sha256": "exposure.json"}
"""What a model's manifest says of its files (`schemas.checkpoint`)."""


class UnreadableLog(ValueError):
    """A table's log cannot be read, so that nobody can tell what its files must be; the message names the table."""


@dataclass(frozen=True)
class Watched:
    """A file whose bytes must not change.

    Attributes:
        place: the zone, or `landing`.
        name: its path there.
        bytes: its size now; None: it is not there.
        sha256: the digest that it must have; None: nobody has said so yet.
        table: path of the table that it belongs to; None: it is no part of one.
        needed: whether a reader of the newest version or of a release fails without it.
    """

    place: str
    name: str
    bytes: int | None
    sha256: str | None
    table: str | None = None
    needed: bool = False


def location(lake: Lake, place: str) -> Location:
    """Where the files of a place lie."""
    return lake.landed() if place == LANDING else lake.location(Zone(place))


def logs(lake: Lake) -> Iterator[Watched]:
    """Files of the tables' logs, which must be sound before anything else can be told."""
    for contract in TABLES:
        folder = lake.location(contract.zone, contract.name, LOG)
        for found in folder.files():
            name = f"{contract.name}/{LOG}/{found.name}"
            if _FIXED.fullmatch(name):
                yield Watched(contract.zone, name, found.bytes, None, contract.path, needed=True)


def part_files(lake: Lake, contract: Table) -> list[Watched]:
    """Part files of a table that a commit names and that are there or should be.

    Those in an archive cannot be read before they are restored; the mover held them to their digest when it put them
    there, and does so again when they come back.

    Raises:
        UnreadableLog: if its log cannot be read.
    """
    table = lake.table(contract)
    try:
        archive = {path for path, place in places(table.source).items() if place.hours}
        files = [file for file in data_files(table) if file.path not in archive]
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        raise UnreadableLog(f"table {contract.path}: found a log that cannot be read, needed an intact one") from None
    return [
        Watched(contract.zone, f"{contract.name}/{file.path}", file.bytes if file.on_disk else None, file.sha256,
                contract.path, file.newest)
        for file in files
        if not file.orphan and (file.on_disk or file.newest)
    ]  # fmt: skip


def others(lake: Lake) -> Iterator[Watched]:
    """Releases, models, seals and the vault; what tables hold is left to `part_files` and `logs`."""
    tables = {contract.path for contract in TABLES}
    for zone in Zone:
        place = lake.location(zone)
        files = [f for f in place.files() if f"{zone}/{f.name.split('/')[0]}" not in tables and _is_other(zone, f)]
        stated = _stated(place, files, zone)
        for found in files:
            yield Watched(zone, found.name, found.bytes, stated.pop(found.name, None), needed=True)
        for name, sha256 in stated.items():
            yield Watched(zone, name, None, sha256, needed=True)


def received(lake: Lake) -> Iterator[Watched]:
    """Files of deliveries as they came, with the digest that they had then.

    Raises:
        UnreadableLog: if the table of received files cannot be read.
    """
    there = {found.name: found.bytes for found in lake.landed().files()}
    try:
        rows = lake.table(RECEIVED).rows(["delivery", "path", "sha256"])
    except (ValueError, KeyError, TypeError, OSError):
        raise UnreadableLog(f"table {RECEIVED.path}: found files that cannot be read, needed them intact") from None
    for row in rows:
        name = f"{row['delivery']}/{row['path']}"
        # a delivery may leave landing once it is in the lake
        if name in there:
            yield Watched(LANDING, name, there[name], row["sha256"])


def _is_other(zone: Zone, found: Found) -> bool:
    parts = found.name.split("/")
    if any(part.startswith(".") for part in parts) or (zone is Zone.RESTRICTED and parts[0] == STATE):
        return False
    if zone is Zone.MODELS:
        return len(parts) > 1
    return _FIXED.fullmatch(found.name) is not None and parts[0] in ("seals", "releases", "vault")


def _stated(place: Location, files: list[Found], zone: Zone) -> dict[str, str]:
    stated: dict[str, str] = {}
    for found in files:
        folder, _, name = found.name.rpartition("/")
        if name != MANIFEST or zone not in (Zone.MODELS, Zone.CURATED):
            continue
        manifest = _manifest(place, found.name)
        names = {"members_sha256": MEMBERS} if zone is Zone.CURATED else _STATED
        stated |= {f"{folder}/{file}": manifest[key] for key, file in names.items() if manifest.get(key)}
    return stated


def _manifest(place: Location, name: str) -> Mapping[str, str]:
    try:
        found = json.loads(place.read_bytes(name))
    except (ValueError, OSError):
        return {}  # the manifest itself is a file that is watched
    return found if isinstance(found, dict) else {}
