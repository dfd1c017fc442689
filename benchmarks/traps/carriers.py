"""Places of a header that can hold an identifier, listed by the standard or not.

Belongs here: attributes at the top, in sequences, in private blocks, around the dataset. Free text in all its
spellings is `benchmarks.traps.prose`, other scripts are `benchmarks.traps.scripts`.
"""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.traps.objects import MR, code, item, reference
from benchmarks.traps.plant import Plant
from benchmarks.traps.vendors import csa

_PERSONS = (
    "PatientBirthName", "PatientMotherBirthName", "OtherPatientNames", "ReferringPhysicianName",
    "PerformingPhysicianName", "OperatorsName", "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord",
    "RequestingPhysician", "ConsultingPhysicianName", "ResponsiblePerson", "ScheduledPerformingPhysicianName",
    "NamesOfIntendedRecipientsOfResults", "HumanPerformerName", "PersonName", "EvaluatorName", "ReviewerName",
)  # fmt: skip
_IDS = {
    "OtherPatientIDs": "OPI", "AdmissionID": "ADM", "PerformedProcedureStepID": "PPS", "GantryID": "GAN",
    "PlateID": "PLT", "DetectorID": "DET", "DeviceSerialNumber": "SN", "RequestedProcedureID": "RP",
    "PlacerOrderNumberImagingServiceRequest": "PLO", "FillerOrderNumberImagingServiceRequest": "FLO",
    "DeviceID": "DEV", "ServiceEpisodeID": "EPI", "DeviceUID": "", "MedicalRecordLocator": "MRL",
    "PatientTelephoneNumbers": "615-555-", "ReferringPhysicianTelephoneNumbers": "615-555-",
    "ClinicalTrialSubjectID": "CTS", "ClinicalTrialSiteID": "CSI", "ClinicalTrialProtocolID": "CTP",
}  # fmt: skip
_WORDS = (
    "IssuerOfPatientID", "PatientAddress", "EthnicGroup", "Occupation", "AdditionalPatientHistory", "PatientComments",
    "MedicalAlerts", "Allergies", "MilitaryRank", "BranchOfService", "CountryOfResidence", "RegionOfResidence",
    "PatientReligiousPreference", "InstitutionAddress", "InstitutionalDepartmentName", "ImageComments",
    "PerformedProcedureStepDescription", "RequestedProcedureDescription", "CurrentPatientLocation",
    "PerformedLocation", "TextComments", "InterpretationText", "AcquisitionComments", "DerivationDescription",
    "FrameComments", "ImagePresentationComments", "RequestedContrastAgent", "VisitComments", "StudyComments",
    "CommentsOnThePerformedProcedureStep", "AdmittingDiagnosesDescription",
    "ReasonForStudy", "DischargeDiagnosisDescription",
    "RequestingService", "SpecialNeeds", "PatientState", "ClinicalTrialSponsorName", "ClinicalTrialSiteName",
    "ProtocolName", "ResponsibleOrganization", "PatientSpeciesDescription", "ScheduledStudyLocation",
    "PatientInstitutionResidence", "OrderEnteredBy", "ReasonForTheImagingServiceRequest",
    "ImagingServiceRequestComments",
)  # fmt: skip
_DATES = (
    "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate", "PerformedProcedureStepStartDate",
    "LastMenstrualDate", "AdmittingDate", "DateOfLastCalibration", "DateOfSecondaryCapture", "ScheduledStudyStartDate",
)  # fmt: skip
_UNLISTED_TEXT = (
    "SequenceName", "ManufacturerModelName", "SoftwareVersions", "TransmitCoilName", "PositionReferenceIndicator",
    "WindowCenterWidthExplanation", "ReceiveCoilName", "StackID", "DocumentTitle", "Manufacturer", "ContrastBolusRoute",
    "PulseSequenceName", "FilterType", "ConvolutionKernel", "ImplantName", "LUTExplanation",
)  # fmt: skip
_UNLISTED_CODES = (
    "BodyPartExamined",
    "ScanOptions",
    "ImageType",
    "RescaleType",
    "PatientPosition",
    "QualityControlImage",
)


def person(plant: Plant) -> None:
    """What every object says about its patient, its study and its place."""
    made = plant.dataset
    plant.family, plant.given = plant.mint.word(), plant.mint.word()
    made.PatientName = f"{plant.family}^{plant.given}"
    plant.note("patient", "PatientName, family name", plant.family)
    plant.note("patient", "PatientName, given name", plant.given)
    made.PatientID = plant.code("patient", "PatientID", "P")
    made.PatientBirthDate = plant.day("date", "PatientBirthDate")
    made.AccessionNumber = plant.code("id", "AccessionNumber", "A")
    made.StudyID = plant.code("id", "StudyID", "S")
    made.StationName = plant.code("device", "StationName", "MRC")
    made.StudyDate = plant.day("date", "StudyDate", recent=True)
    plant.put("InstitutionName", "place", "{} Hospital")
    plant.put("StudyDescription", "listed text", "MR BRAIN {}")


def identity(plant: Plant) -> None:
    """The UIDs of the object itself are identifiers too."""
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        if keyword in plant.dataset:
            plant.note("uid", keyword, str(plant.dataset[keyword].value))


def listed(plant: Plant) -> None:
    """Attributes that PS3.15 Table E.1-1 names."""
    made, mint = plant.dataset, plant.mint
    for keyword in _PERSONS:
        plant.put(keyword, "person name", "{}^" + mint.word())
    for keyword, prefix in _IDS.items():
        value = plant.code("id", keyword, prefix) if keyword != "DeviceUID" else plant.uid("uid", keyword)
        setattr(made, keyword, value)
    for keyword in _WORDS:
        plant.put(keyword, "listed text")
    for keyword in _DATES:
        setattr(made, keyword, plant.day("date", keyword, recent=True))
    made.AcquisitionDateTime = plant.day("date", "AcquisitionDateTime", recent=True) + "101500.000000"
    plant.put("PerformedStationAETitle", "device", "{:.15}")
    made.PatientAge = "097Y"
    plant.note("age above 89", "PatientAge", b"097Y")
    made.PatientSexNeutered = "ALTERED"
    made.IrradiationEventUID = plant.uid("uid", "IrradiationEventUID")
    made.ConcatenationUID = plant.uid("uid", "ConcatenationUID")


def unlisted(plant: Plant) -> None:
    """Attributes that no table names, and that hold text all the same."""
    made = plant.dataset
    for keyword in _UNLISTED_TEXT:
        plant.put(keyword, "unlisted text")
    for keyword in _UNLISTED_CODES:
        word = plant.mint.word().upper()[:16]
        plant.note("unlisted code", keyword, word)
        setattr(made, keyword, ["ORIGINAL", "PRIMARY", "M", word] if keyword == "ImageType" else word)
    scheme = plant.code("coded concept", "CodingSchemeDesignator", "99")
    meaning = plant.word("coded concept", "CodeMeaning")
    concept = code(plant.code("coded concept", "CodeValue", "C"), scheme, meaning)
    made.ProcedureCodeSequence = Sequence([concept])
    made.AnatomicRegionSequence = Sequence(
        [code("T-A0100", "SRT", plant.word("coded concept", "AnatomicRegion meaning"))]
    )


def wrong(plant: Plant) -> None:
    """Text where the standard has numbers, codes, dates or UIDs, and values of another representation."""
    for tag, vr, carrier in (
        (0x00180080, "DS", "RepetitionTime"),
        (0x00181312, "LO", "InPlanePhaseEncodingDirection, as LO"),
        (0x00189087, "OB", "DiffusionBValue, as OB"),
        (0x00189075, "UN", "DiffusionDirectionality, as UN"),
        (0x00080022, "DA", "AcquisitionDate"),
        (0x00200200, "UI", "SynchronizationFrameOfReferenceUID"),
    ):
        plant.raw(tag, vr, plant.word("wrong value", carrier).encode())


def nested(plant: Plant) -> None:
    """The same kinds of values, deep in sequences that are kept and in some that are not."""
    made = plant.dataset
    deep = item(SeriesDescription="T1 " + plant.word("nested", "SeriesDescription, 4 deep"))
    plant.put("PatientName", "nested", "{}^Ann", deep)
    plant.put("InstitutionName", "nested", "{} Clinic", deep)
    deep.ReferencedSOPInstanceUID = plant.uid("nested", "ReferencedSOPInstanceUID, 4 deep")
    deep.StudyDate = plant.day("nested", "StudyDate, 4 deep", recent=True)
    third = item(ReferencedSOPSequence=[deep], PatientID=plant.code("nested", "PatientID, 3 deep", "P"))
    second = item(
        ReferencedSeriesSequence=[third], AccessionNumber=plant.code("nested", "AccessionNumber, 2 deep", "A")
    )
    first = reference(MR, plant.uid("nested", "ReferencedSOPInstanceUID"))
    first.PurposeOfReferenceCodeSequence = Sequence(
        [code("121322", "DCM", plant.word("nested", "purpose of reference"))]
    )
    first.ReferencedStudySequence = Sequence([second])
    plant.private(0x0019, "SIEMENS MR HEADER", 0x09, "LO", plant.word("nested", "private text in a sequence"), first)
    made.ReferencedImageSequence = Sequence([first])
    request = item(RequestedProcedureID=plant.code("nested", "RequestedProcedureID", "RP"))
    plant.put("ScheduledProcedureStepDescription", "nested", "{}", request)
    made.RequestAttributesSequence = Sequence([request])
    made.OtherPatientIDsSequence = Sequence([item(PatientID=plant.code("nested", "OtherPatientIDsSequence", "P"))])
    former = item()
    plant.put("PatientName", "nested", "{}^Former", former)
    original = item(ModifiedAttributesSequence=[former])
    plant.put("ModifyingSystem", "nested", "{}", original)
    made.OriginalAttributesSequence = Sequence([original])
    made.ReferencedPatientSequence = Sequence(
        [reference("1.2.840.10008.3.1.2.1.1", plant.uid("nested", "ReferencedPatient"))]
    )


def private(plant: Plant) -> None:
    """Private elements: text, binary, unknown, wrong representation, sequences, blobs, and creators themselves."""
    word = plant.word
    plant.private(0x0019, "SIEMENS MR HEADER", 0x0B, "LO", word("private", "text where a number is expected"))
    plant.private(
        0x0019,
        "SIEMENS MR HEADER",
        0x15,
        "UN",
        word("private", "unknown where a number is expected").encode().ljust(24),
    )
    plant.private(
        0x0029,
        "SIEMENS CSA HEADER",
        0x10,
        "OB",
        csa({"PatientName": [word("private", "CSA image header")], "B_value": ["1000"]}),
    )
    protocol = f'### ASCCONV BEGIN ###\ntPatientName = "{word("private", "CSA protocol text")}"\n### ASCCONV END ###'
    plant.private(0x0029, "SIEMENS CSA HEADER", 0x20, "OB", csa({"MrPhoenixProtocol": [protocol]}))
    plant.private(
        0x0033,
        f"{word('private', 'private creator')} Hospital",
        0x01,
        "LT",
        word("private", "text of an unknown creator"),
    )
    plant.private(0x0043, "GEMS_PARM_01", 0x28, "OB", word("private", "GE blob").encode().ljust(32, b"\0"))
    plant.private(0x0043, "GEMS_PARM_01", 0x39, "LO", word("private", "GE text where a b-value is expected"))
    plant.private(0x2001, "Philips Imaging DD 001", 0xCC, "ST", word("private", "Philips text"))
    inner = Dataset()
    plant.private(0x2005, "Philips MR Imaging DD 001", 0x18, "LO", word("private", "text in a private sequence"), inner)
    plant.put("SeriesDescription", "private", "{}", inner)
    inner.add_new(0x00100010, "PN", f"{word('private', 'PatientName in a private sequence')}^Eve")
    plant.private(0x2005, "Philips MR Imaging DD 002", 0x0F, "SQ", [inner])
    plant.private(
        0x2001, "Philips Imaging DD 001", 0x5F, "SQ", [item(SeriesDescription=word("private", "stack sequence"))]
    )
    plant.private(0x0065, "Image Private Header", 0x09, "PN", f"{word('private', 'UIH person name')}^Mae")
    wide = plant.mint.word()
    plant.note("private", "UTF-16 in an unknown element", wide)
    plant.private(0x0045, "Larger Systems 01", 0x02, "UN", wide.encode("utf-16-le"))
    plant.dataset.add_new(0x00511099, "LO", word("private", "element without a creator"))


def graphics(plant: Plant) -> None:
    """Overlays, curves, icons, graphic annotations, signatures and padding."""
    made = plant.dataset
    label, description = plant.word("graphics", "OverlayLabel"), plant.word("graphics", "OverlayDescription")
    plane = plant.word("graphics", "OverlayData").encode().ljust(16)
    for tag, vr, value in (
        (0x60000010, "US", 8), (0x60000011, "US", 16), (0x60000022, "LO", description), (0x60000040, "CS", "G"),
        (0x60000050, "SS", [1, 1]), (0x60000100, "US", 1), (0x60000102, "US", 0), (0x60001500, "LO", label),
        (0x60003000, "OW", plane), (0x50003000, "OW", plant.word("graphics", "CurveData").encode().ljust(16)),
        (0x50002500, "LO", plant.word("graphics", "CurveLabel")),
    ):  # fmt: skip
        made.add_new(tag, vr, value)
    icon = item(Rows=4, Columns=4, BitsAllocated=8, PixelData=plant.word("graphics", "icon").encode().ljust(16))
    icon["PixelData"].VR = "OB"
    made.IconImageSequence = Sequence([icon])
    text = item(UnformattedTextValue=plant.word("graphics", "graphic annotation"))
    made.GraphicAnnotationSequence = Sequence([item(TextObjectSequence=[text])])
    signature = item(CertificateOfSigner=plant.word("graphics", "digital signature").encode())
    signature["CertificateOfSigner"].VR = "OB"
    made.DigitalSignaturesSequence = Sequence([signature])
    made.add_new(0xFFFCFFFC, "OB", plant.word("around", "DataSetTrailingPadding").encode())


def meta(plant: Plant) -> tuple[bytes, dict[str, object]]:
    """A preamble and file meta information with identifiers."""
    preamble = plant.word("around", "preamble").encode().center(128, b"\0")
    own: dict[str, object] = {
        "SourceApplicationEntityTitle": plant.word("around", "SourceApplicationEntityTitle")[:16],
        "PrivateInformationCreatorUID": plant.uid("around", "PrivateInformationCreatorUID"),
        "PrivateInformation": plant.word("around", "PrivateInformation").encode(),
        "ImplementationVersionName": plant.word("around", "ImplementationVersionName")[:16],
        "SendingApplicationEntityTitle": plant.word("around", "SendingApplicationEntityTitle")[:16],
    }
    return preamble, own


def behind_pixels(plant: Plant) -> None:
    """Bytes behind the last pixel."""
    plant.dataset.PixelData = bytes(plant.dataset.PixelData) + plant.word(
        "around", "behind the last pixel"
    ).encode().ljust(16)
    plant.dataset["PixelData"].VR = "OW"
