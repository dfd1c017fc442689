"""Numbers out of vendors' private blobs, as private elements that say the same.

Belongs here: which blobs hold facts that research needs, and which numbers are taken. A blob itself never leaves: its
text names people, places and protocols. Where a file carries an element itself, `deid.headers.treatment` keeps that
one, and what the policy does not name it does not add.
"""

import contextlib
import math
import re
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from imaging.errors import ImagingError
from imaging.headers import ge
from imaging.headers.coils import coil_number
from imaging.headers.csa import look_up_csa
from imaging.headers.diffusion import IMAGE_COMMENTS, canon_vector

CSA, HEADER, FRAME, OWN = "SIEMENS CSA HEADER", "SIEMENS MR HEADER", "SIEMENS MR SDI 02", "LARMOR FACTS"

USUAL_BLOCKS: Mapping[str, int] = {FRAME: 0x11}
"""Block in which a vendor puts the elements of a creator; converters such as dcm2niix look there only."""

_WORDS = frozenset({"DIRECTIONAL", "BMATRIX", "ISOTROPIC", "NONE", "LINEAR", "REVERSE_LINEAR"})
_NUMBER = re.compile(r"[+-]?(\d{1,16}\.?\d{0,16}|\.\d{1,16})([eE][+-]?\d{1,2})?")
_BINARY = {"FD": ("<d", -1e300, 1e300), "US": ("<H", 0, 0xFFFF), "SL": ("<i", -(2**31), 2**31 - 1)}


class Derived(NamedTuple):
    """An element made from a blob.

    Attributes:
        creator: private creator that reserves its block; empty: it is an element of the standard.
        place: group << 8 | offset inside the block, or the standard element's tag.
        vr: value representation.
        value: little-endian bytes.
        rule: rule of the shipped policies that keeps such elements.
    """

    creator: str
    place: int
    vr: str
    value: bytes
    rule: str


class _Fact(NamedTuple):
    creator: str
    place: int
    vr: str
    number: int
    rule: str


_FACTS: Mapping[str, _Fact] = {
    "NumberOfImagesInMosaic": _Fact(HEADER, 0x00190A, "US", 1, "siemens-header"),
    "SliceMeasurementDuration": _Fact(HEADER, 0x00190B, "DS", 1, "siemens-header"),
    "B_value": _Fact(HEADER, 0x00190C, "IS", 1, "siemens-header"),
    "DiffusionDirectionality": _Fact(HEADER, 0x00190D, "CS", 1, "siemens-header"),
    "DiffusionGradientDirection": _Fact(HEADER, 0x00190E, "FD", 3, "siemens-header"),
    "ImaAbsTablePosition": _Fact(HEADER, 0x001913, "SL", 3, "siemens-header"),
    "ImaRelTablePosition": _Fact(HEADER, 0x001914, "IS", 3, "siemens-header"),
    "SlicePosition_PCS": _Fact(HEADER, 0x001915, "FD", 3, "siemens-header"),
    "TimeAfterStart": _Fact(HEADER, 0x001916, "DS", 1, "siemens-header"),
    "SliceResolution": _Fact(HEADER, 0x001917, "DS", 1, "siemens-header"),
    "RealDwellTime": _Fact(HEADER, 0x001918, "IS", 1, "siemens-header"),
    "RBMoCoTrans": _Fact(HEADER, 0x001925, "FD", 3, "siemens-header"),
    "RBMoCoRot": _Fact(HEADER, 0x001926, "FD", 3, "siemens-header"),
    "B_matrix": _Fact(HEADER, 0x001927, "FD", 6, "siemens-header"),
    "BandwidthPerPixelPhaseEncode": _Fact(HEADER, 0x001928, "FD", 1, "siemens-header"),
    "MosaicRefAcqTimes": _Fact(HEADER, 0x001929, "FD", 0, "siemens-header"),
    "PhaseEncodingDirectionPositive": _Fact(FRAME, 0x00211C, "IS", 1, "siemens-frames"),
    "SliceNormalVector": _Fact(OWN, 0x002901, "FD", 3, "own-facts"),
}
"""Field of the CSA image header to the element that says the same; a count of 0: as many as there are.

The elements of `SIEMENS MR HEADER` and `SIEMENS MR SDI 02` are the vendor's own for these facts; for the direction in
which the slices of a mosaic follow each other it has none.
"""

_NAMES = frozenset(_FACTS)

_PROTOCOL: Mapping[str, _Fact] = {
    "sPat.lAccelFactPE": _Fact("", 0x00189069, "FD", 1, "physics"),
    "sPat.lAccelFact3D": _Fact("", 0x00189155, "FD", 1, "physics"),
    "sPat.lRefLinesPE": _Fact(OWN, 0x002907, "IS", 1, "own-facts"),
    "sSliceAcceleration.lMultiBandFactor": _Fact(OWN, 0x002908, "IS", 1, "own-facts"),
    "lDelayTimeInTR": _Fact(OWN, 0x002909, "IS", 1, "own-facts"),
    "sFastImaging.lEchoSpacing": _Fact(OWN, 0x00290A, "IS", 1, "own-facts"),
    "sSliceArray.ucMode": _Fact(OWN, 0x00290B, "IS", 1, "own-facts"),
}
"""Line of the protocol in the CSA series header to an element of the standard or, where it has none, of ours."""

_GE_PROTOCOL: Mapping[str, _Fact] = {
    "VIEWORDER": _Fact(OWN, 0x002902, "IS", 1, "own-facts"),
    "SLICEORDER": _Fact(OWN, 0x002903, "IS", 1, "own-facts"),
}
"""Entry of GE's protocol data block to an element of ours."""

_REORDERING = _Fact("", 0x00189034, "CS", 1, "physics")
"""Direction of phase encoding, from GE's user data; newer scanners write the standard's element themselves."""
_MULTIBAND = _Fact(OWN, 0x002908, "IS", 1, "own-facts")
"""Slices excited at once, from GE's multiband parameters, whose other parts are text."""
_COIL = _Fact(OWN, 0x00290D, "IS", 1, "own-facts")
"""Element of a coil array, from Siemens' coil string."""

_LINE = re.compile(rb"^(" + b"|".join(re.escape(name.encode()) for name in _PROTOCOL) + rb")[ \t]*=[ \t]*(\S+)", re.M)


def _image(blob: bytes) -> list[Derived]:
    """A Siemens CSA image header."""
    return _elements(_FACTS, look_up_csa(blob, _NAMES))


@lru_cache(maxsize=32)
def _protocol(blob: bytes) -> list[Derived]:
    """The protocol in a Siemens series header, which is the same in each file of a series."""
    begin = blob.find(b"### ASCCONV BEGIN")
    text = blob[begin : blob.find(b"### ASCCONV END", begin)] if begin >= 0 else b""
    return _elements(_PROTOCOL, {name.decode(): (value.decode("latin-1"),) for name, value in _LINE.findall(text)})


def _ge_protocol(blob: bytes) -> list[Derived]:
    return _elements(_GE_PROTOCOL, {name: (value,) for name, value in ge.protocol_entries(blob).items()})


def _ge_user_data(blob: bytes) -> list[Derived]:
    return _elements({"": _REORDERING}, {"": (ge.reordering(blob),)})


def _ge_multiband(value: bytes) -> list[Derived]:
    return _elements({"": _MULTIBAND}, {"": (value.partition(b"\\")[0].strip(b" \0").decode("latin-1"),)})


def _coil(value: bytes) -> list[Derived]:
    """The number of one coil element, as `H7`; of groups of elements, and whatever else it may be, nothing leaves."""
    number = coil_number(value.strip(b" \0").decode("latin-1"))
    return _elements({"": _COIL}, {} if number is None else {"": (str(number),)})


def _comment(blob: bytes) -> list[Derived]:
    """Canon's Image Comments, where they are a b-value and a direction and nothing else."""
    try:
        vector = canon_vector(blob.strip(b"\0 "))
    except ValueError:
        return []
    value = _packed("FD", list(vector)) if vector else None
    return [Derived(OWN, 0x00290C, "FD", value, "own-facts")] if value else []


BLOBS: Mapping[tuple[str, int], Callable[[bytes], list[Derived]]] = {
    (CSA, 0x002910): _image,
    (CSA, 0x002920): _protocol,
    ("SIEMENS MR SDS 01", 0x002119): _protocol,
    ("GEMS_SERS_01", 0x00251B): _ge_protocol,
    ("", IMAGE_COMMENTS): _comment,
    ("GEMS_PARM_01", 0x00432A): _ge_user_data,
    ("GEMS_PARM_01", 0x0043B6): _ge_multiband,
    (HEADER, 0x00510F): _coil,
    (FRAME, 0x00214F): _coil,
}
"""Blobs, and texts that may hold more than a fact, by creator and group << 8 | offset inside its block."""


def derived(blobs: Mapping[tuple[str, int], bytes]) -> list[Derived]:
    """The facts in the blobs of one dataset, as elements; none where a blob cannot be read.

    Args:
        blobs: value of each of `BLOBS` that the dataset has.

    Source of the fields' meanings: nibabel.nicom, "Siemens format DICOM with CSA header"; dcm2niix, notes on Siemens
    and GE.
    """
    found: list[Derived] = []
    for key, value in blobs.items():
        if key in BLOBS:
            with contextlib.suppress(ImagingError):
                found.extend(BLOBS[key](value))
    return found


def _elements(facts: Mapping[str, _Fact], fields: Mapping[str, tuple[str, ...]]) -> list[Derived]:
    elements = (_element(facts[name], texts) for name, texts in fields.items())
    return [element for element in elements if element]


@lru_cache(maxsize=4096)
def _element(fact: _Fact, texts: tuple[str, ...]) -> Derived | None:
    """The element of a field; most of a series' fields are the same in each file."""
    value = _encoded(fact, texts) if len(texts) == (fact.number or len(texts)) else None
    return None if value is None else Derived(fact.creator, fact.place, fact.vr, value, fact.rule)


def _encoded(fact: _Fact, texts: tuple[str, ...]) -> bytes | None:
    """The value, if each text is a number, or a word of a closed list, that the element can hold."""
    if fact.vr == "CS":
        return texts[0].encode() if texts[0] in _WORDS else None
    if not all(map(_NUMBER.fullmatch, texts)):
        return None
    numbers = [float(text) for text in texts]
    if fact.vr != "DS" and fact.vr != "FD" and not all(number.is_integer() for number in numbers):
        return None
    return _TEXTUAL[fact.vr](numbers) if fact.vr in _TEXTUAL else _packed(fact.vr, numbers)


def _packed(vr: str, numbers: list[float]) -> bytes | None:
    layout, least, most = _BINARY[vr]
    if not all(least <= number <= most for number in numbers):
        return None
    return b"".join(struct.pack(layout, number if vr == "FD" else int(number)) for number in numbers)


def _decimals(numbers: list[float]) -> bytes | None:
    return "\\".join(f"{number:.10g}" for number in numbers).encode()


def _integers(numbers: list[float]) -> bytes | None:
    fits = all(math.fabs(number) < 2**31 for number in numbers)
    return "\\".join(str(int(number)) for number in numbers).encode() if fits else None


_TEXTUAL: Mapping[str, Callable[[list[float]], bytes | None]] = {"DS": _decimals, "IS": _integers}
