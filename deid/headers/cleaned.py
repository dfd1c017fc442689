"""A de-identified file before it is bytes: its elements, its pixels, and what was decided.

Belongs here: holding the pieces, changing some of them, and putting them together. What the pieces are is decided by
`deid.headers.headers`, `deid.pixels.frames` and `deid.pixels.series`.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from deid.headers import encoding
from deid.headers.treatment import Decision

_TRANSFER_SYNTAX = 0x00020010


@dataclass(frozen=True)
class Bulk:
    """The one large element of an object, as pieces that are never copied before the end.

    Attributes:
        tag: Pixel Data, or what the object has in its place.
        pieces: the encoded element: what stands before the value, the value, what closes it.
    """

    tag: int
    pieces: tuple[bytes | memoryview, ...]


@dataclass(frozen=True)
class Cleaned:
    """A de-identified file.

    Attributes:
        meta: file meta information, (value representation, value) by tag.
        elements: encoded elements by tag, without the bulk.
        bulk: the large element; None: the object has none.
        facts: cleaned values by tag, (value representation, value); the first of each tag, nested ones included.
        decisions: what was done, and how often.
        header: the columns of `schemas.tables.INSTANCES` that come from the header, and `subject`.
        suspicion: what in the header says that text may be burned into the pixels; empty: nothing.
        private: whether a private element was kept.
    """

    meta: Mapping[int, tuple[str, bytes]]
    elements: Mapping[int, bytes]
    bulk: Bulk | None
    facts: Mapping[int, tuple[str, bytes]]
    decisions: Counter[Decision]
    header: Mapping[str, object]
    suspicion: frozenset[str] = field(default_factory=frozenset)
    private: bool = False

    @cached_property
    def data(self) -> bytes:
        """The Part 10 file; explicit VR little endian, or compressed as it came."""
        at, pieces = (self.bulk.tag, self.bulk.pieces) if self.bulk else (0, ())
        before = [self.elements[tag] for tag in sorted(self.elements) if tag < at or not at]
        behind = [self.elements[tag] for tag in sorted(self.elements) if tag > at > 0]
        return encoding.part10(dict(self.meta), [*before, *pieces, *behind])

    @property
    def transfer_syntax(self) -> str:
        """UID of the transfer syntax."""
        return self.meta[_TRANSFER_SYNTAX][1].decode("ascii")

    @property
    def pixels(self) -> bytes | memoryview:
        """The value of the bulk element; empty where there is none."""
        return self.bulk.pieces[1] if self.bulk else b""

    def text(self, tag: int) -> str:
        """A cleaned value as text; empty where there is none."""
        return self.facts[tag][1].decode("utf-8").strip(" \0") if tag in self.facts else ""

    def short(self, tag: int, absent: int = 0) -> int:
        """A cleaned US or SS value."""
        value = self.facts.get(tag, ("US", b""))[1]
        return int(struct.unpack_from("<H", value)[0]) if value else absent

    def changed(
        self,
        values: Mapping[int, tuple[str, bytes]] | None = None,
        *,
        elements: Iterable[tuple[int, bytes]] = (),
        bulk: Bulk | None = None,
        transfer_syntax: str | None = None,
        decisions: Iterable[Decision] = (),
    ) -> "Cleaned":
        """The file with some of its pieces replaced or added.

        Args:
            values: elements by tag, (value representation, value).
            elements: elements that are encoded already.
            bulk: another large element.
            transfer_syntax: of the other large element.
            decisions: what was decided on top.
        """
        values = values or {}
        encoded = {tag: encoding.element(tag, vr, value) for tag, (vr, value) in values.items()}
        meta, header = dict(self.meta), dict(self.header)
        if transfer_syntax:
            meta[_TRANSFER_SYNTAX] = ("UI", transfer_syntax.encode())
            header["transfer_syntax"] = transfer_syntax
        return replace(
            self,
            meta=meta,
            elements={**self.elements, **dict(elements), **encoded},
            bulk=bulk or self.bulk,
            facts={**self.facts, **values},
            decisions=self.decisions + Counter(decisions),
            header=header,
        )
