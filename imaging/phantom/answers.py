"""The answer key of what was planted: every identifying string, whose it is, what it is and where it stands.

Belongs here: collecting. The strings themselves come from `imaging.phantom.people` and the headers.
"""

from enum import StrEnum
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag

SEARCHABLE = 6
"""Shorter strings turn up in voxels by chance, so finding their bytes would say nothing."""

IDENTIFYING_AGE = 90
"""Ages from here on identify a person; younger ones may leave (45 CFR 164.514(b)(2)(i)(C))."""


class Kind(StrEnum):
    """What an identifying string is."""

    NAME = "name"
    ID = "id"
    DATE = "date"
    UID = "uid"
    ADDRESS = "address"
    PHONE = "phone"
    EMAIL = "email"
    INSTITUTION = "institution"
    CLINICIAN = "clinician"
    DEVICE = "device"
    AGE = "age"
    TEXT = "text"


class AnswerKey:
    """Collects planted strings."""

    def __init__(self) -> None:
        """An empty key."""
        self._where: dict[tuple[int, Kind, str], set[str]] = {}

    def add(self, subject: int, kind: Kind, value: str, where: str) -> None:
        """Remember that a string of a subject stands somewhere."""
        self._where.setdefault((subject, kind, value), set()).add(where)

    def __len__(self) -> int:
        """How many strings were planted."""
        return len(self._where)

    def entries(self) -> list[dict[str, Any]]:
        """The key: subject ordinal, kind, value, where it stands, and whether a search for its bytes is meaningful."""
        return [
            {
                "subject": subject,
                "kind": kind.value,
                "value": value,
                "where": sorted(where),
                "searchable": len(value) >= SEARCHABLE,
            }
            for (subject, kind, value), where in sorted(self._where.items())
        ]


class Planter:
    """Plants strings of one subject and remembers them."""

    def __init__(self, key: AnswerKey, subject: int) -> None:
        """A planter for a subject's ordinal."""
        self._key, self._subject = key, subject

    def text(self, kind: Kind, value: str, where: str) -> str:
        """The value, remembered; `where` names the carrier in words or as an element path."""
        self._key.add(self._subject, kind, value, where)
        return value

    def age(self, age: int, text: str, where: str) -> str:
        """How an age is written; remembered only where it identifies."""
        return self.text(Kind.AGE, text, where) if age >= IDENTIFYING_AGE else text

    def put(self, dataset: Dataset, keyword: str, kind: Kind, value: str, path: str = "") -> None:
        """Set an element and remember its value; `path` names the sequence that the data set is an item of."""
        self.text(kind, value, f"{path}{element(keyword)}")
        setattr(dataset, keyword, value)


def element(keyword: str) -> str:
    """The element of a keyword as (gggg,eeee)."""
    tag = Tag(keyword)
    return f"({tag.group:04X},{tag.element:04X})"
