"""Proof of absence: every byte that is left, searched for what was withdrawn.

Belongs here: which files are read and how bytes are searched. Files in columns are read column by column, since their
pages are compressed; everything else as it lies on disk. The audit zone is not searched: its pseudonyms are the
evidence, and lead to nobody once the secret is gone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deid.proof.residual import Scanner
from lake.staging.cache import Cache
from lake.stores.storage import Location
from lake.zones import Lake
from schemas.contract import Zone
from stages.second_look.surroundings import pieces

_BATCH = 64
"""Rows of a Parquet file in memory at once, voxels among them."""


@dataclass(frozen=True)
class Absence:
    """What was searched, for how much, and what was found.

    Attributes:
        pseudonyms: codes and pseudonymous UIDs looked for.
        identifiers: identifying values of the persons looked for; 0 where they were deleted in an earlier, interrupted
            run of the same withdrawal.
        files: files read.
        bytes: bytes searched, after decompression.
        found: hits by place.
    """

    pseudonyms: int
    identifiers: int
    files: int
    bytes: int
    found: dict[str, int]


def absent(lake: Lake, pseudonyms: Sequence[str], scanner: Scanner | None) -> Absence:
    """Search landing, the restricted, curated and models zones, and what lies beside them.

    Args:
        lake: the lake.
        pseudonyms: codes and UIDs of what was withdrawn; none may stand anywhere.
        scanner: knows the persons' identifying values; None: they are not looked for.
    """
    needles = [name.encode() for name in pseudonyms]
    found: Counter[str] = Counter()
    files = size = 0
    for place, location, name in _everything(lake):
        files += 1
        hits = sum(needle in name.encode() for needle in needles)
        for data in _content(location, name):
            size += len(data)
            hits += sum(data.find(needle) >= 0 for needle in needles)
            if scanner is not None:
                hits += sum(finding.count for finding in scanner.scan_storage(data, place))
        if hits:
            found[place] += hits
    return Absence(len(needles), scanner.size if scanner else 0, files, size, dict(found))


def _everything(lake: Lake) -> Iterator[tuple[str, Location, str]]:
    """Every file outside the audit zone, with the place it counts to."""
    searched: list[Path] = []
    for place, location in (
        *((str(zone), lake.location(zone)) for zone in Zone if zone is not Zone.AUDIT),
        ("landing", lake.landed()),
    ):
        if location.local:
            searched.append(location.path)
        for name in location.walk():
            yield place, location, name
    if cache := Cache.of(lake.settings):
        searched.append(cache.folder)
        yield from (("staged", Location(cache.folder), name) for name in Location(cache.folder).walk())
    audit = lake.location(Zone.AUDIT)
    outside = {*searched, *([audit.path] if audit.local else [])}
    for folder in sorted(lake.settings.root.iterdir()) if lake.settings.root.is_dir() else ():
        if folder.is_dir() and folder not in outside:
            beside = Location(folder)
            for name in beside.walk():
                yield folder.name, beside, name


def _content(location: Location, name: str) -> Iterator[bytes]:
    try:
        if name.endswith(".parquet"):
            yield from _columns(location, name)
        elif location.local:
            yield from pieces(location.path / name)
        else:
            yield location.read_bytes(name)
    except FileNotFoundError:
        return  # others write and tidy up at the same time


def _columns(location: Location, name: str) -> Iterator[bytes]:
    try:
        source: Any = pa.memory_map(str(location.path / name)) if location.local else None
        parquet = pq.ParquetFile(source if source is not None else pa.BufferReader(location.read_bytes(name)))
    except pa.ArrowInvalid:
        yield from pieces(location.path / name) if location.local else [location.read_bytes(name)]
        return
    with parquet:
        yield str(parquet.metadata.metadata).encode()
        for batch in parquet.iter_batches(_BATCH):
            yield from _buffers(batch.columns)


def _buffers(arrays: Iterable[pa.Array]) -> Iterator[bytes]:
    """The bytes of text and binary values, which lie one behind the other in a buffer of their array."""
    for array in arrays:
        for buffer in array.buffers():
            if buffer is not None and buffer.size > 1:
                yield buffer.to_pybytes()
