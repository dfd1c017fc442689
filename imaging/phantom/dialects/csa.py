"""The Siemens CSA header: a private table of named values inside an element of bytes.

Belongs here: writing one, for phantoms. Source: the layout that `nibabel.nicom.csareader` reads, type CSA2: `SV10`,
four bytes, tag count, the number 77, then the tags.
"""

import struct
from collections.abc import Mapping, Sequence

_MAGIC = b"SV10\x04\x03\x02\x01"
_CHECK = 77
_LEAST_ITEMS = 6
"""Scanners write at least six items a tag, the unused ones empty."""
_TYPES = {"IS": 6, "DS": 3, "CS": 16, "FD": 4, "LO": 19, "SH": 22, "UN": 0}


def csa(tags: Mapping[str, tuple[str, Sequence[str]]]) -> bytes:
    """A CSA2 header.

    Args:
        tags: name to (value representation, values as text).
    """
    parts = [_MAGIC, struct.pack("<2I", len(tags), _CHECK)]
    for name, (representation, values) in tags.items():
        count = max(_LEAST_ITEMS, len(values)) if values else 0
        parts.append(
            struct.pack(
                "<64si4s3i",
                name.encode(),
                len(values),
                representation.encode(),
                _TYPES[representation],
                count,
                _CHECK,
            )
        )
        padded = [f"{value}\0".encode() for value in values] + [b""] * (count - len(values))
        parts += [_item(value) for value in padded]
    data = b"".join(parts)
    return data + bytes(len(data) % 2)


def _item(value: bytes) -> bytes:
    size = len(value)
    return struct.pack("<4i", size, size, _CHECK, size) + value + bytes(-size % 4)
