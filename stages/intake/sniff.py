"""What a received file is, told from its bytes: DICOM, a DICOMDIR, NIfTI, or something else.

Belongs here: judging one file on its own. What became of it among the others is `stages.received`.
"""

import gzip
import zlib
from dataclasses import dataclass, replace
from io import BytesIO

from deid.headers.elements import Dataset, parse, text_of
from deid.headers.objects import PIXEL_DATA, is_directory, kind_of, refusal
from deid.pixels.suspicion import text
from deid.refusals import Refused
from deid.text.identifiers import Pair, gather
from imaging.errors import ImagingError
from imaging.headers.header import Header
from imaging.headers.reading import read_header
from schemas.reasons import Reason

_UNDEFINED = 0xFFFFFFFF
_DEFLATED = "1.2.840.10008.1.2.1.99"
_PATIENT_ID, _STUDY, _SERIES, _SOP, _SOP_CLASS = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
_MODALITY, _ACCESSION = 0x00080060, 0x00080050
_READ = (_PATIENT_ID, _STUDY, _SERIES, _SOP, _SOP_CLASS, _ACCESSION)
_NIFTI_HEADER_SIZE = 348


@dataclass(frozen=True)
class Sniffed:
    """What a file is.

    Attributes:
        content: dicom, directory, nifti, report, label, table or other.
        reason: why it is held back; None: it is fine.
        patient: what the licensor calls the person; the Study Instance UID where no patient id is given.
        identifiers: kind and value of every identifying value in its header.
    """

    content: str
    reason: Reason | None = None
    patient: str = ""
    study_uid: str | None = None
    series_uid: str | None = None
    sop_uid: str | None = None
    sop_class: str | None = None
    transfer_syntax: str | None = None
    accession: str | None = None
    identifiers: frozenset[Pair] = frozenset()


def sniff(data: bytes, name: str) -> Sniffed:
    """What a file is; never raises for what the file holds.

    Args:
        data: the whole file.
        name: its name, whose ending decides whether unreadable bytes were meant to be an image.
    """
    lower = name.lower()
    if data[128:132] == b"DICM" or lower.endswith((".dcm", ".ima", ".dicom")) or lower == "dicomdir":
        return _dicom(data)
    if lower.endswith((".nii", ".nii.gz")):
        return Sniffed("nifti", None if _is_nifti(data, zipped=lower.endswith(".gz")) else Reason.UNREADABLE)
    return Sniffed("other", Reason.UNEXPECTED_FILE)


def _dicom(data: bytes) -> Sniffed:
    try:
        parsed = parse(data, pixels=False)
    except Refused as refused:
        return Sniffed("dicom", refused.reason)
    if is_directory({tag for tag, _, _ in parsed.dataset.elements}):
        # set aside: it lists the files it came with, under names that do not leave; an export makes a new one
        return Sniffed("directory")
    found = _identified(parsed.dataset, parsed.transfer_syntax)
    if not (found.study_uid and found.series_uid and found.sop_uid):
        return replace(found, reason=Reason.MISSING_IDENTITY)
    kind = kind_of(found.sop_class or "")
    try:
        if kind and not kind.volumes:
            return replace(found, reason=_reason_of_object(data, found.sop_class or ""))
        return replace(found, reason=_reason(read_header(data), len(data)))
    except ImagingError as error:
        return replace(found, reason=error.reason)


def _identified(dataset: Dataset, transfer_syntax: str) -> Sniffed:
    values = {
        tag: text_of(value, dataset.encodings).replace("\0", " ").strip()
        for tag, _, value in dataset.elements
        if isinstance(value, bytes) and tag in _READ
    }
    study = values.get(_STUDY)
    patient = values.get(_PATIENT_ID) or study or ""
    return Sniffed(
        "dicom",
        None,
        patient,
        study or None,
        values.get(_SERIES) or None,
        values.get(_SOP) or None,
        values.get(_SOP_CLASS) or None,
        transfer_syntax,
        values.get(_ACCESSION) or None,
        gather(dataset) if patient else frozenset(),  # nobody's: such a file is held back
    )


def _reason_of_object(data: bytes, sop_class: str) -> Reason | None:
    """Why an object that is no plain image is held back, if it is."""
    try:
        elements = parse(data).dataset.elements
    except Refused as refused:
        return refused.reason
    top = {tag: value for tag, _, value in elements if not isinstance(value, list)}
    return refusal(sop_class, text(top, _MODALITY), PIXEL_DATA in top)


def _reason(header: Header, size: int) -> Reason | None:
    """Why a readable image, or a file of a kind that may not pass, is held back, if it is."""
    if reason := refusal(header.sop_class, header.modality, bool(header.pixel_tag)):
        return reason
    if not header.pixel_tag:
        return Reason.NOT_AN_IMAGE
    if header.modality != "MR":
        return Reason.NOT_MR
    # offsets of a deflated file are those of its unpacked data set, whose end was reached in reading it
    whole = header.pixel_length == _UNDEFINED or header.transfer_syntax == _DEFLATED
    return None if whole or header.pixel_offset + header.pixel_length <= size else Reason.TRUNCATED


def _is_nifti(data: bytes, *, zipped: bool) -> bool:
    try:
        head = gzip.GzipFile(fileobj=BytesIO(data)).read(_NIFTI_HEADER_SIZE) if zipped else data
    except (OSError, EOFError, zlib.error):
        return False
    return head[344:347] in (b"n+1", b"n+2") or head[4:7] in (b"n+1", b"n+2")
