"""Canaries: people who do not exist, sent through de-identification in every run to see whether it still holds.

Belongs here: making files with identifiers of invented people in every kind of place, cleaning them with the same
de-identifier as the real ones, and searching what came out with the residual scanner. Nothing of them is kept. A run
stops at a canary that gets out (`stages.second_look.canaries`).

They are made from a key of the vault: the same in every run of a lake, others in every lake, so that nobody can write
a rule that knows them.
"""

import io
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage

from deid.headers.elements import parse
from deid.headers.headers import Deidentifier
from deid.proof.residual import Scanner
from deid.refusals import Refused
from deid.text.identifiers import Identifiers, Pair, gather
from deid.text.text import TextCleaner
from deid.text.vocabulary import words
from deid.vault import Subject
from schemas.policy import Dates

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_ROOT = "1.2.826.0.1.3680043.9.77771"
_PEOPLE = 2
_OUTPUTS = 4
"""Three files and the text of a report."""


@dataclass(frozen=True)
class Person:
    """An invented person and what was written down of them."""

    family: str
    given: str
    clinician: str
    hospital: str
    street: str
    mrn: str
    accession: str
    serial: str
    phone: str
    born: str
    scanned: str
    uids: tuple[str, ...]

    def pairs(self) -> frozenset[Pair]:
        """What must not be found afterwards: kind and value."""
        return frozenset(
            {
                ("name", f"{self.family}^{self.given}"),
                ("clinician", self.clinician),
                ("institution", f"{self.hospital} Hospital"),
                ("address", self.street),
                ("id", self.mrn),
                ("id", self.accession),
                ("other", self.serial),
                ("phone", self.phone),
                ("birth", self.born),
                ("date", self.scanned),
                *(("uid", uid) for uid in self.uids),
            }
        )


@dataclass(frozen=True)
class Recall:
    """How much of what was planted was taken out.

    Attributes:
        planted: identifying values that the policy must take away, counted in each output that could hold them.
        removed: of these, not found in the output.
        missed: kinds and places of the others; never a value.
    """

    planted: int
    removed: int
    missed: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether none got out."""
        return self.planted == self.removed


def people(key: bytes) -> list[Person]:
    """The invented people of a key, always the same."""
    chance = random.Random(key)  # noqa: S311  # invents names, keeps no secret
    return [_person(chance) for _ in range(_PEOPLE)]


def planted(dates: Dates, key: bytes) -> int:
    """How many identifying values are planted that a policy with these dates must take away."""
    return sum(len(_wanted(person, dates)) for person in people(key)) * _OUTPUTS


def _wanted(person: Person, dates: Dates) -> list[Pair]:
    return [pair for pair in sorted(person.pairs()) if Scanner([pair], dates).size]


def released(deidentifier: Deidentifier, key: bytes) -> Recall:
    """What gets out of canaries that are cleaned like everything else.

    Args:
        deidentifier: the one that cleans this run's files.
        key: of the vault, for this purpose alone.
    """
    count, missed = 0, []
    for number, person in enumerate(people(key)):
        subject = Subject(f"canary-{number}", key)
        dates = deidentifier.policy.dates
        wanted = _wanted(person, dates)
        whole = Scanner(wanted, dates)
        for place, output in _outputs(deidentifier, person, subject):
            count += len(wanted)
            if whole.scan(output, place):
                # which one got out is asked only when one did
                missed += [f"{p[0]} in {place}" for p in wanted if Scanner([p], dates).scan(output, place)]
    return Recall(count, count - len(missed), tuple(sorted(set(missed))))


def _outputs(deidentifier: Deidentifier, person: Person, subject: Subject) -> Iterator[tuple[str, bytes | str]]:
    files = planted_files(person)
    known: set[Pair] = set()
    for _, data in files:
        known |= gather(parse(data, pixels=False).dataset)
    identifiers = Identifiers.of(known)
    for place, data in files:
        try:
            yield place, deidentifier.clean(data, subject, identifiers).data
        except Refused:
            yield place, b""  # what is held back does not get out
    yield "report text", TextCleaner().report(_prose(person), identifiers).text


def planted_files(person: Person) -> Sequence[tuple[str, bytes]]:
    """DICOM files with the person in every kind of place: standard, free text, nested, private, around the data set."""
    with config.disable_value_validation():  # values that no writer should write are what is planted
        plain, nested = _image(person), _image(person)
        _texts(plain, person)
        _nest(nested, person)
        _private(nested, person)
        return (
            ("standard elements and free text", _written(plain, person, ExplicitVRLittleEndian)),
            ("nested and private elements", _written(nested, person, ExplicitVRLittleEndian)),
            ("implicit little endian", _written(nested, person, ImplicitVRLittleEndian)),
        )


def _person(chance: random.Random) -> Person:
    def name() -> str:
        while True:
            made = "".join(chance.choice(_CONSONANTS) + chance.choice(_VOWELS) for _ in range(4))
            if made not in words():
                return made.capitalize()

    def digits(count: int) -> str:
        return "".join(str(chance.randint(1, 9)) for _ in range(count))

    return Person(
        family=name(),
        given=name(),
        clinician=f"{name()}^{name()}",
        hospital=name(),
        street=f"{digits(2)} {name()} Street",
        mrn=f"{chance.choice('QXZ')}{digits(7)}",
        accession=f"AC{digits(8)}",
        serial=f"SN{digits(7)}",
        phone=f"615-555-{digits(4)}",
        born=f"19{chance.randint(30, 99)}{chance.randint(10, 12)}{chance.randint(13, 28)}",
        scanned=f"20{chance.randint(10, 24)}{chance.randint(10, 12)}{chance.randint(13, 28)}",
        uids=tuple(f"{_ROOT}.{digits(12)}" for _ in range(4)),
    )


def _image(person: Person) -> Dataset:
    """A small MR image with the person in the elements that are there for it."""
    image = Dataset()
    study, series, instance, frame = person.uids
    values = {
        "SOPClassUID": MRImageStorage, "SOPInstanceUID": instance, "StudyInstanceUID": study,
        "SeriesInstanceUID": series, "FrameOfReferenceUID": frame, "Modality": "MR",
        "PatientName": f"{person.family}^{person.given}", "PatientID": person.mrn, "PatientBirthDate": person.born,
        "OtherPatientIDs": person.accession, "PatientAddress": person.street, "PatientSex": "O",
        "PatientTelephoneNumbers": person.phone, "InstitutionName": f"{person.hospital} Hospital",
        "InstitutionAddress": person.street, "ReferringPhysicianName": person.clinician,
        "OperatorsName": person.clinician, "AccessionNumber": person.accession, "StationName": person.serial,
        "DeviceSerialNumber": person.serial, "StudyDate": person.scanned, "AcquisitionDate": person.scanned,
        "ContentDate": person.scanned, "StudyTime": "101112", "Rows": 4, "Columns": 4, "BitsAllocated": 16,
        "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "ImageType": ["ORIGINAL", "PRIMARY", "M"], "EchoTime": "90",
    }  # fmt: skip
    for keyword, value in values.items():
        setattr(image, keyword, value)
    image.PixelData = struct.pack("<16H", *range(16))
    return image


def _texts(image: Dataset, person: Person) -> None:
    """The person in free text, in the spellings that people use."""
    family, given = person.family, person.given
    texts = {
        "SeriesDescription": f"t1_{family.upper()}_sag",
        "ProtocolName": f"{given}{family} T2 tse",
        "StudyDescription": " ".join(family.upper()),
        "SequenceName": f"*{family.lower()}3d1"[:16],
        "ImageComments": f"{family}, {given} moved; call {person.phone}",
        "DerivationDescription": f"for {given} {family} MRN {person.mrn} DOB {_iso(person.born)}",
        "PatientComments": f"seen by Dr {person.clinician.split('^')[0]} at {person.hospital} Hospital",
        "AdditionalPatientHistory": f"lives at {person.street} since {_iso(person.scanned)}",
        "RequestedProcedureDescription": f"MR {person.accession} {family}",
        "ContrastBolusAgent": f"{given} {person.mrn}",
    }
    for keyword, text in texts.items():
        setattr(image, keyword, text)


def _nest(image: Dataset, person: Person) -> None:
    inner, request, reference = Dataset(), Dataset(), Dataset()
    inner.PatientName, inner.PatientID = f"{person.family}^{person.given}", person.mrn
    inner.ReferencedSOPInstanceUID = person.uids[2]
    request.RequestedProcedureID, request.ReasonForTheRequestedProcedure = person.accession, f"sent for {person.family}"
    request.ScheduledProcedureStepDescription = f"{person.given} {person.family}"
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = MRImageStorage, person.uids[2]
    reference.PurposeOfReferenceCodeSequence = Items([inner])
    image.RequestAttributesSequence, image.ReferencedImageSequence = Items([request]), Items([reference])
    image.OtherPatientIDsSequence, image.OriginalAttributesSequence = Items([inner]), Items([inner])


def _private(image: Dataset, person: Person) -> None:
    name = f"{person.family} {person.given}"
    siemens = image.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    siemens.add_new(0x09, "LO", name)
    siemens.add_new(0x0C, "IS", "1000")
    image.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", b"SV10 " + name.encode())
    image.private_block(0x0033, person.hospital.upper(), create=True).add_new(0x01, "LT", f"{name} {person.mrn}")
    image.add_new(0x60000010, "US", 4)
    image.add_new(0x60000022, "LO", f"overlay of {name}")
    image.add_new(0xFFFCFFFC, "OB", person.mrn.encode())


def _written(image: Dataset, person: Person, syntax: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    meta.TransferSyntaxUID, meta.SourceApplicationEntityTitle = syntax, person.hospital.upper()[:16]
    file = Dataset(dict(image.items()))
    file.file_meta, file.preamble = meta, f"{person.family}^{person.given}".encode().ljust(128, b"\0")
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _prose(person: Person) -> str:
    """A report that names the person in every way that reports do."""
    doctor = person.clinician.split("^")[0]
    return (
        f"{person.hospital} Hospital, {person.street}. Tel {person.phone}\n"
        f"Patient: {person.given} {person.family}, MRN {person.mrn}, born {_iso(person.born)}\n"
        f"Accession {person.accession}. Referred by Dr. {doctor}.\n"
        f"FINDINGS: normal brain. Compared with {_iso(person.scanned)}. {person.family.upper()}, {person.given} was "
        f"told. Discussed with {doctor}.\n"
    )


def _iso(date: str) -> str:
    return "-".join(date[a:b] for a, b in pairwise((0, 4, 6, 8)))
