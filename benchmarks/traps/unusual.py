"""Identifiers as people and scanners seldom write them: set apart, in words, split, packed into numbers.

Belongs here: manners of writing. The usual spellings are `benchmarks.traps.prose`, the places `carriers`.
"""

import base64
import html
import struct
from collections.abc import Callable, Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.traps.objects import content, item
from benchmarks.traps.plant import Plant

_NUMBERS = {
    "phone, slashes": "615/555/0{}", "phone, dots in the middle": "615·555·0{}", "phone, underscores": "615_555_0{}",
    "phone, dashes of print": "615 \u2013 555 \u2013 0{}", "phone, wide gaps": "615  555  0{}",
    "phone, tildes": "615~555~0{}", "phone, commas": "615,555,0{}", "phone, pairs": "06 12 34 78 {:.2}",
    "phone, area code": "0151/2345/{}", "phone, country code": "00 49 30 12 {}", "SSN, dots": "219.09.4{}",
    "Julian day": "2459{}.5", "coordinates": "36.1{}, -86.8027",
}  # fmt: skip
"""Each is filled with digits of its own."""
_DATES = (
    "third of March nineteen seventy-one", "March the 4th, 1971", "4. III. 1972", "4 de marzo de 1973",
    "il 5 gennaio 1972", "12 stycznia 1973", "1971年3月4日", "昭和46年3月5日", "2021-W13-4", "2021-094", "3/4/'71",
    "04 / 03 / 1974", "04-03/1975", "04\u201303\u20131976", "2021/3", "12h 4-Mar", "20210307T101500",
)  # fmt: skip
_AGES = (
    "ninety-seven-year-old", "ninety six years old", "97 Jahre", "97-jährige", "97 ans", "97yo", "age of 97",
    "aged ninety-five", "in her nineties", "98th birthday", "centenarian", "97/F", "age(y): 96", "098Y",
    "1164 months old",
)  # fmt: skip
_PASSING = {
    "read by": "read by {} today", "copy": "cc {}", "technologist": "tech {} repeated it", "wife": "her wife {} called",
    "told": "discussed with {} at noon", "nurse": "nurse {} present", "paged": "{} was paged", "lower title": "mr {}",
}  # fmt: skip
_CONTACTS = {
    "e-mail, (at)": "{} (at) clinic (dot) example", "e-mail, [at]": "{}[at]clinic.example", "handle": "@{}",
    "e-mail, at and dot": "{} at clinic dot example", "e-mail, no domain": "{}@clinic", "share": "//{}/scans/p7",
    "host": "portal.{}.example/p/7", "residence": "lives at 14 {} st", "postal code": "postcode {:.5}",
}  # fmt: skip
_OTHER_SCRIPTS = {
    "Chinese": "医生{}报告", "Japanese": "担当医 {}", "Korean": "담당의 {}", "Cyrillic": "врач {}",
    "Greek": "ιατρός {}", "Arabic": "الطبيب محمود", "Hebrew": "הרופא כהן", "Thai": "นพ สมชาย",
}  # fmt: skip
_OWN: dict[str, Callable[[str], str]] = {
    "entity": lambda name: f"&#{ord(name[0])};{name[1:].lower()}",
    "escape": lambda name: f"%{ord(name[0]):02X}{name[1:].lower()}",
    "soft hyphen": lambda name: f"{name[:3]}\u00ad{name[3:]}",
    "end of line": lambda name: f"{name[:4]}-\r\n{name[4:]}",
    "points": ".".join,
    "dashes": lambda name: "-".join(name.lower()),
    "base64": lambda name: base64.b64encode(name.encode()).decode(),
    "hexadecimal": lambda name: name.encode().hex(),
    "backwards": lambda name: name[::-1],
}


def texts(plant: Plant, report: bool) -> Iterator[str]:
    """Texts for a header or a report; the patient gets the names in them."""
    for carrier, pattern in _NUMBERS.items():
        text = pattern.format(plant.mint.code()[-3:])
        plant.note("written unusually", carrier, text)
        yield f"T1 {text}"
    names = []
    for carrier, spelling in _OWN.items():
        name = plant.mint.word()
        names.append(f"{name}^Jo")
        text = spelling(name)
        seen = html.unescape(text) if carrier == "entity" else text
        plant.note("written unusually", f"own name, {carrier}", seen if carrier != "escape" else name[1:])
        yield text
    plant.dataset.OtherPatientNames = names
    if report:
        yield from _prose(plant)


def _prose(plant: Plant) -> Iterator[str]:
    for text in (*_DATES, *_AGES):
        plant.note("written unusually", text, text)
        yield f"Patient {text} as noted."
    for patterns in (_PASSING, _CONTACTS):
        for carrier, pattern in patterns.items():
            name = plant.mint.word().lower()
            text = pattern.format(name)
            plant.note("written unusually", carrier, name[:5] if carrier == "postal code" else name)
            yield text
    scripts = {"Chinese": plant.mint.han, "Japanese": plant.mint.kanji, "Korean": plant.mint.hangul}
    scripts |= {"Cyrillic": plant.mint.cyrillic, "Greek": plant.mint.greek}
    for script, pattern in _OTHER_SCRIPTS.items():
        name = scripts[script]().lower() if script in scripts else pattern.split()[-1]
        plant.note("written unusually", f"stranger, {script}", name)
        yield pattern.format(name)


def in_headers(plant: Plant) -> None:
    """Descriptions in a sequence that is kept, so that the text is judged and not its place."""
    made = [item(SeriesDescription=text) for text in texts(plant, report=False)]
    plant.dataset.SourceImageSequence = Sequence(made)
    plant.dataset.SpecificCharacterSet = "ISO_IR 192"


def in_report(plant: Plant) -> list[Dataset]:
    """Content items of a report in UTF-8."""
    plant.dataset.SpecificCharacterSet = "ISO_IR 192"
    return [content("TEXT", TextValue=text) for text in texts(plant, report=True)]


def split(plant: Plant) -> None:
    """Names made of protocol words, and ids, in one text or over the values of an element that may hold them."""
    made = plant.dataset
    made.PatientName, made.OtherPatientNames = "Whitehead^Longarm", "Silentbrain^Jo"
    made.PatientID, made.OtherPatientIDs = "70615243", "98517643"
    for carrier, value in {
        "SoftwareVersions": "WHITE\\HEAD", "ManufacturerModelName": "7061\\5243", "ImageType": "LONG\\ARM",
        "SeriesDescription": "T1 Silent Brain",
    }.items():  # fmt: skip
        plant.note("split", carrier, value.removeprefix("T1 "))
        setattr(made, carrier, ["ORIGINAL", "PRIMARY", *value.split("\\")] if carrier == "ImageType" else value)
    plant.note("split", "PixelSpacing", "9851\\7643")
    plant.raw(0x00280030, "DS", b"9851\\7643")


def numbers(plant: Plant) -> None:
    """Ids, a telephone number and dates where the standard and vendors have numbers, written and in binary."""
    made = plant.dataset
    made.PatientID, made.PatientTelephoneNumbers = "72615243", "6155520142"
    made.PatientBirthDate, made.StudyDate = "19310412", "20210307"
    moment = 1615108500
    for vr, form, creator, offset, value in (
        ("SL", "<i", "SIEMENS MR HEADER", 0x13, 72615243), ("FD", "<d", "SIEMENS MR HEADER", 0x0E, 72615243.0),
        ("FD", "<d", "SIEMENS MR HEADER", 0x27, 6155520142.0), ("FL", "<f", "Philips Imaging DD 001", 0x03, 19310412.0),
        ("SL", "<i", "GEMS_RELA_01", 0x56, moment),
    ):  # fmt: skip
        group = {"S": 0x0019, "P": 0x2001, "G": 0x0021}[creator[0]]
        plant.note("packed number", f"{vr} of {creator}, {offset:02X}", struct.pack(form, value))
        many = {0x13: 3, 0x0E: 3, 0x27: 6}.get(offset, 1)
        plant.private(group, creator, offset, vr, [value, *[0] * (many - 1)] if many > 1 else value)
    for keyword, text in (
        ("ImagingFrequency", "726.15243"), ("SAR", "1931.0412"), ("EchoTime", "7.2615243e7"),
        ("FlipAngle", "6155520142"), ("SeriesNumber", str(moment)), ("TriggerTime", f"{moment}123"),
    ):  # fmt: skip
        plant.note("packed number", keyword, text)
        setattr(made, keyword, text)
