"""One file being planted: its dataset, its tokens, and how a value is put somewhere and remembered.

Belongs here: the bookkeeping. The places are `benchmarks.traps.carriers` and its neighbours.
"""

from dataclasses import dataclass, field

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from benchmarks.traps.mint import Mint, Token, needles


@dataclass
class Plant:
    """A file on its way into the key.

    Attributes:
        file: its name.
        mint: where values come from.
        dataset: what is planted in.
        tokens: what was planted.
        family: the patient's family name.
        given: the patient's given name.
        bytes_for: what placeholders in the written file stand for.
    """

    file: str
    mint: Mint
    dataset: Dataset
    tokens: list[Token] = field(default_factory=list)
    family: str = ""
    given: str = ""
    bytes_for: dict[bytes, bytes] = field(default_factory=dict)

    def note(self, category: str, carrier: str, value: str | bytes, *codecs: str, exact: bool = False) -> None:
        """Remember a value that was planted."""
        found = (value,) if isinstance(value, bytes) else needles(value, *codecs)
        self.tokens.append(Token(self.file, category, carrier, found, exact))

    def word(self, category: str, carrier: str) -> str:
        """An invented word, remembered."""
        value = self.mint.word()
        self.note(category, carrier, value)
        return value

    def code(self, category: str, carrier: str, prefix: str = "") -> str:
        """An invented id, remembered."""
        value = self.mint.code(prefix)
        self.note(category, carrier, value)
        return value

    def uid(self, category: str, carrier: str) -> str:
        """An invented UID, remembered."""
        value = self.mint.uid()
        self.note(category, carrier, value)
        return value

    def day(self, category: str, carrier: str, style: str = "%Y%m%d", recent: bool = False) -> str:
        """An invented date in a style, remembered as written."""
        value = self.mint.date(recent).strftime(style)
        self.note(category, carrier, value)
        return value

    def put(self, keyword: str, category: str, pattern: str = "{}", target: Dataset | None = None) -> None:
        """An invented word under a keyword; `pattern` is what stands around it."""
        target = self.dataset if target is None else target
        setattr(target, keyword, pattern.format(self.word(category, keyword)))

    def private(
        self, group: int, creator: str, offset: int, vr: str, value: object, target: Dataset | None = None
    ) -> None:
        """A private element; what in it identifies is remembered by the caller."""
        target = self.dataset if target is None else target
        block = target.private_block(group, creator, create=True)
        block.add_new(offset, vr, Sequence(value) if vr == "SQ" else value)

    def raw(self, tag: int, vr: str, value: bytes) -> None:
        """An element of these bytes, whatever its value representation and character set would make of them."""
        even = value + b" " * (len(value) % 2)
        placeholder = f"@{len(self.bytes_for):02d}".encode().ljust(len(even), b"@")
        number = Tag(tag)
        self.dataset[number] = RawDataElement(number, vr, len(even), placeholder, 0, False, True)
        self.bytes_for[placeholder] = even
