"""A DICOM header as plain elements: tag, value representation, raw little-endian bytes.

Belongs here: the one small form that every parser gives, and reading text in it. The parsers are `deid.headers.walk`
and `deid.headers.elements`.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Union

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import DicomDictionary

PIXEL_DATA = 0x7FE00010
PIXELS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
"""Float Pixel Data, Double Float Pixel Data, Pixel Data."""
CHARACTER_SET = 0x00080005
UNDEFINED = 0xFFFFFFFF
"""The length that says none."""
DEEPEST = 32
"""Sequences nested deeper than this are refused; no object of the standard comes near it."""
LATIN = ("iso8859",)
"""Encodings where a file names no character set."""

Element = tuple[int, str, Union[bytes, "list[Dataset]"]]


class Items(list["Dataset"]):
    """The items of a sequence.

    Attributes:
        raw: their bytes, where a parser knows them: equal bytes are equal items. Empty: not known.
    """

    __slots__ = ("raw",)

    def __init__(self, items: Iterable["Dataset"], raw: bytes = b"") -> None:
        """The items of these bytes."""
        super().__init__(items)
        self.raw = raw


@dataclass(frozen=True, slots=True)
class Dataset:
    """Elements of one dataset or sequence item.

    Attributes:
        elements: (tag, value representation, value) in the file's order; the value is raw little-endian bytes, for
            pixels perhaps a view of them, or the items of a sequence. Where the file gives no value representation, it
            is the data dictionary's, UN if unknown.
        encodings: Python names of the character sets of its text.
    """

    elements: list[Element]
    encodings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A Part 10 file: its transfer syntax and its dataset."""

    transfer_syntax: str
    dataset: Dataset


def dictionary_vr(tag: int) -> str:
    """The value representation of an element whose file gives none; UN where the data dictionary does not know it."""
    known = DicomDictionary.get(tag)
    if known is None:
        return "LO" if (tag >> 16) % 2 and 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    return known[0].split(" or ")[0] if known[0] != "OB or OW" else "OW"


@lru_cache(maxsize=1024)
def encodings_of(value: bytes) -> tuple[str, ...]:
    """Python names of the character sets that Specific Character Set names; Latin-1 where it names none we know."""
    names = value.decode("ascii", "replace").split("\\")
    try:
        with quiet():
            return tuple(convert_encodings([name.strip(" \0") for name in names]))
    except (LookupError, ValueError):
        return LATIN


def text_of(value: bytes, encodings: tuple[str, ...]) -> str:
    """The text of a value; bytes that are not of its character set become replacement characters."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    try:
        with quiet():
            return str(decode_bytes(value, list(encodings), {0x5C, 0x5E, 0x3D, 0x0A, 0x0D}))
    except (LookupError, ValueError):
        return value.decode("ascii", "replace")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no log of pydicom, because both may quote values."""
    log = logging.getLogger("pydicom")
    before = log.disabled
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.disabled = True
        try:
            yield
        finally:
            log.disabled = before
