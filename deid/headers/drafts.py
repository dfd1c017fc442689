"""What becomes of a dataset while it is worked on: drafts of what leaves, and what is remembered of elements.

Belongs here: plain records. Filling them is `deid.headers.treatment`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from deid.headers import encoding, vendor

Fact = tuple[str, bytes]
Place = tuple[int, str]
"""Group and creator of a private block."""


class More(NamedTuple):
    """What an element does beside leaving: it reserves a block, or tells facts from inside a sequence."""

    reserved: tuple[int, bytes] | None = None
    facts: Mapping[int, Fact] = {}
    private: bool = False
    blob: tuple[str, int] | None = None


class Known(NamedTuple):
    """What became of an element: the number of its decisions, and what leaves under which tag."""

    number: int
    tag: int
    encoded: bytes | None = None
    fact: Fact | None = None
    more: More | None = None


class Found(NamedTuple):
    """What became of a number out of a blob; nothing where the policy keeps none such."""

    number: int | None = None
    fact: Fact | None = None


@dataclass(slots=True)
class Draft:
    """An output in the making: decisions as numbers of a ledger, and blobs that `deid.headers.vendor` may read."""

    encoded: dict[int, bytes] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    facts: dict[int, Fact] = field(default_factory=dict)
    private: bool = False
    blobs: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def body(self) -> bytes:
        """The encoded elements in order of their tags."""
        return b"".join([self.encoded[tag] for tag in sorted(self.encoded)])

    def add(self, more: More, value: object) -> None:
        """Take over what an element of this value does beside leaving."""
        if more.reserved is not None:
            self.encoded[more.reserved[0]] = more.reserved[1]
        for tag, fact in more.facts.items():
            self.facts.setdefault(tag, fact)
        self.private = self.private or more.private
        if more.blob is not None and isinstance(value, bytes):
            self.blobs[more.blob] = value


@dataclass
class Space:
    """What holds for all elements of one dataset, and what became of those that were seen under it.

    Attributes:
        path: of the sequence it stands in, ending in `>`; empty at the top.
        encodings: of its text.
        signed: whether US-or-SS elements are signed.
        creators: of its private blocks, by group << 8 | block.
    """

    path: str
    encodings: tuple[str, ...]
    signed: bool
    creators: Mapping[int, str]
    memo: dict[tuple[int, str, bytes] | tuple[int, str], Known] = field(default_factory=dict)
    derived: dict[vendor.Derived, Found] = field(default_factory=dict)
    reserved: dict[tuple[int, str], More] = field(default_factory=dict)

    def reserving(self, group: int, block: int, creator: str) -> More:
        """What each element of a private block brings: the reservation of the block."""
        tag = group << 16 | block
        more = self.reserved.get((tag, creator))
        if more is None:
            element = encoding.element(tag, "LO", creator.encode())
            more = self.reserved[tag, creator] = More(reserved=(tag, element), private=True)
        return more

    @cached_property
    def blocks(self) -> dict[Place, int]:
        """First block of each creator."""
        return {(key >> 8, creator): key & 0xFF for key, creator in sorted(self.creators.items(), reverse=True)}
