"""Whom a phantom pretends to be, and who looked after them.

Belongs here: invented identities. Where they are planted is `imaging.phantom.headers`, the vendors and the reports.
"""

import datetime as dt
from dataclasses import dataclass

from imaging.phantom.config import PhantomConfig
from imaging.phantom.seeds import chosen, digest, stream
from imaging.phantom.words import word

ELDERLY = 0.15
"""Fraction of subjects older than 89 years, whose age itself identifies (45 CFR 164.514(b)(2)(i)(C))."""


@dataclass(frozen=True)
class Person:
    """An invented person and everything that would identify them.

    Attributes:
        ordinal: which subject of the seed.
        sex: M or F.
        born: date of birth.
        family: family name.
        given: given name.
        mrn: medical record number.
        other_id: another identifier.
        maiden: birth name.
        street: street and number.
        city: place with postal code.
        phone: telephone number.
        email: mail address.
        occupation: employer.
        weight: kg.
        height: m.
    """

    ordinal: int
    sex: str
    born: dt.date
    family: str
    given: str
    mrn: str
    other_id: str
    maiden: str
    street: str
    city: str
    phone: str
    email: str
    occupation: str
    weight: int
    height: float

    @property
    def dicom_name(self) -> str:
        """Name as DICOM writes it."""
        return f"{self.family}^{self.given}"


@dataclass(frozen=True)
class Encounter:
    """One examination of a person: when, where, by whom.

    Attributes:
        date: day of the examination.
        seconds: time of day it began, seconds since midnight.
        age: whole years of the person that day.
        accession: accession number.
        study_id: study id.
        referring: referring physician.
        performing: performing physician.
        operator: who ran the scanner.
        reader: who read the images.
        institution: hospital.
        institution_address: its address.
        department: its department.
        station: name of the scanner's host.
        serial: serial number of the scanner.
        calibrated: day of the last calibration.
        procedure: requested procedure id.
    """

    date: dt.date
    seconds: int
    age: int
    accession: str
    study_id: str
    referring: str
    performing: str
    operator: str
    reader: str
    institution: str
    institution_address: str
    department: str
    station: str
    serial: str
    calibrated: dt.date
    procedure: str


def person(config: PhantomConfig, ordinal: int) -> Person:
    """The person of an ordinal, the same at every visit and in every delivery of the seed."""
    rng = stream(config.seed, "person", ordinal)
    words = [word(config.seed, ordinal, index) for index in range(8)]
    age = int(rng.integers(90, 98) if chosen(config.seed, "elderly", ordinal, ELDERLY) else rng.integers(19, 89))
    examined = first_examination(config, ordinal)
    born = _years_before(examined, age) - dt.timedelta(days=int(rng.integers(1, 360)))
    family, given, maiden, street, city, provider, employer, _ = words
    return Person(
        ordinal=ordinal,
        sex="MF"[int(rng.integers(2))],
        born=telling(born),
        family=family,
        given=given,
        mrn=f"MRN{_number(config, ordinal, 'mrn', 7)}",
        other_id=f"NHI-{_number(config, ordinal, 'other', 8)}",
        maiden=maiden,
        street=f"{rng.integers(2, 980)} {street} Lane",
        city=f"{city} {_number(config, ordinal, 'postal', 5)}",
        # 555-01xx numbers are set aside for fiction in the North American numbering plan; area codes keep them apart
        phone=f"({200 + ordinal % 800}) 555-01{rng.integers(10, 99)}",
        email=f"{given.lower()}@{provider.lower()}.example",
        occupation=f"welder at {employer} works",
        weight=int(rng.integers(48, 110)),
        height=round(float(rng.uniform(1.5, 1.95)), 2),
    )


def encounter(config: PhantomConfig, who: Person) -> Encounter:
    """The examination of a person at the configured visit."""
    ordinal, visit = who.ordinal, config.visit
    rng = stream(config.seed, "encounter", ordinal, visit)
    words = [word(config.seed, ordinal, index) for index in range(8, 20)]
    day = telling(first_examination(config, ordinal) + dt.timedelta(days=visit * int(rng.integers(330, 400))))
    postal = _number(config, ordinal, "zip", 5)
    return Encounter(
        date=day,
        seconds=int(rng.integers(7 * 3600, 18 * 3600)),
        age=age_on(who.born, day),
        accession=f"ACC{_number(config, ordinal, f'accession{visit}', 8)}",
        study_id=f"ST{_number(config, ordinal, f'study{visit}', 6)}",
        referring=f"{words[0]}^{words[1]}^^Dr",
        performing=f"{words[2]}^{words[3]}",
        operator=f"{words[4]}^{words[5]}",
        reader=f"{words[6]}^{words[7]}",
        institution=f"{words[8]} Memorial Hospital",
        institution_address=f"{rng.integers(1, 400)} {words[9]} Avenue, {words[10]} {postal}",
        department=f"{words[10]} Radiology",
        station=f"MR{words[11].upper()}",
        serial=f"SN{_number(config, ordinal, 'serial', 8)}",
        calibrated=telling(day - dt.timedelta(days=int(rng.integers(3, 60)))),
        procedure=f"RP{_number(config, ordinal, f'procedure{visit}', 7)}",
    )


def first_examination(config: PhantomConfig, ordinal: int) -> dt.date:
    """The day of a subject's first examination."""
    rng = stream(config.seed, "examined", ordinal)
    return dt.date(2012, 1, 1) + dt.timedelta(days=int(rng.integers(0, 4000)))


def telling(day: dt.date) -> dt.date:
    """The day, or the next where it is the first of January, which is how a year alone is written and tells nothing."""
    return day + dt.timedelta(days=1) if (day.month, day.day) == (1, 1) else day


def _number(config: PhantomConfig, ordinal: int, purpose: str, digits: int) -> str:
    """Digits whose tail is the ordinal, so that no two subjects share them."""
    head = int.from_bytes(digest(config.seed, purpose, ordinal)[:8], "big")
    lead = head % (9 * 10 ** (digits - 4)) + 10 ** (digits - 4)
    return f"{lead}{ordinal:03d}"


def _years_before(day: dt.date, years: int) -> dt.date:
    return day.replace(year=day.year - years, day=min(day.day, 28))


def age_on(born: dt.date, day: dt.date) -> int:
    """Whole years of somebody born on `born` on a day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
