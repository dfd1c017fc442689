"""The hashes of the tree in tiles, so that a proof over millions of entries reads a few small files.

Belongs here: keeping them and asking for the root of a part of the tree. A full tile holds 256 hashes, raw, one after
the other: tile N of level L those of the nodes of height 8L from 256N on, under the path that C2SP tlog-tiles gives it
(c2sp.org/tlog-tiles, "Merkle Tree"); the last tile of a level holds as many as there are yet. Tiles are derived from
the log and trusted by nobody: each proof made of them is checked against a seal before it is handed out
(`lineage.ledger.proofs`), and the folder may be removed at any time.
"""

import hashlib
import secrets
from collections.abc import Iterable, Sequence

from lake.stores.storage import Location
from lineage.ledger.merkle import node_hash, split

_HEIGHT = 8
_WIDTH = 1 << _HEIGHT
_HASH = 32
_BYTES = _WIDTH * _HASH

_AT_ONCE = 1 << 16
"""Leaves added at once when the tiles of a whole log are made: as many as fill tiles of two levels."""


class TilesMissing(LookupError):
    """The tiles do not reach as far as was asked for; they are made from the log."""


class Tiles:
    """Tiles of a log; each is read at most once."""

    def __init__(self, location: Location) -> None:
        """Tiles below a folder, which need not be there yet."""
        self._location = location
        self._read: dict[tuple[int, int], bytes] = {}

    def subtree(self, start: int, stop: int) -> bytes:
        """Root of the tree over the leaves from `start` to before `stop`; a `lineage.ledger.merkle.Subtree`.

        Raises:
            TilesMissing: if a tile of it is not there, or too short.
        """
        size = stop - start
        if size & (size - 1):
            middle = start + split(size)
            return node_hash(self.subtree(start, middle), self.subtree(middle, stop))
        level, height = divmod(size.bit_length() - 1, _HEIGHT)
        tile, place = divmod(start >> _HEIGHT * level, _WIDTH)
        return _root(self._hashes(level, tile, place, place + (1 << height)))

    def reach(self, size: int) -> bool:
        """Whether there are tiles for a tree of this many leaves; what they hold is not looked at."""
        try:
            for level in range(max(1, -(-size.bit_length() // _HEIGHT))):
                nodes = size >> _HEIGHT * level
                if nodes:
                    self._hashes(level, (nodes - 1) // _WIDTH, 0, (nodes - 1) % _WIDTH + 1)
        except TilesMissing:
            return False
        return True

    def extend(self, size: int, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes after the first `size`.

        Raises:
            TilesMissing: if the tiles do not reach to `size`.
        """
        held: list[bytes] = []
        for leaf in leaves:
            held.append(leaf)
            if (size + len(held)) % _AT_ONCE == 0:
                self._extend(size, held)
                size, held = size + len(held), []
        self._extend(size, held)

    def _extend(self, first: int, nodes: Sequence[bytes]) -> None:
        level = 0
        while nodes:
            tile, kept = divmod(first, _WIDTH)
            data = b"".join([self._hashes(level, tile, 0, kept), *nodes])
            cut = [data[place : place + _BYTES] for place in range(0, len(data), _BYTES)]
            for number, content in enumerate(cut, tile):
                self._write(level, number, content)
            level, first, nodes = level + 1, tile, [_root(content) for content in cut if len(content) == _BYTES]

    def _hashes(self, level: int, tile: int, start: int, stop: int) -> bytes:
        """Hashes of a tile from one place to before another."""
        if start == stop:
            return b""
        found = self._read.get((level, tile), b"")
        if len(found) < stop * _HASH:
            try:
                found = self._read[level, tile] = self._location.read_bytes(_path(level, tile))
            except (FileNotFoundError, NotADirectoryError):
                found = b""
        if len(found) < stop * _HASH:
            raise TilesMissing(f"tiles/{_path(level, tile)}: found fewer hashes than needed")
        return found[start * _HASH : stop * _HASH]

    def _write(self, level: int, tile: int, data: bytes) -> None:
        self._read.pop((level, tile), None)
        if not self._location.local:
            self._location.write_bytes(_path(level, tile), data)
            return
        # whole or not at all, but not durable: a tile that a crash loses is made anew, and waiting for the disk at
        # each of forty thousand would take minutes
        path = self._location.path / _path(level, tile)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        temporary.write_bytes(data)
        temporary.replace(path)


def _path(level: int, tile: int) -> str:
    """Path of a tile: its number in groups of three digits, all but the last marked with an x."""
    *head, last = [group.zfill(3) for group in f"{tile:,}".split(",")]
    return "/".join([str(level), *(f"x{group}" for group in head), last])


def _root(hashes: bytes) -> bytes:
    """Root of the perfect tree over raw hashes."""
    sha256 = hashlib.sha256
    while len(hashes) > _HASH:
        pairs = range(0, len(hashes), 2 * _HASH)
        hashes = b"".join([sha256(b"\x01" + hashes[place : place + 2 * _HASH]).digest() for place in pairs])
    return hashes
