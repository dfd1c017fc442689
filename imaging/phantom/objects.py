"""Objects in a study that are not its images: structured reports, raw data, screen captures.

Belongs here: making them, with the identity of the study in them.
"""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian, RawDataStorage, SecondaryCaptureImageStorage

from imaging.phantom.answers import Kind, Planter
from imaging.phantom.dialects import DIALECTS
from imaging.phantom.files import part10
from imaging.phantom.glyphs import stamp
from imaging.phantom.headers import identity
from imaging.phantom.seeds import stream
from imaging.phantom.study import Study

CAPTURE_SIZE = 128
"""Rows and columns of a screen capture."""


@dataclass(frozen=True)
class _Sort:
    what: str
    sop_class: str
    modality: str
    number: int


_REPORT = _Sort("structured report", BasicTextSRStorage, "SR", 99)
_RAW = _Sort("raw data", RawDataStorage, "MR", 98)
_CAPTURE = _Sort("screen capture", SecondaryCaptureImageStorage, "MR", 97)


def _begun(study: Study, plant: Planter, sort: _Sort) -> Dataset:
    dataset, what = Dataset(), sort.what
    identity(dataset, study, plant)
    dataset.SOPClassUID = sort.sop_class
    dataset.SOPInstanceUID = plant.text(Kind.UID, study.named_uid(what, "instance"), f"{what} (0008,0018)")
    dataset.SeriesInstanceUID = plant.text(Kind.UID, study.named_uid(what, "series"), f"{what} (0020,000E)")
    dataset.Modality = sort.modality
    dataset.SeriesNumber, dataset.InstanceNumber = sort.number, 1
    dataset.Manufacturer = DIALECTS[study.vendor].manufacturer
    dataset.ManufacturerModelName = study.scanner.model
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    return dataset


def text_report(study: Study, plant: Planter) -> bytes:
    """A Basic Text SR that names the patient (PS3.3 A.35.1)."""
    dataset = _begun(study, plant, _REPORT)
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ReferencedPerformedProcedureStepSequence = Sequence([])
    dataset.PerformedProcedureCodeSequence = Sequence([])
    dataset.ConceptNameCodeSequence = Sequence([_code("18748-4", "LN", "Diagnostic Imaging Report")])
    finding = Dataset()
    finding.RelationshipType, finding.ValueType = "CONTAINS", "TEXT"
    finding.ConceptNameCodeSequence = Sequence([_code("121071", "DCM", "Finding")])
    name = plant.text(Kind.NAME, f"{study.person.given} {study.person.family}", "(0040,A730)>(0040,A160)")
    finding.TextValue = f"Examination of {name} completed."
    dataset.ContentSequence = Sequence([finding])
    return part10(dataset, ExplicitVRLittleEndian, study, plant)


def raw_data(study: Study, plant: Planter) -> bytes:
    """A Raw Data object, as scanners archive them beside the images (PS3.3 A.37)."""
    dataset = _begun(study, plant, _RAW)
    dataset.CreatorVersionUID = study.named_uid("raw data", "creator")
    dataset.AcquisitionContextSequence = Sequence([])
    block = dataset.private_block(0x0029, "LARMOR PHANTOM RAW", create=True)
    name = plant.text(Kind.NAME, f"{study.person.family}^{study.person.given}", "(0029,1010) LARMOR PHANTOM RAW")
    noise = stream(study.config.seed, "raw", study.ordinal).bytes(512)
    block.add_new(0x10, "OB", name.encode().ljust(64, b"\0") + noise)
    return part10(dataset, ExplicitVRLittleEndian, study, plant)


def screen_capture(study: Study, plant: Planter) -> bytes:
    """A secondary capture with the patient's name and record number drawn into its pixels (PS3.3 A.8.1)."""
    dataset = _begun(study, plant, _CAPTURE)
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    dataset.BurnedInAnnotation = "YES"
    dataset.SeriesDescription = "Screen Save"
    ink = np.zeros((CAPTURE_SIZE, CAPTURE_SIZE), dtype=bool)
    family = plant.text(Kind.NAME, study.person.family.upper(), "screen capture, drawn")
    record = plant.text(Kind.ID, study.person.mrn, "screen capture, drawn")
    for row, text in ((4, family), (20, record), (36, "MEAN 412 SD 18")):
        stamp(ink, text, row, 4)
    noise = stream(study.config.seed, "capture", study.ordinal).integers(20, 60, ink.shape, dtype=np.uint8)
    dataset.Rows = dataset.Columns = CAPTURE_SIZE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = np.where(ink, np.uint8(255), noise).tobytes()
    dataset["PixelData"].VR = "OB"
    return part10(dataset, ExplicitVRLittleEndian, study, plant)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
