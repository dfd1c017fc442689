"""One MR image with everything a researcher needs and an identifier in every place that can hold one."""

import io
import socket
import struct

import pydicom.config
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.traps.research import STANDARD
from deid.headers.elements import parse
from deid.headers.headers import Deidentifier
from deid.policy import load_policy
from deid.text.identifiers import Identifiers, gather
from deid.vault import Subject

STUDY, SERIES, INSTANCE = (
    "1.2.826.0.1.3680043.9.77771.1",
    "1.2.826.0.1.3680043.9.77771.2",
    "1.2.826.0.1.3680043.9.77771.3",
)
FRAME_OF_REFERENCE, OTHER_INSTANCE = "1.2.826.0.1.3680043.9.77771.4", "1.2.826.0.1.3680043.9.77771.5"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Fail on any attempt to leave the machine."""

    def refuse(*_, **__):
        raise AssertionError("de-identification reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture(autouse=True)
def invalid_values_may_be_written(monkeypatch):
    """Let the tests write what no writer should: pydicom would warn about every planted value."""
    monkeypatch.setattr(pydicom.config.settings, "_writing_validation_mode", pydicom.config.IGNORE)
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)


@pytest.fixture
def subject():
    return Subject("SABCDEFGHIJKL", bytes(range(32)))


@pytest.fixture(scope="session")
def deidentifiers():
    """A de-identifier by the name of its policy."""
    names = ("safe_harbor", "expert_determination", "limited_data_set")
    return {name: Deidentifier(load_policy(name)) for name in names}


@pytest.fixture(scope="session")
def identifiers_of():
    """The identifiers of a file, as the station before would have gathered them."""
    return lambda data: Identifiers.of(gather(parse(data, pixels=False).dataset))


@pytest.fixture(scope="session")
def written():
    """A dataset as a Part 10 file."""

    def write(dataset, syntax=ExplicitVRLittleEndian, preamble=bytes(128), **meta):
        file_meta = FileMetaDataset()
        file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        file_meta.TransferSyntaxUID = syntax
        for keyword, value in meta.items():
            setattr(file_meta, keyword, value)
        # from the elements alone, so that an encoding it was written in before does not count
        file = Dataset(dict(dataset.items()))
        file.file_meta, file.preamble = file_meta, preamble
        buffer = io.BytesIO()
        file.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    return write


@pytest.fixture
def mr_image():
    """A Siemens-like MR image without any identifier but ids, with the attributes research needs."""
    image = Dataset()
    for keyword, value in RESEARCH.items():
        setattr(image, keyword, value)
    image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    image.SOPInstanceUID, image.SeriesInstanceUID, image.StudyInstanceUID = INSTANCE, SERIES, STUDY
    image.FrameOfReferenceUID = FRAME_OF_REFERENCE
    image.PatientName, image.PatientID = "Doe^Jane", "P-4711"
    image.PixelData = struct.pack("<16H", *range(16))
    block = image.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x0E, "FD", [0.6, 0.0, 0.8])
    block.add_new(0x27, "FD", [360.0, 0.0, 480.0, 0.0, 0.0, 640.0])
    return image


RESEARCH = STANDARD | {
    "SpecificCharacterSet": "ISO_IR 100",
    "Rows": 4,
    "Columns": 4,
    "SmallestImagePixelValue": 0,
    "LargestImagePixelValue": 15,
    "StudyDate": "20210417",
    "SeriesDate": "20210417",
    "AcquisitionDate": "20210417",
    "ContentDate": "20210417",
    "StudyTime": "101500",
    "SeriesTime": "102000.5",
    "AcquisitionTime": "102030.125000",
    "ContentTime": "102031",
}


@pytest.fixture
def research():
    """The attributes that research needs, and their values before de-identification."""
    return dict(RESEARCH)


class Planted:
    """Identifying values planted in an image, and the image."""

    def __init__(self, image):
        self.image = image
        self.tokens = []

    def put(self, target, keyword, token, value=None):
        """Plant a value under a keyword of a dataset."""
        setattr(target, keyword, token if value is None else value)
        self.tokens.append(token)

    def private(self, target, group, creator, offset, vr, token, value=None):
        """Plant a value in a private element."""
        target.private_block(group, creator, create=True).add_new(offset, vr, token if value is None else value)
        self.tokens.append(token)


@pytest.fixture
def planted(mr_image):
    """The image with an identifier in every place of a header that can hold one."""
    planted = Planted(mr_image)
    _plant_listed(planted)
    _plant_unlisted(planted)
    _plant_nested(planted)
    _plant_private(planted)
    _plant_graphics(planted)
    return planted


def _plant_listed(planted):
    image, put = planted.image, planted.put
    put(image, "PatientName", "Quennelby", "Quennelby^Osberta^Q")
    planted.tokens.append("Osberta")
    listed = {
        "PatientID": "PID88123",
        "OtherPatientIDs": "OPI77120",
        "PatientBirthDate": "19490307",
        "PatientBirthTime": "031733",
        "PatientBirthName": "Maidenhurst",
        "PatientMotherBirthName": "Motherwick",
        "OtherPatientNames": "Aliasworth",
        "PatientAddress": "17 Larkspurlane",
        "PatientTelephoneNumbers": "615-555-0142",
        "EthnicGroup": "Ethnogroupia",
        "Occupation": "Lighthousekeeper",
        "AdditionalPatientHistory": "Historytoken fell at Brookmere",
        "PatientComments": "Commenttoken",
        "MedicalAlerts": "Alerttoken",
        "Allergies": "Allergytoken",
        "MilitaryRank": "Ranktoken",
        "BranchOfService": "Branchtoken",
        "CountryOfResidence": "Ruritania",
        "RegionOfResidence": "Zendashire",
        "PatientReligiousPreference": "Religiontoken",
        "AccessionNumber": "ACC55120",
        "StudyID": "STID9182",
        "InstitutionName": "Mercyvale Hospital",
        "InstitutionAddress": "9 Foxgloveroad",
        "InstitutionalDepartmentName": "Deptokenology",
        "StationName": "STN4477",
        "DeviceSerialNumber": "SN9988771",
        "ReferringPhysicianName": "Referwick^Ann",
        "ReferringPhysicianTelephoneNumbers": "615-555-0199",
        "PerformingPhysicianName": "Performwick",
        "OperatorsName": "Operatorwick",
        "NameOfPhysiciansReadingStudy": "Readwick",
        "PhysiciansOfRecord": "Recordwick",
        "RequestingPhysician": "Requestwick",
        "ProtocolName": "t1 for Osberta Quennelby",
        "SeriesDescription": "Wickdescription T2",
        "StudyDescription": "Studywick 12/03/1949",
        "ImageComments": "Imagewick",
        "AdmissionID": "ADM33121",
        "PerformedProcedureStepID": "PPS72819",
        "PerformedProcedureStepDescription": "Stepwick",
        "RequestedProcedureDescription": "Procwick",
        "RequestAttributesComment": "",
        "CurrentPatientLocation": "Wardwick",
        "PerformedStationAETitle": "AETWICK",
        "PerformedLocation": "Locwick",
        "GantryID": "GAN88123",
        "PlateID": "PLT66128",
        "DetectorID": "DET55127",
        "IssuerOfPatientID": "Issuerwick",
        "SourceApplicationEntityTitle": "",
        "TimezoneOffsetFromUTC": "+0530",
        "InstanceCreationDate": "20210418",
        "InstanceCreationTime": "235959",
        "PatientInsurancePlanCodeSequence": None,
        "TextComments": "Textwick",
        "InterpretationText": "Interpretwick",
        "ContributionDate": "",
        "AcquisitionComments": "Acqwick",
        "DerivationDescription": "Derivedwick",
        "ContrastBolusAgent": "Agentwick",
        "FrameComments": "Framewick",
        "ImagePresentationComments": "Presentwick",
        "RequestedContrastAgent": "Requestagentwick",
        "ResultsComments": "",
        "VisitComments": "Visitwick",
        "StudyComments": "Studycommentwick",
        "PerformedProcedureStepStartDate": "20210416",
        "CommentsOnThePerformedProcedureStep": "Performcommentwick",
    }
    for keyword, value in listed.items():
        if not value:
            continue
        put(image, keyword, value)
    for word in (
        "Referwick",
        "Mercyvale",
        "Larkspurlane",
        "Foxgloveroad",
        "12/03/1949",
        "Wickdescription",
        "Brookmere",
    ):
        planted.tokens.append(word)
    image.PatientAge = "093Y"
    planted.tokens.append("093Y")


def _plant_unlisted(planted):
    """Places that no table of the standard lists."""
    image = planted.image
    planted.put(image, "ImageType", "TYPEWICK", ["ORIGINAL", "PRIMARY", "M", "TYPEWICK"])
    for keyword, token in {
        "SequenceName": "Seqwick",
        "BodyPartExamined": "BODYWICK",
        "ManufacturerModelName": "Modelwick",
        "SoftwareVersions": "Softwick",
        "TransmitCoilName": "Coilwick",
        "PositionReferenceIndicator": "Positwick",
        "WindowCenterWidthExplanation": "Explainwick",
        "ScanOptions": "OPTWICK",
        "ReceiveCoilName": "Receivewick",
        "RescaleType": "Rescalewick",
        "StackID": "Stackwick",
        "DocumentTitle": "Documentwick",
        "Manufacturer": "Makerwick",
    }.items():
        planted.put(image, keyword, token)
    code = Dataset()
    planted.put(code, "CodeValue", "CODE7781")
    planted.put(code, "CodingSchemeDesignator", "99WICK")
    planted.put(code, "CodeMeaning", "Meaningwick")
    image.ProcedureCodeSequence = Sequence([code])
    image.AnatomicRegionSequence = Sequence([code])


def _plant_nested(planted):
    image = planted.image
    deep = Dataset()
    planted.put(deep, "PatientName", "Deepwick^Nested")
    planted.put(deep, "InstitutionName", "Nestedvale Clinic")
    planted.put(deep, "ReferencedSOPInstanceUID", "1.2.826.0.1.3680043.9.88881.1")
    reference = Dataset()
    reference.ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPInstanceUID = OTHER_INSTANCE
    reference.PurposeOfReferenceCodeSequence = Sequence([deep])
    planted.put(reference, "PatientID", "NPID9912")
    planted.put(reference, "SeriesDescription", "Refwick localizer")
    image.ReferencedImageSequence = Sequence([reference])
    request = Dataset()
    planted.put(request, "RequestedProcedureID", "RPID6612")
    planted.put(request, "ScheduledProcedureStepDescription", "Schedwick")
    planted.put(request, "AccessionNumber", "NACC8819")
    image.RequestAttributesSequence = Sequence([request])
    other = Dataset()
    planted.put(other, "PatientID", "OTHR7731")
    planted.put(other, "IssuerOfPatientID", "Otherissuer")
    image.OtherPatientIDsSequence = Sequence([other])
    original = Dataset()
    modified = Dataset()
    planted.put(modified, "PatientName", "Formerwick^Name")
    original.ModifiedAttributesSequence = Sequence([modified])
    planted.put(original, "ModifyingSystem", "Modifysystem")
    image.OriginalAttributesSequence = Sequence([original])


def _plant_private(planted):
    image = planted.image
    planted.private(image, 0x0019, "SIEMENS MR HEADER", 0x09, "LO", "Privwick")
    planted.private(image, 0x0019, "SIEMENS MR HEADER", 0x0B, "LO", "Wrongvrwick")
    planted.private(image, 0x0029, "SIEMENS CSA HEADER", 0x10, "OB", "CSABLOBWICK", b"SV10 CSABLOBWICK ")
    planted.private(image, 0x0033, "Creatorwick Hospital", 0x01, "LT", "Unknownwick")
    planted.tokens.append("Creatorwick")
    planted.private(image, 0x0043, "GEMS_PARM_01", 0x28, "OB", "GEBLOBWICK", b"GEBLOBWICK")
    planted.private(image, 0x2001, "Philips Imaging DD 001", 0xCC, "ST", "Philipswick")
    nested = Dataset()
    planted.private(nested, 0x2005, "Philips MR Imaging DD 001", 0x18, "LO", "Nestprivwick")
    image.private_block(0x2005, "Philips MR Imaging DD 002", create=True).add_new(0x0F, "SQ", Sequence([nested]))


def _plant_graphics(planted):
    image = planted.image
    for tag, vr, value in (
        (0x60000010, "US", 4),
        (0x60000011, "US", 4),
        (0x60000022, "LO", "Overlaywick"),
        (0x60000040, "CS", "G"),
        (0x60000050, "SS", [1, 1]),
        (0x60000100, "US", 1),
        (0x60000102, "US", 0),
        (0x60001500, "LO", "Labelwick"),
        (0x60003000, "OW", b"OVERLAYDATAWICK "),
        (0x50003000, "OW", b"CURVEDATAWICK "),
    ):
        image.add_new(tag, vr, value)
    planted.tokens.extend(("Overlaywick", "Labelwick", "OVERLAYDATAWICK", "CURVEDATAWICK"))
    icon = Dataset()
    icon.Rows, icon.Columns, icon.BitsAllocated, icon.PixelData = 4, 4, 8, b"ICONPIXELWICK123"
    icon["PixelData"].VR = "OB"
    image.IconImageSequence = Sequence([icon])
    planted.tokens.append("ICONPIXELWICK")
    text = Dataset()
    planted.put(text, "UnformattedTextValue", "Graphicwick")
    graphic = Dataset()
    graphic.TextObjectSequence = Sequence([text])
    image.GraphicAnnotationSequence = Sequence([graphic])
    signature = Dataset()
    planted.put(signature, "CertificateOfSigner", "SIGNERWICK", b"SIGNERWICK")
    signature["CertificateOfSigner"].VR = "OB"
    image.DigitalSignaturesSequence = Sequence([signature])
    image.add_new(0xFFFCFFFC, "OB", b"TRAILINGWICK")
    planted.tokens.append("TRAILINGWICK")
