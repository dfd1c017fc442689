"""What a licensor says of a delivery: the manifest `delivery.yaml` that lies in its folder.

Belongs here: the manifest's fields and their rules. Tables of diagnoses that it declares are `schemas.diagnosis`;
reading the files it speaks of is `stages.received`.
"""

import datetime as dt
from enum import StrEnum

from pydantic import Field, model_validator

from schemas.diagnosis import Coding, DiagnosisTable
from schemas.document import Document
from schemas.naming import Name

MANIFEST_NAME = "delivery.yaml"


class Kind(StrEnum):
    """What a delivery brings."""

    DICOM = "dicom"
    NIFTI = "nifti"


class Delivery(Document):
    """A delivery's manifest."""

    name: Name
    """The delivery, also its folder and its partition."""
    licensor: str = Field(min_length=1)
    """Who hands the data over; patient ids are unique only within a licensor."""
    licence: Name
    """Licence that covers it; a document of that id must be in force."""
    purpose: str = "research"
    """What it is used for; the licence must allow it."""
    received: dt.date
    """The day it was received; of two versions of an instance the one received later counts."""
    arrived: dt.datetime | None = None
    """The moment it was complete in landing, with its offset from UTC; orders deliveries of one day. None: not known,
    before all others of that day."""
    contact: str = ""
    """Whom to ask about it: a role or a mailbox of the licensor, not a person."""
    kind: Kind = Kind.DICOM
    """dicom, or nifti that is already de-identified."""
    deidentified: bool = False
    """The licensor declares that nobody can be identified; needed for nifti, without effect for dicom."""
    expected_files: int | None = Field(default=None, ge=0)
    """Files that should be there, this manifest left out; None: not stated."""
    checksums: str | None = None
    """Path of a SHA-256 list (`<digest>  <path>` a line) inside the delivery; None: not delivered."""
    missing: str | None = None
    """Path of a CSV `number,key,what` of what the source was asked for and lacked; None: nothing, or not known."""
    reports: str | None = None
    """Path of a CSV `path,study` that says which text file reports which Study Instance UID."""
    labels: str | None = None
    """Path of a CSV that says for each `path` of a NIfTI label map what it was drawn on: `series` (Series Instance UID,
    or path of an image), or `study` (Study Instance UID) or `patient` (patient id) where its grid tells the image."""
    body_part: str | None = None
    """For nifti, which carries no such fact: what the images show, in the licensor's words."""
    contrast: str | None = None
    """For nifti, which carries no such fact: the contrast of the images, for example T1."""
    label_task: Name | None = None
    """What the labels show, for example `tissue`; needed with labels. Segmentations and structure sets in DICOM are
    called `segmentation` and `structure-set` without it."""
    label_scheme: dict[int, str] = Field(default_factory=dict)
    """Meaning of each label value; needed with labels. A segment or structure of one of these names gets its value."""
    label_coding: dict[int, Coding] = Field(default_factory=dict)
    """Code of each label value of NIfTI label maps, where there is one; DICOM carries its own."""
    tables: list[DiagnosisTable] = Field(default_factory=list)
    """Tables of diagnoses and measures; a file or column that none declares is not read."""

    @model_validator(mode="after")
    def _coherent(self) -> "Delivery":
        if self.kind is Kind.NIFTI and not self.deidentified:
            raise ValueError(
                "found kind nifti without deidentified: true, needed the licensor's word, because NIfTI headers and "
                "names cannot be de-identified by DICOM rules; if they are, say so with --already-deidentified"
            )
        if self.arrived is not None and self.arrived.utcoffset() is None:
            raise ValueError("found arrived without an offset from UTC, needed one, for example 2026-11-29T09:30:00Z")
        if self.labels and not (self.label_task and self.label_scheme):
            raise ValueError("found labels without label_task and label_scheme, needed both")
        if set(self.label_coding) - set(self.label_scheme):
            raise ValueError("found label_coding of a value that label_scheme does not name, needed it in both")
        if any(not 0 <= value <= 0xFFFF for value in self.label_scheme):
            raise ValueError("found a value in label_scheme outside 0 to 65535, needed one that a label map can hold")
        return self

    @property
    def moment(self) -> str:
        """When it was received, to be compared with other deliveries' as text: the day, the moment in UTC, its name."""
        moment = self.arrived.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if self.arrived else ""
        return f"{self.received.isoformat()} {moment:27} {self.name}"

    def table_of(self, path: str) -> DiagnosisTable | None:
        """The declared table that a file of the delivery belongs to; the first whose pattern fits its path."""
        return next((table for table in self.tables if table.covers(path)), None)
