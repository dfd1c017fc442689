"""Small valid DICOM objects of many kinds, with the identifiers of a made-up person in every place that holds one.

Belongs here: datasets. Reports are `tests.documents`, bytes of files `tests.encodings`. Nothing here knows the
project's own code, so that it can judge it.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

ROOT = "1.2.826.0.1.3680043.9.66613"
SIZE = 8
_STORAGE = "1.2.840.10008.5.1.4.1.1"


@dataclass(frozen=True)
class Identity:
    """Whom an object is about and who made it; every value is planted somewhere."""

    name: str = "Quackenbush^Ottoline"
    patient_id: str = "MRN-8830177"
    birth_date: str = "19310829"
    accession: str = "ACC5529013"
    institution: str = "Wolkenheim Klinikum"
    address: str = "Lindwurmgasse 14, 1090 Wien"
    clinician: str = "Habernoll^Ignatius"
    operator: str = "Strudwick^Petronella"
    serial: str = "SN-66120457"
    station: str = "WOLKMR07"
    phone: str = "+43 1 5559 0142"
    unlisted: str = "Xanthopoulos"
    study_uid: str = f"{ROOT}.1"
    frame_uid: str = f"{ROOT}.2"
    image_uid: str = f"{ROOT}.3.1"
    series_uid: str = f"{ROOT}.4.1"

    def tokens(self) -> frozenset[str]:
        """Values, and parts of them long enough to be looked for, that may stand in no output."""
        values = [getattr(self, f.name) for f in fields(self)]
        parts = {part for value in values[:-4] for part in value.replace(",", "^").replace(" ", "^").split("^")}
        return frozenset({*values, *(part for part in parts if len(part) > 4)})


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded concept."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def begun(who: Identity, sop_class: str, modality: str, number: int) -> Dataset:
    """Patient, study, series and equipment of an object, and junk that must not leave."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = f"{_STORAGE}.{sop_class}", f"{ROOT}.3.{number}"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = who.name, who.patient_id, who.birth_date, "F"
    ds.PatientAge, ds.PatientComments = "092Y", f"lives with {who.unlisted}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = who.study_uid, f"{ROOT}.4.{number}"
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20230613", "101112", who.accession
    ds.SeriesDate, ds.SeriesTime, ds.ContentDate, ds.ContentTime = "20230613", "101500", "20230613", "101600"
    ds.AccessionNumber, ds.ReferringPhysicianName = who.accession, who.clinician
    ds.OperatorsName, ds.InstitutionName, ds.InstitutionAddress = who.operator, who.institution, who.address
    ds.StudyDescription = f"BRAIN {who.name.split('^')[0]}"
    ds.SeriesDescription = f"T1 {who.unlisted}"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, number, 1
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = "SIEMENS", "Prisma", "syngo MR E11"
    ds.DeviceSerialNumber, ds.StationName = who.serial, who.station
    ds.add_new(0x00091001, "LO", who.unlisted)  # no creator reserves its block
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", f"{who.name} {who.patient_id} ".encode())
    ds.add_new(0x00087771, "LO", who.unlisted)  # no element of the standard
    return ds


def nested_junk(item: Dataset, who: Identity) -> Dataset:
    """The item with private and unknown elements and an institution in it."""
    item.private_block(0x0011, "ACME NOTES", create=True).add_new(0x01, "LO", f"{who.name} {who.phone}")
    item.add_new(0x00407773, "LT", who.unlisted)
    item.InstitutionName, item.OperatorsName = who.institution, who.operator
    return item


def references(*pairs: tuple[str, str]) -> Sequence:
    """Items of referenced objects: SOP class below the storage root, instance."""
    items = []
    for sop_class, instance in pairs:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = f"{_STORAGE}.{sop_class}", instance
        items.append(item)
    return Sequence(items)


def series_of_image(who: Identity, sequence: str = "ReferencedSOPSequence") -> Dataset:
    """The series of the MR image, the image in it."""
    item = Dataset()
    item.SeriesInstanceUID = who.series_uid
    setattr(item, sequence, references(("4", who.image_uid)))
    return item


def evidence(who: Identity) -> Sequence:
    """Study, series and image that a document refers to."""
    item = Dataset()
    item.StudyInstanceUID, item.ReferencedSeriesSequence = who.study_uid, Sequence([series_of_image(who)])
    return Sequence([item])


def pixels(ds: Dataset, *, bits: int = 16, frames: int = 0, colour: bool = False) -> Dataset:
    """Pixels of a fixed pattern."""
    ds.Rows = ds.Columns = SIZE
    ds.SamplesPerPixel, ds.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits, bits - 1, 0
    if colour:
        ds.PlanarConfiguration = 0
    if frames:
        ds.NumberOfFrames = frames
    count = SIZE * SIZE * max(frames, 1) * (3 if colour else 1)
    values = np.arange(count)
    if bits == 1:
        ds.PixelData = np.packbits((values % 3 == 0).astype(np.uint8), bitorder="little").tobytes()
    else:
        ds.PixelData = (values % 200).astype(f"<u{bits // 8}").tobytes()
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"
    return ds


def mr_image(who: Identity) -> Dataset:
    """An MR image (PS3.3 A.4)."""
    ds = pixels(begun(who, "4", "MR", 1))
    ds.ImageType, ds.PatientPosition = ["ORIGINAL", "PRIMARY", "M"], "HFS"
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "GR", "SP", "PFP", "3D"
    ds.EchoTime, ds.RepetitionTime, ds.EchoTrainLength = "3.1", "12", "1"
    _in_space(ds, who)
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [1, 1], "1"
    return ds


def _in_space(ds: Dataset, who: Identity) -> None:
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = who.frame_uid, ""


def _frame_groups(ds: Dataset, frames: int, who: Identity) -> None:
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [1, 1], "1"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([])
    for frame in range(frames):
        group, place, content = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, frame]
        content.DimensionIndexValues, content.StackID, content.InStackPositionNumber = [1, frame + 1], "1", frame + 1
        group.PlanePositionSequence, group.FrameContentSequence = Sequence([place]), Sequence([content])
        ds.PerFrameFunctionalGroupsSequence.append(nested_junk(group, who))
    organization, *indices = Dataset(), Dataset(), Dataset()
    organization.DimensionOrganizationUID = f"{ROOT}.5"
    for index, pointer in zip(indices, (0x00209056, 0x00209057), strict=True):
        index.DimensionOrganizationUID, index.DimensionIndexPointer = f"{ROOT}.5", pointer
        index.FunctionalGroupPointer = 0x00209111
    ds.DimensionOrganizationSequence, ds.DimensionIndexSequence = Sequence([organization]), Sequence(indices)


def enhanced(who: Identity) -> Dataset:
    """An Enhanced MR image of two frames (PS3.3 A.36)."""
    ds = pixels(begun(who, "4.1", "MR", 2), frames=2)
    _in_space(ds, who)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.PixelPresentation, ds.VolumetricProperties, ds.VolumeBasedCalculationTechnique = "MONOCHROME", "VOLUME", "NONE"
    ds.ComplexImageComponent, ds.AcquisitionContrast, ds.ContentQualification = "MAGNITUDE", "T1", "RESEARCH"
    ds.AcquisitionDateTime, ds.AcquisitionDuration = "20230613101530", 120.0
    ds.ResonantNucleus, ds.MagneticFieldStrength, ds.LossyImageCompression = "1H", 3.0, "00"
    ds.PresentationLUTShape, ds.BurnedInAnnotation = "IDENTITY", "NO"
    ds.AcquisitionContextSequence = Sequence([])
    _frame_groups(ds, 2, who)
    return ds


def spectroscopy(who: Identity) -> Dataset:
    """A single-voxel MR spectrum (PS3.3 A.36.3)."""
    ds = begun(who, "4.2", "MR", 3)
    _in_space(ds, who)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE"]
    ds.Rows = ds.Columns = ds.NumberOfFrames = ds.DataPointRows = 1
    ds.DataPointColumns, ds.DataRepresentation, ds.SignalDomainColumns = 16, "COMPLEX", "TIME"
    ds.SpectralWidth, ds.VolumeLocalizationTechnique, ds.MRSpectroscopyAcquisitionType = 2000.0, "PRESS", "SINGLE_VOXEL"
    ds.TransmitterFrequency, ds.ResonantNucleus, ds.MagneticFieldStrength = 123.2, "1H", 3.0
    ds.AcquisitionDateTime, ds.AcquisitionDuration = "20230613101530", 120.0
    ds.SpectroscopyData = np.linspace(-1, 1, 32, dtype="<f4").tobytes()
    ds["SpectroscopyData"].VR = "OF"
    _frame_groups(ds, 1, who)
    return ds


def capture(who: Identity) -> Dataset:
    """A secondary capture in colour (PS3.3 A.8.1)."""
    ds = pixels(begun(who, "7", "OT", 4), bits=8, colour=True)
    ds.ConversionType, ds.SecondaryCaptureDeviceID, ds.PatientOrientation = "WSD", who.station, ""
    return ds


def captures(who: Identity) -> Dataset:
    """A multi-frame grayscale byte secondary capture (PS3.3 A.8.3)."""
    ds = pixels(begun(who, "7.2", "OT", 5), bits=8, frames=2)
    ds.ConversionType, ds.BurnedInAnnotation, ds.PresentationLUTShape = "WSD", "NO", "IDENTITY"
    ds.FrameIncrementPointer, ds.PageNumberVector = 0x00182001, [1, 2]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    return ds


def segmentation(who: Identity, fractional: bool = False) -> Dataset:
    """A segmentation of the MR image (PS3.3 A.51)."""
    number = 7 if fractional else 6
    ds = pixels(begun(who, "66.4", "SEG", number), bits=8 if fractional else 1, frames=2)
    _in_space(ds, who)
    ds.ImageType, ds.ContentLabel, ds.ContentCreatorName = ["DERIVED", "PRIMARY"], "SEGMENTATION", who.operator
    ds.ContentDescription, ds.LossyImageCompression = f"by {who.operator}", "00"
    ds.SegmentationType = "FRACTIONAL" if fractional else "BINARY"
    if fractional:
        ds.SegmentationFractionalType, ds.MaximumFractionalValue = "PROBABILITY", 255
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel, segment.SegmentAlgorithmType = 1, who.unlisted, "SEMIAUTOMATIC"
    segment.SegmentAlgorithmName = "Region growing"
    segment.SegmentedPropertyCategoryCodeSequence = Sequence([code("123037004", "SCT", "Anatomical Structure")])
    segment.SegmentedPropertyTypeCodeSequence = Sequence([code("P-1", "99ACME", who.name.split("^")[0])])
    segment.TrackingID, segment.TrackingUID = who.unlisted, f"{ROOT}.8.1"
    ds.SegmentSequence = Sequence([nested_junk(segment, who)])
    ds.ReferencedSeriesSequence = Sequence([series_of_image(who, "ReferencedInstanceSequence")])
    _frame_groups(ds, 2, who)
    for group in ds.PerFrameFunctionalGroupsSequence:
        identification, derivation = Dataset(), Dataset()
        identification.ReferencedSegmentNumber = 1
        derivation.DerivationCodeSequence = Sequence([code("113076", "DCM", "Segmentation")])
        derivation.SourceImageSequence = references(("4", who.image_uid))
        purpose = code("121322", "DCM", "Source image for image processing operation")
        derivation.SourceImageSequence[0].PurposeOfReferenceCodeSequence = Sequence([purpose])
        group.SegmentIdentificationSequence = Sequence([identification])
        group.DerivationImageSequence = Sequence([derivation])
    return ds


def structures(who: Identity) -> Dataset:
    """An RT structure set drawn on the MR image (PS3.3 A.19)."""
    ds = begun(who, "481.3", "RTSTRUCT", 8)
    ds.StructureSetLabel, ds.StructureSetName = who.unlisted, f"plan {who.name.split('^')[0]}"
    ds.StructureSetDate, ds.StructureSetTime = "20230614", "090000"
    frame, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID, series.ContourImageSequence = who.series_uid, references(("4", who.image_uid))
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", who.study_uid
    study.RTReferencedSeriesSequence = Sequence([series])
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = who.frame_uid, Sequence([study])
    ds.ReferencedFrameOfReferenceSequence = Sequence([frame])
    roi, outline, contour, observed = Dataset(), Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ReferencedFrameOfReferenceUID, roi.ROIName = 1, who.frame_uid, f"brain {who.unlisted}"
    roi.ROIGenerationAlgorithm = "MANUAL"
    contour.ContourImageSequence = references(("4", who.image_uid))
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 3
    contour.ContourData = [0, 0, 0, 4, 0, 0, 0, 4, 0]
    outline.ReferencedROINumber, outline.ROIDisplayColor, outline.ContourSequence = 1, [255, 0, 0], Sequence([contour])
    observed.ObservationNumber = observed.ReferencedROINumber = 1
    observed.RTROIInterpretedType, observed.ROIInterpreter = "ORGAN", who.clinician
    ds.StructureSetROISequence, ds.ROIContourSequence = Sequence([nested_junk(roi, who)]), Sequence([outline])
    ds.RTROIObservationsSequence = Sequence([observed])
    ds.ApprovalStatus, ds.ReviewDate, ds.ReviewTime, ds.ReviewerName = "APPROVED", "20230615", "080000", who.clinician
    return ds


def presentation(who: Identity) -> Dataset:
    """A grayscale softcopy presentation state with a name written over the image (PS3.3 A.33.1)."""
    ds = begun(who, "11.1", "PR", 9)
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "WOLK7", f"of {who.unlisted}", who.operator
    ds.PresentationCreationDate, ds.PresentationCreationTime = "20230613", "120000"
    ds.ReferencedSeriesSequence = Sequence([series_of_image(who, "ReferencedImageSequence")])
    area, window, text, written, layer = Dataset(), Dataset(), Dataset(), Dataset(), Dataset()
    area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner = [1, 1], [SIZE, SIZE]
    area.PresentationSizeMode, area.PresentationPixelSpacing = "SCALE TO FIT", [1, 1]
    window.WindowCenter, window.WindowWidth = "100", "200"
    ds.DisplayedAreaSelectionSequence, ds.SoftcopyVOILUTSequence = Sequence([area]), Sequence([window])
    text.UnformattedTextValue, text.AnchorPoint = f"{who.name} {who.patient_id}", [2.0, 2.0]
    text.AnchorPointAnnotationUnits, text.AnchorPointVisibility = "PIXEL", "Y"
    written.GraphicLayer, written.TextObjectSequence = "LAYER", Sequence([text])
    layer.GraphicLayer, layer.GraphicLayerOrder, layer.GraphicLayerDescription = "LAYER", 1, who.unlisted
    ds.GraphicAnnotationSequence, ds.GraphicLayerSequence = Sequence([written]), Sequence([layer])
    ds.PresentationLUTShape = "IDENTITY"
    return ds


def encapsulated_pdf(who: Identity) -> Dataset:
    """A letter as PDF (PS3.3 A.45.1)."""
    ds = begun(who, "104.1", "DOC", 15)
    ds.BurnedInAnnotation, ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "YES", who.name, "application/pdf"
    ds.EncapsulatedDocument = f"%PDF-1.4 {who.name} %%EOF ".encode()
    return ds


Builder = Callable[[Identity], Dataset]
IMAGES: dict[str, Builder] = {
    "image": mr_image,
    "enhanced": enhanced,
    "capture": capture,
    "captures": captures,
    "segmentation fractional": lambda who: segmentation(who, fractional=True),
}
"""Objects with pixels that can be compressed."""
OTHERS: dict[str, Builder] = {
    "spectroscopy": spectroscopy,
    "segmentation": segmentation,
    "structure set": structures,
    "presentation state": presentation,
}
