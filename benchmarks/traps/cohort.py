"""Patients, studies and series that belong together, and whether a tool's output keeps them so.

Belongs here: identity over files. Single values are the key's, `benchmarks.traps.key`.
"""

import datetime as dt
import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.traps import files, objects
from benchmarks.traps.mint import Mint

INTERVAL = 20
"""Days between the two studies of each patient."""
IMAGES = 3
FIRST = dt.date(2021, 3, 5)


@dataclass(frozen=True)
class Member:
    """A file of the cohort.

    Attributes:
        person: who it shows, whatever the header calls them.
        study: which of the person's studies, from 0.
        uids: original UIDs of instance, series and study.
        refers_to: original instance UID of the image it refers to.
    """

    person: str
    study: int
    uids: tuple[str, str, str]
    refers_to: str


@dataclass(frozen=True)
class Cohort:
    """Files and who they show."""

    files: dict[str, bytes]
    members: dict[str, Member]


PEOPLE = {
    "north~jane": ("4711", "Vandelquist^Jane"),
    "north~namesake": ("4712", "Vandelquist^Jane"),
    "south~reused": ("4711", "Trollbriska^Rick"),
}
"""Person to patient id and name; two share a name, and two of different institutions an id."""


def cohort(seed: int = 11) -> Cohort:
    """Three people with two studies each, `INTERVAL` days apart; a file's name begins with its institution."""
    made, mint = Cohort({}, {}), Mint(seed)
    with files.lenient():
        for person, (identity, name) in PEOPLE.items():
            frame = mint.uid()
            for study in range(2):
                series_uid, study_uid = mint.uid(), mint.uid()
                instances = [mint.uid() for _ in range(IMAGES)]
                day = (FIRST + dt.timedelta(INTERVAL * study)).strftime("%Y%m%d")
                for place, instance in enumerate(instances):
                    image = objects.mr((instance, series_uid, study_uid, frame))
                    image.PatientID, image.PatientName, image.PatientBirthDate = identity, name, "19620714"
                    image.StudyDate = image.SeriesDate = image.AcquisitionDate = day
                    image.InstanceNumber = str(place + 1)
                    image.ReferencedImageSequence = Sequence([objects.reference(objects.MR, instances[0])])
                    file = f"{person} {study} {place}"
                    made.files[file] = files.written(image)
                    made.members[file] = Member(person, study, (instance, series_uid, study_uid), instances[0])
    return made


def judge(known: Cohort, outputs: Mapping[str, bytes]) -> dict[str, bool]:
    """What holds of a tool's output of the cohort; a missing file makes everything fail."""
    if set(outputs) != set(known.members):
        return dict.fromkeys(("references", "grouping", "patient id", "interval", "subjects apart"), False)
    read = {name: dcmread(io.BytesIO(data)) for name, data in outputs.items()}
    return {
        "references": _references(known, read),
        "grouping": _grouping(known, read),
        "patient id": _patients(known, read),
        "interval": _intervals(known, read),
        "subjects apart": _apart(known, read),
    }


def _references(known: Cohort, read: Mapping[str, Dataset]) -> bool:
    new = {known.members[name].uids[0]: str(read[name].SOPInstanceUID) for name in read}
    for name, member in known.members.items():
        items = read[name].get("ReferencedImageSequence") or []
        if [str(item.get("ReferencedSOPInstanceUID", "")) for item in items] != [new[member.refers_to]]:
            return False
    return not set(new) & set(new.values())


def _grouping(known: Cohort, read: Mapping[str, Dataset]) -> bool:
    """Series and studies: one to one with the originals, and none of the originals."""
    for place, keyword in ((1, "SeriesInstanceUID"), (2, "StudyInstanceUID")):
        pairs = {(member.uids[place], str(read[name].get(keyword, ""))) for name, member in known.members.items()}
        old, new = {a for a, _ in pairs}, {b for _, b in pairs}
        if len(pairs) != len(old) or len(new) != len(old) or old & new or "" in new:
            return False
    return True


def _patients(known: Cohort, read: Mapping[str, Dataset]) -> bool:
    """Whether each person has one new patient id, and people of one institution have different ones."""
    found = _ids(known, read)
    north = [found[person] for person in PEOPLE if person.startswith("north")]
    originals = {identity for identity, _ in PEOPLE.values()}
    usable = all(len(ids) == 1 and not ids & (originals | {""}) for ids in found.values())
    return usable and not north[0] & north[1]


def _apart(known: Cohort, read: Mapping[str, Dataset]) -> bool:
    """Whether everybody has an id of their own, the same original id at two institutions included."""
    found = list(_ids(known, read).values())
    return all(ids and "" not in ids for ids in found) and len(frozenset.union(*found)) == len(PEOPLE)


def _ids(known: Cohort, read: Mapping[str, Dataset]) -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, member in known.members.items():
        found[member.person].add(str(read[name].get("PatientID", "")))
    return {person: frozenset(ids) for person, ids in found.items()}


def _intervals(known: Cohort, read: Mapping[str, Dataset]) -> bool:
    for person in PEOPLE:
        days: list[set[str]] = [set(), set()]
        for name, member in known.members.items():
            if member.person == person:
                days[member.study].add(str(read[name].get("StudyDate", "")))
        try:
            first, second = (dt.datetime.strptime(next(iter(day)), "%Y%m%d") for day in days)
        except ValueError:
            return False
        if any(len(day) != 1 for day in days) or (second - first).days != INTERVAL or first.date() == FIRST:
            return False
    return True
