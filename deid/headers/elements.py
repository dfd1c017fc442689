"""Reading Part 10 files: the fast walk where it is sure, pydicom for every other file.

Belongs here: the choice between the two, and pydicom's elements in the form of `deid.headers.parsed`. Nothing here
judges a value.
"""

import io
import struct
import zlib
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset as PydicomDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset, read_sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, UID_dictionary

from deid.headers.layout import Unusual
from deid.headers.parsed import (
    CHARACTER_SET,
    DEEPEST,
    LATIN,
    PIXEL_DATA,
    UNDEFINED,
    Dataset,
    Element,
    Items,
    Parsed,
    dictionary_vr,
    encodings_of,
    quiet,
    text_of,
)
from deid.headers.walk import character_set, inflated, walked
from deid.refusals import Refused
from schemas.reasons import Reason

__all__ = ["PIXEL_DATA", "Dataset", "Element", "Items", "Parsed", "items_of", "parse", "patiently", "text_of"]

_WIDTH = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8, "OW": 2, "OF": 4, "OD": 8, "OL": 4}
_BROKEN = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, OverflowError, MemoryError,
    RecursionError, struct.error, zlib.error, BytesLengthException, LookupError, OSError,
)  # fmt: skip
"""What pydicom raises on files that are not what they say; each ends in quarantine."""
_PREAMBLE = 132
_FIRST_ITEM = b"\xfe\xff\x00\xe0"


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
        return walked(data, pixels)
    except Unusual:
        return patiently(data, pixels)


def patiently(data: bytes, pixels: bool = True) -> Parsed:
    """As `parse`, by pydicom alone: any transfer syntax, and much that the standard does not foresee."""
    try:
        with quiet():
            _require_moderate(data)
            read = dcmread(io.BytesIO(data), stop_before_pixels=not pixels)
            syntax = str(read.file_meta.get("TransferSyntaxUID", ""))
            if syntax not in UID_dictionary:
                raise Refused(Reason.UNSUPPORTED)
            return Parsed(syntax, _dataset(read, LATIN, 0))
    except EOFError:
        raise Refused(Reason.TRUNCATED) from None
    except InvalidDicomError:
        raise Refused(Reason.UNREADABLE) from None
    except Refused:
        raise
    except _BROKEN:
        raise Refused(Reason.HEADER_INVALID) from None


def _require_moderate(data: bytes) -> None:
    """Refuse a deflated file that is too large when inflated, which pydicom does whatever the size.

    The file meta is read as pydicom reads it, so that both see the dataset begin at the same byte; where pydicom would
    go on to guess (implicit VR, elements of a command) this refuses.
    """
    file = io.BytesIO(data)
    file.seek(_PREAMBLE)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, *_: tag >> 16 != 2)
    if DeflatedExplicitVRLittleEndian.encode() not in data[_PREAMBLE : file.tell()]:
        return
    start = file.tell()
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian or data[start : start + 2] == b"\0\0":
        raise Refused(Reason.HEADER_INVALID)
    inflated(data, start)


def _dataset(read: PydicomDataset, inherited: tuple[str, ...], depth: int) -> Dataset:
    if depth > DEEPEST:
        raise Refused(Reason.HEADER_INVALID)
    elements: list[Element] = []
    encodings = inherited
    for tag, raw in list(read.items()):
        number = int(tag)
        vr = raw.VR or dictionary_vr(number)
        value: Any = raw.value
        if number == CHARACTER_SET:
            # pydicom has decoded this one already, but for the records of a DICOMDIR
            names = value.decode("ascii", "replace").split("\\") if isinstance(value, bytes) else value
            names = [names] if isinstance(names, str) else list(names or [])
            named = character_set("\\".join(names).encode("ascii", "replace"))
            encodings = encodings_of(named)
            elements.append((number, "CS", named))
            continue
        if vr == "SQ":
            items = read[tag].value or []
            elements.append((number, "SQ", Items(_dataset(item, encodings, depth + 1) for item in items)))
            continue
        if number & 0xFFFF == 0:
            # group lengths come decoded; they say nothing that is not counted anew
            elements.append((number, "UL", b""))
            continue
        # reading a sequence makes pydicom decode Pixel Representation on the way
        content: bytes = struct.pack("<H", value) if isinstance(value, int) else value or b""
        if len(content) < getattr(raw, "length", 0) < UNDEFINED:
            raise Refused(Reason.TRUNCATED)
        if not getattr(raw, "is_little_endian", True):
            content = _swapped(vr, content)
        elements.append((number, vr, content))
    return Dataset(elements, encodings)


def items_of(value: bytes, encodings: tuple[str, ...]) -> Items | None:
    """Items of a sequence that came without its value representation; None if the bytes are none.

    Args:
        value: value of an element of unknown representation, so in implicit VR little endian (PS3.5 section 6.2.2).
        encodings: of the dataset that it stands in.
    """
    if not value.startswith(_FIRST_ITEM):
        return None
    try:
        with quiet():
            read = read_sequence(io.BytesIO(value), True, True, len(value), list(encodings))
            return Items(_dataset(item, encodings, 1) for item in read)
    except (EOFError, Refused, *_BROKEN):
        return None


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
