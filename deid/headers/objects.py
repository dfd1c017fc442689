"""Kinds of DICOM objects: which may pass, what they must have, and where their bulk is.

Belongs here: SOP classes. What becomes of an object's elements is the policy's, `schemas.policy`; an object of a kind
that is not listed never passes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from deid.headers import standard
from deid.pixels.suspicion import text
from deid.refusals import Refused
from schemas.reasons import Reason

DIRECTORY = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage: the SOP class that a DICOMDIR has in its file meta information."""

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_MODALITY, PIXEL_DATA, SPECTRA = 0x00080060, 0x7FE00010, 0x56000020
FLOATING: Mapping[int, str] = {0x7FE00008: "OF", 0x7FE00009: "OD"}
"""Float and Double Float Pixel Data, which an image may have in the place of Pixel Data: value representation."""
_RECORDS = 0x00041220
_IDENTITY = (_SOP_INSTANCE, _STUDY, _SERIES)
_ROWS, _COLUMNS, _BITS, _FRAMES, _POINTS = 0x00280010, 0x00280011, 0x00280100, 0x00280008, 0x00289002
_MATRIX = (_ROWS, _COLUMNS, _BITS)
_VALUE_TYPE = 0x0040A040
_BIRTH, _REFERRING, _ACCESSION, _STUDY_ID = 0x00100030, 0x00080090, 0x00080050, 0x00200010
_PATIENT_AND_STUDY = (_BIRTH, _REFERRING, _ACCESSION, _STUDY_ID)
_POSITION_REFERENCE, _OPERATORS, _CREATOR, _LABEL = 0x00201040, 0x00081070, 0x00700084, 0x30060002


@dataclass(frozen=True)
class ObjectKind:
    """A kind of object.

    Attributes:
        name: what it is called.
        modalities: values of Modality that it may have; empty text stands for an element that is absent or empty.
        essential: elements without which it is not valid, SOP class and identity aside.
        bulk: its large element; None: it has none.
        inspected: whether its pixels may show text and have to be looked at.
        volumes: whether series of it become volumes.
        ran: CID 7050 codes of options that its headers alone call for.
        filled: elements that it must have and that leave without a value (PS3.5 7.4.3, type 2).
    """

    name: str
    modalities: frozenset[str]
    essential: tuple[int, ...] = ()
    bulk: int | None = None
    inspected: bool = False
    volumes: bool = False
    filled: tuple[int, ...] = _PATIENT_AND_STUDY
    ran: frozenset[str] = frozenset()


_MR = frozenset({"MR", ""})
_IN_SPACE = (*_PATIENT_AND_STUDY, _POSITION_REFERENCE)
_IMAGE = ObjectKind("image", _MR, _MATRIX, PIXEL_DATA, inspected=True, volumes=True, filled=_IN_SPACE)
_ENHANCED = ObjectKind("enhanced", _MR, (*_MATRIX, _FRAMES), PIXEL_DATA, inspected=True, volumes=True, filled=_IN_SPACE)
_SPECTRA = ObjectKind("spectroscopy", _MR, (_ROWS, _COLUMNS, _POINTS), SPECTRA, filled=_IN_SPACE)
_CAPTURE = ObjectKind("capture", frozenset({"MR", "OT", ""}), _MATRIX, PIXEL_DATA, inspected=True)
_SEGMENTS = ObjectKind(
    "segmentation", frozenset({"SEG"}), (*_MATRIX, _FRAMES), PIXEL_DATA, filled=(*_IN_SPACE, _CREATOR)
)
_STRUCTURES = ObjectKind("structure set", frozenset({"RTSTRUCT"}), (_LABEL,), filled=(*_PATIENT_AND_STUDY, _OPERATORS))
_PRESENTATION = ObjectKind("presentation state", frozenset({"PR"}), filled=(*_PATIENT_AND_STUDY, _CREATOR))
_CONTENT = frozenset({standard.STRUCTURED})
_REPORT = ObjectKind("report", frozenset({"SR"}), (_VALUE_TYPE,), ran=_CONTENT)
_KEY_OBJECTS = ObjectKind("key object", frozenset({"KO"}), (_VALUE_TYPE,), ran=_CONTENT)

_STORAGE = "1.2.840.10008.5.1.4.1.1"
_KINDS: Mapping[str, ObjectKind] = {
    f"{_STORAGE}.4": _IMAGE,  # MR Image
    f"{_STORAGE}.4.1": _ENHANCED,  # Enhanced MR Image
    f"{_STORAGE}.4.4": _ENHANCED,  # Legacy Converted Enhanced MR Image
    f"{_STORAGE}.4.2": _SPECTRA,  # MR Spectroscopy
    f"{_STORAGE}.7": _CAPTURE,  # Secondary Capture Image
    f"{_STORAGE}.7.2": _CAPTURE,  # Multi-frame Grayscale Byte
    f"{_STORAGE}.7.3": _CAPTURE,  # Multi-frame Grayscale Word
    f"{_STORAGE}.7.4": _CAPTURE,  # Multi-frame True Color
    f"{_STORAGE}.66.4": _SEGMENTS,  # Segmentation
    f"{_STORAGE}.66.7": _SEGMENTS,  # Label Map Segmentation
    f"{_STORAGE}.481.3": _STRUCTURES,  # RT Structure Set
    f"{_STORAGE}.11.1": _PRESENTATION,  # Grayscale Softcopy Presentation State
    f"{_STORAGE}.88.11": _REPORT,  # Basic Text SR
    f"{_STORAGE}.88.22": _REPORT,  # Enhanced SR
    f"{_STORAGE}.88.33": _REPORT,  # Comprehensive SR
    f"{_STORAGE}.88.34": _REPORT,  # Comprehensive 3D SR
    f"{_STORAGE}.88.35": _REPORT,  # Extensible SR
    f"{_STORAGE}.88.59": _KEY_OBJECTS,  # Key Object Selection Document
}
_ENCAPSULATED = f"{_STORAGE}.104."
_UNSUPPORTED = frozenset({f"{_STORAGE}.4.3"})  # Enhanced MR Color Image


def classes() -> tuple[str, ...]:
    """SOP classes of which objects may pass, sorted."""
    return tuple(sorted(_KINDS))


def kind_of(sop_class: str) -> ObjectKind | None:
    """The kind of object of a SOP class; None: it may not pass."""
    return _KINDS.get(sop_class)


def becomes_volume(sop_class: str) -> bool:
    """Whether series of this SOP class become volumes; an unknown class is for the stations to judge."""
    kind = _KINDS.get(sop_class)
    return kind is None or kind.volumes


def is_directory(tags: Collection[int]) -> bool:
    """Whether these elements of a top level are a DICOMDIR's, which has no SOP class there (PS3.3 F.3.2.2)."""
    return _RECORDS in tags and _SOP_CLASS not in tags


def refusal(sop_class: str, modality: str, has_pixels: bool) -> Reason | None:
    """Why an object of this SOP class and modality may not pass; None: it may."""
    kind = _KINDS.get(sop_class)
    if kind:
        return None if modality in kind.modalities else Reason.NOT_MR
    if sop_class.startswith(_ENCAPSULATED):
        return Reason.DOCUMENT_NOT_CLEANABLE
    if sop_class in _UNSUPPORTED:
        return Reason.UNSUPPORTED
    return Reason.NOT_MR if has_pixels else Reason.NOT_AN_IMAGE


def admit(top: Mapping[int, bytes]) -> ObjectKind:
    """The kind of an object that may pass.

    Args:
        top: values of the header's top level, sequences left out.

    Raises:
        Refused: with the reason.
    """
    sop_class = text(top, _SOP_CLASS)
    reason = refusal(sop_class, text(top, _MODALITY), PIXEL_DATA in top)
    if reason:
        raise Refused(reason)
    kind = _KINDS[sop_class]
    if kind.bulk == PIXEL_DATA and kind.bulk not in top:
        kind = replace(kind, bulk=next((tag for tag in FLOATING if tag in top), PIXEL_DATA))
    if kind.bulk is not None and kind.bulk not in top:
        raise Refused(Reason.PIXELS_INVALID)
    if not all(text(top, tag) for tag in _IDENTITY):
        raise Refused(Reason.MISSING_IDENTITY)
    return kind
