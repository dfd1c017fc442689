"""A DICOM header as plain elements: tag, value representation, raw little-endian bytes.

Belongs here: parsing, and nothing that judges a value. pydicom does the parsing, for every transfer syntax; what it
gives is put into one small form so that another parser of the same form can stand beside it.
"""

import contextlib
import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

from pydicom import dcmread
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset as PydicomDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID_dictionary

from deid.refusals import Refused
from schemas.reasons import Reason

PIXEL_DATA = 0x7FE00010
DEEPEST = 32
"""Sequences nested deeper than this are refused; no object of the standard comes near it."""

_WIDTH = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8, "OW": 2, "OF": 4, "OD": 8, "OL": 4}
_CHARSET = 0x00080005
_UNDEFINED = 0xFFFFFFFF
_BROKEN = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, OverflowError, MemoryError,
    RecursionError, struct.error, zlib.error, BytesLengthException, LookupError, OSError,
)  # fmt: skip
"""What pydicom raises on files that are not what they say; each ends in quarantine."""

Element = tuple[int, str, Union[bytes, "list[Dataset]"]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Elements of one dataset or sequence item.

    Attributes:
        elements: (tag, value representation, value) in the file's order; the value is raw little-endian bytes, or the
            items of a sequence. Where the file gives no value representation, it is the data dictionary's, UN if
            unknown.
        encodings: Python names of the character sets of its text.
    """

    elements: list[Element]
    encodings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A Part 10 file: its transfer syntax and its dataset."""

    transfer_syntax: str
    dataset: Dataset


def parse(data: bytes, pixels: bool = True) -> Parsed:
    """The elements of a Part 10 file.

    Args:
        data: the file.
        pixels: whether to read Pixel Data and what follows it.

    Raises:
        Refused: `unreadable` if it is no Part 10 file, `truncated` if it ends early, `header_invalid` if an element
            cannot be read, `unsupported` if its transfer syntax is not the standard's.
    """
    if data[128:132] != b"DICM":
        raise Refused(Reason.UNREADABLE)
    try:
        with _quiet():
            read = dcmread(io.BytesIO(data), stop_before_pixels=not pixels)
            syntax = str(read.file_meta.get("TransferSyntaxUID", ""))
            if syntax not in UID_dictionary:
                raise Refused(Reason.UNSUPPORTED)
            return Parsed(syntax, _dataset(read, ("iso8859",), 0))
    except EOFError:
        raise Refused(Reason.TRUNCATED) from None
    except InvalidDicomError:
        raise Refused(Reason.UNREADABLE) from None
    except Refused:
        raise
    except _BROKEN:
        raise Refused(Reason.HEADER_INVALID) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
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


def _dataset(read: PydicomDataset, inherited: tuple[str, ...], depth: int) -> Dataset:
    if depth > DEEPEST:
        raise Refused(Reason.HEADER_INVALID)
    elements: list[Element] = []
    encodings = inherited
    for tag, raw in list(read.items()):
        number = int(tag)
        vr = raw.VR or _dictionary_vr(number)
        value: Any = raw.value
        if number == _CHARSET:
            # pydicom has decoded this one already
            names = [value] if isinstance(value, str) else list(value or [])
            encodings = _encodings(names)
            elements.append((number, "CS", "\\".join(names).encode("ascii", "replace")))
            continue
        if vr == "SQ":
            items = read[tag].value or []
            elements.append((number, "SQ", [_dataset(item, encodings, depth + 1) for item in items]))
            continue
        if number & 0xFFFF == 0:
            # group lengths come decoded; they say nothing that is not counted anew
            elements.append((number, "UL", b""))
            continue
        # reading a sequence makes pydicom decode Pixel Representation on the way
        content: bytes = struct.pack("<H", value) if isinstance(value, int) else value or b""
        if len(content) < getattr(raw, "length", 0) < _UNDEFINED:
            raise Refused(Reason.TRUNCATED)
        if not getattr(raw, "is_little_endian", True):
            content = _swapped(vr, content)
        elements.append((number, vr, content))
    return Dataset(elements, encodings)


def _dictionary_vr(tag: int) -> str:
    known = DicomDictionary.get(tag)
    if known is None:
        return "LO" if (tag >> 16) % 2 and 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    return known[0].split(" or ")[0] if known[0] != "OB or OW" else "OW"


def _swapped(vr: str, content: bytes) -> bytes:
    if vr == "AT":
        width = 2
    elif (width := _WIDTH.get(vr, 1)) == 1:
        return content
    if len(content) % width:
        return content
    swapped = bytearray(len(content))
    for k in range(width):
        swapped[k::width] = content[width - 1 - k :: width]
    return bytes(swapped)


def _encodings(names: list[str]) -> tuple[str, ...]:
    try:
        return tuple(convert_encodings([name.strip(" \0") for name in names]))
    except (LookupError, ValueError):
        return ("iso8859",)


def text_of(value: bytes, encodings: tuple[str, ...]) -> str:
    """The text of a value; bytes that are not of its character set become replacement characters."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    try:
        with _quiet():
            return decode_bytes(value, list(encodings), {0x5C, 0x5E, 0x3D, 0x0A, 0x0D})
    except (LookupError, ValueError):
        return value.decode("ascii", "replace")
