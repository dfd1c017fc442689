"""The header of a series as every vendor writes it, with everything in it that identifies.

Belongs here: standard elements of MR Image Storage (PS3.3 A.4). Vendors' own are in `imaging.phantom.dialects`, what
changes from image to image in `imaging.phantom.images`.
"""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import MRImageStorage

from imaging.phantom.answers import Kind, Planter, element
from imaging.phantom.dialects import Dialect
from imaging.phantom.dialects.dialect import clock
from imaging.phantom.scan import Scan, Technique
from imaging.phantom.study import Study
from imaging.phantom.vocabulary import BodyPart, Contrast

GYROMAGNETIC_MHZ = 42.577
"""Larmor frequency of hydrogen in MHz a tesla."""


def series_header(study: Study, scan: Scan, dialect: Dialect, plant: Planter) -> Dataset:
    """Everything that the images of a series share."""
    dataset = Dataset()
    identity(dataset, study, plant)
    _dates(dataset, study, scan, plant)
    _place(dataset, study, dialect, plant)
    _description(dataset, study, scan, dialect, plant)
    _acquisition(dataset, study, scan, dialect)
    _geometry(dataset, study, scan, dialect, plant)
    _request(dataset, study, plant)
    _comments(dataset, study, scan, plant)
    dialect.series_facts(dataset, study, scan, plant)
    return dataset


def identity(dataset: Dataset, study: Study, plant: Planter) -> None:
    """Patient and study: what every object of a study holds, image or not."""
    who, met = study.person, study.encounter
    dataset.SpecificCharacterSet = "ISO_IR 100"
    plant.put(dataset, "PatientName", Kind.NAME, who.dicom_name)
    for part in (who.family, who.given):
        plant.text(Kind.NAME, part, element("PatientName"))
    plant.put(dataset, "PatientID", Kind.ID, who.mrn)
    plant.put(dataset, "PatientBirthDate", Kind.DATE, f"{who.born:%Y%m%d}")
    dataset.PatientAge = plant.age(met.age, f"{met.age:03d}Y", element("PatientAge"))
    dataset.PatientSex = who.sex
    dataset.PatientWeight = str(who.weight)
    dataset.PatientSize = f"{who.height:.2f}"
    plant.put(dataset, "OtherPatientIDs", Kind.ID, who.other_id)
    plant.put(dataset, "PatientBirthName", Kind.NAME, f"{who.maiden}^{who.given}")
    plant.text(Kind.NAME, who.maiden, element("PatientBirthName"))
    plant.put(dataset, "PatientAddress", Kind.ADDRESS, f"{who.street}, {who.city}")
    plant.put(dataset, "PatientTelephoneNumbers", Kind.PHONE, who.phone)
    plant.put(dataset, "Occupation", Kind.TEXT, who.occupation[:16].strip())
    plant.put(dataset, "StudyInstanceUID", Kind.UID, study.uid)
    plant.put(dataset, "AccessionNumber", Kind.ID, met.accession)
    plant.put(dataset, "StudyID", Kind.ID, met.study_id)
    plant.put(dataset, "StudyDate", Kind.DATE, f"{met.date:%Y%m%d}")
    dataset.StudyTime = clock(met.seconds)
    plant.put(dataset, "ReferringPhysicianName", Kind.CLINICIAN, met.referring)
    plant.text(Kind.CLINICIAN, met.referring.split("^")[0], element("ReferringPhysicianName"))


def _dates(dataset: Dataset, study: Study, scan: Scan, plant: Planter) -> None:
    day = f"{study.encounter.date:%Y%m%d}"
    began = clock(series_began(study, scan))
    for keyword in ("SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate"):
        plant.put(dataset, keyword, Kind.DATE, day)
    plant.put(dataset, "PerformedProcedureStepStartDate", Kind.DATE, day)
    plant.put(dataset, "DateOfLastCalibration", Kind.DATE, f"{study.encounter.calibrated:%Y%m%d}")
    plant.put(dataset, "AcquisitionDateTime", Kind.DATE, day + began)
    for keyword in ("SeriesTime", "ContentTime", "InstanceCreationTime", "PerformedProcedureStepStartTime"):
        setattr(dataset, keyword, began)


def series_began(study: Study, scan: Scan) -> float:
    """Seconds since midnight at which a series began; four minutes a series."""
    return study.encounter.seconds + 240.0 * (scan.index + 1)


def _place(dataset: Dataset, study: Study, dialect: Dialect, plant: Planter) -> None:
    met = study.encounter
    dataset.Manufacturer = dialect.manufacturer
    dataset.ManufacturerModelName = study.scanner.model
    dataset.SoftwareVersions = list(study.scanner.software)
    dataset.MagneticFieldStrength = f"{study.scanner.field_t:g}"
    dataset.ImagingFrequency = f"{study.scanner.field_t * GYROMAGNETIC_MHZ:.4f}"
    plant.put(dataset, "InstitutionName", Kind.INSTITUTION, met.institution)
    plant.put(dataset, "InstitutionAddress", Kind.ADDRESS, met.institution_address)
    plant.put(dataset, "InstitutionalDepartmentName", Kind.INSTITUTION, met.department)
    plant.put(dataset, "StationName", Kind.DEVICE, met.station)
    plant.put(dataset, "DeviceSerialNumber", Kind.DEVICE, met.serial)
    plant.put(dataset, "PerformingPhysicianName", Kind.CLINICIAN, met.performing)
    plant.put(dataset, "OperatorsName", Kind.CLINICIAN, met.operator)
    plant.put(dataset, "NameOfPhysiciansReadingStudy", Kind.CLINICIAN, met.reader)


def _description(dataset: Dataset, study: Study, scan: Scan, dialect: Dialect, plant: Planter) -> None:
    wording = dialect.wording(study, scan)
    dataset.SOPClassUID = MRImageStorage
    dataset.Modality = "MR"
    dataset.StudyDescription = "MR BRAIN" if study.body.part is BodyPart.HEAD else "MR KNEE"
    plant.put(dataset, "SeriesInstanceUID", Kind.UID, study.series_uid(scan))
    dataset.SeriesNumber = scan.index + 2
    dataset.SeriesDescription = wording.description
    dataset.ProtocolName = wording.protocol
    # operators type names where they should not, as in t1_ZORVATH_sag
    if scan.index == 0 and study.sometimes("named series", 3):
        family = plant.text(Kind.NAME, study.person.family.upper(), f"part of {element('SeriesDescription')}")
        head, _, tail = wording.description.rpartition(" " if " " in wording.description else "_")
        gap = " " if " " in wording.description else "_"
        plant.put(dataset, "SeriesDescription", Kind.NAME, f"{head}{gap}{family}{gap}{tail}")
        plant.put(dataset, "ProtocolName", Kind.NAME, f"{wording.protocol} {family}")
    dataset.ImageType = list(wording.image_type)
    dataset.ScanningSequence = list(wording.sequence)
    dataset.SequenceVariant = list(wording.variant)
    dataset.ScanOptions = list(wording.options)
    if wording.name:
        dataset.SequenceName = wording.name
    dataset.BodyPartExamined = dialect.body_part[study.body.part]
    if study.body.side:
        dataset.Laterality = study.body.side


def _acquisition(dataset: Dataset, study: Study, scan: Scan, dialect: Dialect) -> None:
    settings = scan.settings
    columns, rows, _ = scan.grid.shape
    dataset.MRAcquisitionType = "2D"
    dataset.AngioFlag = "N"
    dataset.EchoTime = f"{settings.te:g}"
    dataset.RepetitionTime = f"{settings.tr:g}"
    if settings.ti is not None:
        dataset.InversionTime = f"{settings.ti:g}"
    dataset.FlipAngle = f"{settings.flip:g}"
    dataset.EchoTrainLength = settings.train
    dataset.EchoNumbers = 1
    dataset.NumberOfAverages = str(settings.averages)
    dataset.ImagedNucleus = "1H"
    dataset.PixelBandwidth = "1565" if settings.technique is Technique.ECHO_PLANAR else "220"
    dataset.PercentSampling = "100"
    dataset.PercentPhaseFieldOfView = f"{100 * rows / columns:g}"[:16]
    dataset.AcquisitionMatrix = [columns, 0, 0, rows]
    dataset.InPlanePhaseEncodingDirection = "COL"
    dataset.ReceiveCoilName = "HeadNeck_20" if study.body.part is BodyPart.HEAD else "Knee_15"
    dataset.TransmitCoilName = "Body"
    dataset.PatientPosition = "HFS" if study.body.part is BodyPart.HEAD else "FFS"
    dataset.SAR = "0.0431"
    if scan.contrast is Contrast.DWI:
        dataset.NumberOfTemporalPositions = str(len(scan.bvals))


def _geometry(dataset: Dataset, study: Study, scan: Scan, dialect: Dialect, plant: Planter) -> None:
    grid = scan.grid
    columns, rows, _ = grid.shape
    plant.put(dataset, "FrameOfReferenceUID", Kind.UID, study.frame_of_reference)
    dataset.PositionReferenceIndicator = ""
    dataset.ImageOrientationPatient = [f"{x + 0.0:.9f}" for x in (*grid.row, *grid.column)]
    dataset.PixelSpacing = [f"{grid.spacing[1]:.6f}", f"{grid.spacing[0]:.6f}"]
    dataset.SliceThickness = f"{grid.thickness:g}"
    dataset.SpacingBetweenSlices = f"{grid.spacing[2]:.4f}"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    storage = dialect.storage(study, scan)
    dataset.BitsAllocated = 16
    dataset.BitsStored = storage.bits
    dataset.HighBit = storage.bits - 1
    dataset.PixelRepresentation = int(storage.signed)
    if storage.slope is not None:
        dataset.RescaleSlope = f"{storage.slope:g}"
        dataset.RescaleIntercept = f"{storage.intercept:g}"
        dataset.RescaleType = "US"
    dataset.WindowCenter, dataset.WindowWidth = "600", "1200"


def _request(dataset: Dataset, study: Study, plant: Planter) -> None:
    who, met = study.person, study.encounter
    step = Dataset()
    path = f"{element('RequestAttributesSequence')}>"
    plant.put(step, "RequestedProcedureID", Kind.ID, met.procedure, path)
    plant.put(step, "ScheduledProcedureStepID", Kind.ID, f"S{met.procedure}", path)
    text = f"MR for {who.given} {who.family}"
    plant.put(step, "RequestedProcedureDescription", Kind.TEXT, text, path)
    plant.put(step, "ReasonForTheRequestedProcedure", Kind.TEXT, f"sent by Dr {met.referring.split('^')[0]}", path)
    dataset.RequestAttributesSequence = Sequence([step])
    plant.put(dataset, "PerformedProcedureStepID", Kind.ID, f"PPS{met.study_id}")
    dataset.PerformedProcedureStepDescription = dataset.StudyDescription


def _comments(dataset: Dataset, study: Study, scan: Scan, plant: Planter) -> None:
    who, met = study.person, study.encounter
    plant.put(dataset, "ImageComments", Kind.TEXT, f"{who.family} {who.given} moved, repeated")
    plant.put(dataset, "PatientComments", Kind.TEXT, f"call {who.phone}, mail {who.email}")
    plant.text(Kind.EMAIL, who.email, element("PatientComments"))
    plant.text(Kind.PHONE, who.phone, element("PatientComments"))
    plant.put(dataset, "AdditionalPatientHistory", Kind.TEXT, f"known to Dr {met.performing.split('^')[0]} since 2009")
    plant.text(Kind.CLINICIAN, met.performing.split("^")[0], element("AdditionalPatientHistory"))
