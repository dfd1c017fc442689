"""Finding planted values in what a tool wrote.

Belongs here: the views of a file in which a value could still be read. A DICOM parser is used for nothing but pixel
planes; a value that a parser does not show is still a leak.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np

from benchmarks.traps.mint import Token

_PIXEL_DATA = re.compile(rb"\xe0\x7f\x10\x00(?:OW|OB)\0\0(.{4})", re.DOTALL)
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_MOST_STREAMS = 64
_BITS = 16


class Views:
    """The ways to read a file: as it is, inflated, with bytes swapped, and by the planes of its pixels."""

    def __init__(self, data: bytes) -> None:
        """Take a file."""
        self._data = data

    @cached_property
    def exact(self) -> tuple[bytes, ...]:
        """The views."""
        whole = [self._data, *_inflated(self._data)]
        whole.extend(_planes(self._data))
        swapped = [_swapped(view) for view in whole[:1]]
        return tuple(whole + swapped)

    @cached_property
    def folded(self) -> tuple[bytes, ...]:
        """The views with ASCII letters in lower case."""
        return tuple(view.lower() for view in self.exact)

    def shows(self, token: Token) -> bool:
        """Whether a token can still be read."""
        views = self.exact if token.exact else self.folded
        wanted = token.needles if token.exact else tuple(needle.lower() for needle in token.needles)
        return any(needle in view for view in views for needle in wanted)


def leaks(tokens: Iterable[Token], outputs: Mapping[str, bytes]) -> list[Token]:
    """The tokens that their file's output still shows.

    Args:
        tokens: the key.
        outputs: file name to what a tool made of it; a file that is missing left nothing.
    """
    views = {name: Views(data) for name, data in outputs.items()}
    return [token for token in tokens if token.file in views and views[token.file].shows(token)]


def _inflated(data: bytes) -> list[bytes]:
    """Deflated datasets and streams, for example of PDF documents."""
    found = []
    if data[128:132] == b"DICM":
        start = 144 + struct.unpack_from("<I", data, 140)[0] if data[132:136] == b"\2\0\0\0" else 132
        raw = _inflate(data[start:], -zlib.MAX_WBITS)
        if len(raw) > len(data[start:]) // 2 and b"\x08\x00" in raw[:64]:
            found.append(raw)
    for match in list(_ZLIB.finditer(data))[:_MOST_STREAMS]:
        raw = _inflate(data[match.start() :], zlib.MAX_WBITS)
        if raw:
            found.append(raw)
    return found


def _inflate(data: bytes, bits: int) -> bytes:
    try:
        return zlib.decompressobj(bits).decompress(data, 1 << 24)
    except zlib.error:
        return b""


def _swapped(data: bytes) -> bytes:
    swapped = bytearray(data[: len(data) // 2 * 2])
    swapped[0::2], swapped[1::2] = data[1 : len(swapped) : 2], data[0 : len(swapped) : 2]
    return bytes(swapped)


def _planes(data: bytes) -> list[bytes]:
    """Each bit of 16-bit pixels as a packed plane (PS3.5 8.1.2), where overlays once were stored."""
    planes = []
    for match in _PIXEL_DATA.finditer(data):
        length = struct.unpack("<I", match[1])[0]
        pixels = np.frombuffer(data[match.end() : match.end() + length // 2 * 2], "<u2")
        planes.extend(
            np.packbits((pixels >> bit & 1).astype(np.uint8), bitorder="little").tobytes() for bit in range(_BITS)
        )
    return planes
