"""Vendor blobs as scanners write them.

Belongs here: the layout of Siemens CSA headers (version 2, as nibabel's documentation describes it).
"""

import struct
from collections.abc import Mapping, Sequence

_UNUSED, _CHECK = 77, 205


def csa(values: Mapping[str, Sequence[str]]) -> bytes:
    """A CSA header of these values; numbers as decimal strings, the way scanners store them."""
    parts = [b"SV10\4\3\2\1", struct.pack("<II", len(values), _UNUSED)]
    for name, entries in values.items():
        count = max(len(entries), 6)
        parts.append(struct.pack("<64si4siiI", name.encode(), len(entries), b"LO\0\0", 19, count, _CHECK))
        for place in range(count):
            content = entries[place].encode("latin-1") + b"\0" if place < len(entries) else b""
            parts.append(struct.pack("<4i", len(content), len(content), _UNUSED, len(content)))
            parts.append(content + bytes(-len(content) % 4))
    parts.append(bytes(4))
    return b"".join(parts)
