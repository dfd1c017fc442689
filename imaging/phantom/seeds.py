"""Random numbers that depend on a seed and on what they are for, not on the order of calls.

Belongs here: streams, digests and stratified draws. A subject is the same in two deliveries because its streams are.
"""

import hashlib
from collections.abc import Hashable

import numpy as np

GOLDEN = 0.6180339887498949
"""Fractional part of the golden ratio: its multiples fill the unit interval evenly."""


def digest(seed: int, *purpose: Hashable) -> bytes:
    """32 bytes that follow from a seed and a purpose."""
    return hashlib.sha256("\x1f".join(map(str, (seed, *purpose))).encode()).digest()


def stream(seed: int, *purpose: Hashable) -> np.random.Generator:
    """A generator of its own for a purpose."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest(seed, *purpose)[:16], "big")))


def uid(seed: int, *purpose: Hashable) -> str:
    """A UID that follows from a seed and a purpose.

    Source: DICOM PS3.5 B.2 (UUID-derived UIDs, root 2.25).
    """
    return f"2.25.{int.from_bytes(digest(seed, 'uid', *purpose)[:16], 'big') | 1 << 125}"


def chosen(seed: int, purpose: str, ordinal: int, fraction: float) -> bool:
    """Whether this ordinal belongs to a fraction of all ordinals; any run of ordinals holds nearly that fraction."""
    start = int.from_bytes(digest(seed, purpose)[:4], "big") / 2**32
    return (start + ordinal * GOLDEN) % 1.0 < fraction
