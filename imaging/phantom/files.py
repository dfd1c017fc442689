"""Part 10 files: the preamble, the file meta group and the data set, as bytes.

Belongs here: encoding. What the data set says is in the headers.
"""

from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from imaging.phantom.answers import Kind, Planter
from imaging.phantom.seeds import uid
from imaging.phantom.study import Study

IMPLEMENTATION = "LARMOR_PHANTOM"
"""Implementation Version Name of everything written here."""

_IMPLEMENTATION_UID = uid(0, "implementation")
_CREATOR_UID = uid(0, "private information")


def part10(dataset: Dataset, syntax: UID, study: Study, plant: Planter) -> bytes:
    """A Part 10 file of a study's object.

    Some subjects' files carry the patient's name in the preamble and the hospital in the private information of the
    file meta group, where no rule about data sets looks.

    Source: DICOM PS3.10 section 7.1.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION
    plant.put(meta, "SourceApplicationEntityTitle", Kind.DEVICE, study.encounter.station)
    if study.sometimes("private information", 4):
        text = plant.text(Kind.INSTITUTION, study.encounter.institution, "(0002,0102)")
        meta.PrivateInformationCreatorUID = _CREATOR_UID
        meta.PrivateInformation = text.encode() + bytes(len(text) % 2)
    preamble = bytes(128)
    if study.sometimes("preamble", 3):
        plant.text(Kind.NAME, study.person.family.upper(), "preamble")
        plant.text(Kind.ID, study.person.mrn, "preamble")
        preamble = f"{study.person.family.upper()} {study.person.mrn}".encode().ljust(128, b"\0")
    dataset.file_meta, dataset.preamble = meta, preamble
    buffer = BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=syntax.is_implicit_VR, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()
