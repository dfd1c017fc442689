"""Plain objects of every kind, without any identifier but UIDs: what identifiers are then planted in.

Belongs here: the shapes of objects. `benchmarks.traps.carriers` plants, `benchmarks.traps.files` encodes.
"""

import struct

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.traps.research import STANDARD

MR, ENHANCED_MR, SPECTROSCOPY = (f"1.2.840.10008.5.1.4.1.1.4{end}" for end in ("", ".1", ".2"))
SECONDARY_CAPTURE, SEGMENTATION = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.66.4"
STRUCTURES, PRESENTATION = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.11.1"
TEXT_REPORT, ENHANCED_REPORT = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.22"
PDF, DIRECTORY = "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.1.3.10"
SIDE = 32


def base(sop_class: str, modality: str, uids: tuple[str, str, str, str]) -> Dataset:
    """What every object has; UIDs of instance, series, study and frame of reference."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.SOPClassUID, made.Modality = sop_class, modality
    made.SOPInstanceUID, made.SeriesInstanceUID, made.StudyInstanceUID, made.FrameOfReferenceUID = uids
    made.PatientSex, made.Manufacturer, made.SeriesNumber, made.InstanceNumber = "F", "SIEMENS", "7", "12"
    made.StudyTime = made.SeriesTime = made.ContentTime = "101500"
    made.PatientID, made.PatientName, made.StudyID, made.AccessionNumber = "", "", "", ""
    return made


def pixels(made: Dataset, side: int = SIDE, frames: int = 1, bits: int = 16) -> None:
    """Smooth noise of a fixed seed, 12 bits stored of 16 or 8 of 8."""
    grid = np.hypot(*np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side)))
    noise = np.random.default_rng(3).integers(0, 9, (frames, side, side))
    values = (np.where(grid < 0.8, 200 * (1.2 - grid), 0) + noise).astype("<u2" if bits > 8 else "u1")
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.Rows = made.Columns = side
    made.BitsAllocated, made.BitsStored, made.HighBit = (16, 12, 11) if bits > 8 else (8, 8, 7)
    made.PixelData = values.tobytes()
    made["PixelData"].VR = "OW" if bits > 8 else "OB"


def mr(uids: tuple[str, str, str, str]) -> Dataset:
    """A classic MR image with the standard's research attributes."""
    made = base(MR, "MR", uids)
    for keyword, value in STANDARD.items():
        setattr(made, keyword, value)
    pixels(made)
    return made


def item(**values: object) -> Dataset:
    """A sequence item."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, Sequence(value) if isinstance(value, list) and _items(value) else value)
    return made


def _items(value: list[object]) -> bool:
    return bool(value) and all(isinstance(entry, Dataset) for entry in value)


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded concept."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def enhanced(uids: tuple[str, str, str, str], frames: int = 4) -> Dataset:
    """An enhanced MR object with diffusion in its functional groups."""
    made = base(ENHANCED_MR, "MR", uids)
    made.ImageType, made.NumberOfFrames = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"], frames
    made.MagneticFieldStrength, made.ResonantNucleus, made.BodyPartExamined = 3.0, "1H", "BRAIN"
    made.SharedFunctionalGroupsSequence = Sequence(
        [
            item(
                PixelMeasuresSequence=[item(PixelSpacing=["2", "2"], SliceThickness="2.5")],
                PlaneOrientationSequence=[item(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])],
                MRTimingAndRelatedParametersSequence=[item(RepetitionTime="8200", FlipAngle="90", EchoTrainLength="1")],
                MREchoSequence=[item(EffectiveEchoTime=86.5)],
            )
        ]
    )
    made.PerFrameFunctionalGroupsSequence = Sequence(_frame(n) for n in range(frames))
    pixels(made, frames=frames)
    return made


def _frame(number: int) -> Dataset:
    direction = [0.6, 0.0, 0.8] if number else [0.0, 0.0, 0.0]
    return item(
        FrameContentSequence=[
            item(StackID="1", InStackPositionNumber=number + 1, DimensionIndexValues=[1, number + 1])
        ],
        PlanePositionSequence=[item(ImagePositionPatient=["-1.5", "2", str(2.5 * number)])],
        PixelValueTransformationSequence=[item(RescaleIntercept="0", RescaleSlope="1.25", RescaleType="US")],
        MRDiffusionSequence=[
            item(
                DiffusionBValue=1000.0 * bool(number),
                DiffusionDirectionality="DIRECTIONAL" if number else "NONE",
                DiffusionGradientDirectionSequence=[item(DiffusionGradientOrientation=direction)],
            )
        ],
    )


def spectroscopy(uids: tuple[str, str, str, str]) -> Dataset:
    """An MR spectroscopy object of one voxel."""
    made = base(SPECTROSCOPY, "MR", uids)
    made.ImageType, made.NumberOfFrames = ["ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE"], 1
    made.Rows = made.Columns = 1
    made.DataPointRows, made.DataPointColumns, made.NumberOfZeroFills = 1, 64, 0
    made.DataRepresentation, made.SignalDomainColumns, made.VolumeLocalizationTechnique = "COMPLEX", "TIME", "PRESS"
    made.SpectralWidth, made.TransmitterFrequency, made.ResonantNucleus = 1200.0, 123.25, "1H"
    made.SpectroscopyData = struct.pack("<128f", *(np.sin(np.arange(128) / 5)))
    made["SpectroscopyData"].VR = "OF"
    return made


def secondary_capture(uids: tuple[str, str, str, str]) -> Dataset:
    """A screen of a workstation, without text."""
    made = base(SECONDARY_CAPTURE, "MR", uids)
    made.ConversionType, made.ImageType = "WSD", ["DERIVED", "SECONDARY"]
    pixels(made, bits=8)
    return made


def segmentation(uids: tuple[str, str, str, str]) -> Dataset:
    """A binary segmentation of one segment."""
    made = base(SEGMENTATION, "SEG", uids)
    made.ImageType, made.SegmentationType, made.NumberOfFrames = ["DERIVED", "PRIMARY"], "BINARY", 1
    made.ContentLabel, made.ContentCreatorName, made.InstanceNumber = "SEGMENTATION", "", "1"
    region = code("T-A0100", "SRT", "Brain")
    made.SegmentSequence = Sequence(
        [
            item(
                SegmentNumber=1, SegmentLabel="Brain", SegmentAlgorithmType="MANUAL",
                SegmentedPropertyCategoryCodeSequence=[code("T-D0050", "SRT", "Tissue")],
                SegmentedPropertyTypeCodeSequence=[region],
            )
        ]
    )  # fmt: skip
    made.SharedFunctionalGroupsSequence = Sequence(
        [
            item(
                PixelMeasuresSequence=[item(PixelSpacing=["2", "2"], SliceThickness="2.5")],
                PlaneOrientationSequence=[item(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])],
            )
        ]
    )
    made.PerFrameFunctionalGroupsSequence = Sequence(
        [
            item(
                FrameContentSequence=[item(DimensionIndexValues=[1, 1])],
                PlanePositionSequence=[item(ImagePositionPatient=["-1.5", "2", "0"])],
                SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
            )
        ]
    )
    pixels(made, bits=8)
    made.BitsAllocated, made.BitsStored, made.HighBit, made.SegmentsOverlap = 1, 1, 0, "NO"
    made.PixelData = np.packbits(np.ones(SIDE * SIDE, np.uint8), bitorder="little").tobytes()
    return made


def structures(uids: tuple[str, str, str, str]) -> Dataset:
    """An RT structure set of one contour."""
    made = base(STRUCTURES, "RTSTRUCT", uids)
    made.StructureSetLabel, made.StructureSetDate, made.StructureSetTime = "BRAIN", "20210417", "101500"
    made.StructureSetROISequence = Sequence(
        [item(ROINumber=1, ReferencedFrameOfReferenceUID=uids[3], ROIName="Brain", ROIGenerationAlgorithm="MANUAL")]
    )
    contour = item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=3)
    contour.ContourData = ["0", "0", "0", "4", "0", "0", "0", "4", "0"]
    made.ROIContourSequence = Sequence([item(ReferencedROINumber=1, ContourSequence=[contour])])
    made.RTROIObservationsSequence = Sequence(
        [item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="ORGAN", ROIInterpreter="")]
    )
    return made


def presentation(uids: tuple[str, str, str, str], image: str) -> Dataset:
    """A grayscale softcopy presentation state of one image."""
    made = base(PRESENTATION, "PR", uids)
    made.ContentLabel, made.ContentCreatorName = "VIEW", ""
    made.PresentationCreationDate, made.PresentationCreationTime = "20210417", "101500"
    made.ReferencedSeriesSequence = Sequence(
        [item(SeriesInstanceUID=uids[1], ReferencedImageSequence=[reference(MR, image)])]
    )
    area = item(PresentationSizeMode="SCALE TO FIT", DisplayedAreaTopLeftHandCorner=[1, 1])
    area.DisplayedAreaBottomRightHandCorner = [SIDE, SIDE]
    made.DisplayedAreaSelectionSequence = Sequence([area])
    made.PresentationLUTShape = "IDENTITY"
    return made


def reference(sop_class: str, instance: str) -> Dataset:
    """A reference to an instance."""
    return item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=instance)


def report(uids: tuple[str, str, str, str], content: list[Dataset], sop_class: str = ENHANCED_REPORT) -> Dataset:
    """A structured report with these content items."""
    made = base(sop_class, "SR", uids)
    made.CompletionFlag, made.VerificationFlag, made.ValueType = "COMPLETE", "UNVERIFIED", "CONTAINER"
    made.ContinuityOfContent = "SEPARATE"
    made.ConceptNameCodeSequence = Sequence([code("18748-4", "LN", "Diagnostic Imaging Report")])
    made.ContentTemplateSequence = Sequence([item(MappingResource="DCMR", TemplateIdentifier="2000")])
    made.PerformedProcedureCodeSequence = Sequence()
    made.ContentSequence = Sequence(content)
    return made


def content(kind: str, **values: object) -> Dataset:
    """A content item of a report: what it contains, as the standard's finding."""
    made = item(RelationshipType="CONTAINS", ValueType=kind, **values)
    made.ConceptNameCodeSequence = Sequence([code("121071", "DCM", "Finding")])
    return made


def pdf(uids: tuple[str, str, str, str], document: bytes) -> Dataset:
    """A PDF document in DICOM."""
    made = base(PDF, "DOC", uids)
    made.ConversionType, made.BurnedInAnnotation, made.DocumentTitle = "WSD", "YES", ""
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = document + bytes(len(document) % 2)
    made.ConceptNameCodeSequence = Sequence()
    return made


def directory() -> Dataset:
    """A DICOMDIR without records."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.FileSetID = DIRECTORY, "1.2.826.0.1.3680043.9.77771.9.1", ""
    made.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    made.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    made.FileSetConsistencyFlag = 0
    made.DirectoryRecordSequence = Sequence()
    return made
