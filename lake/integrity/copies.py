"""Copies of a lake that a damaged file can be fetched from: another lake of the same layout, or a backup.

Belongs here: finding bytes by their digest. Nothing is taken on trust: bytes with another digest are no copy.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lake.settings import Settings
from lake.stores.storage import Location

OBJECTS = "objects"
"""Folder of a backup that holds every file by its digest."""


def copies(settings: Settings) -> list[Location]:
    """The configured copies."""
    roots = (settings.mirror or "").split()
    return [Location(root if "://" in root else _absolute(root), private=True) for root in roots]


def object_name(sha256: str) -> str:
    """Where a backup keeps the bytes of a digest, relative to it; folders of at most some thousand files."""
    return f"{OBJECTS}/{sha256[:2]}/{sha256}"


def fetched(places: Sequence[Location], zone: str, name: str, sha256: str) -> bytes | None:
    """The bytes of a file from the first copy that has them; None where none has.

    Args:
        places: the copies.
        zone: the zone, or `landing`.
        name: the file's path there.
        sha256: digest that the bytes must have.
    """
    for place in places:
        for candidate in (object_name(sha256), f"{zone}/{name}"):
            try:
                data = place.read_bytes(candidate)
            except OSError:
                continue
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
    return None


def _absolute(root: str) -> Path:
    return Path(root).expanduser().absolute()
