"""What a licensor says of a delivery: the manifest `delivery.yaml` that lies in its folder.

Belongs here: the manifest's fields and their rules. Reading the files it speaks of is `stages.received`.
"""

import datetime as dt
from enum import StrEnum

from pydantic import Field, model_validator

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
    """The day it was received."""
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
    reports: str | None = None
    """Path of a CSV `path,study` that says which text file reports which Study Instance UID."""
    labels: str | None = None
    """Path of a CSV `path,series` that says which NIfTI label map belongs to which Series Instance UID or image."""
    body_part: str | None = None
    """For nifti, which carries no such fact: what the images show, in the licensor's words."""
    contrast: str | None = None
    """For nifti, which carries no such fact: the contrast of the images, for example T1."""
    label_task: Name | None = None
    """What the labels show, for example `tissue`; needed with labels."""
    label_scheme: dict[int, str] = Field(default_factory=dict)
    """Meaning of each label value; needed with labels."""

    @model_validator(mode="after")
    def _coherent(self) -> "Delivery":
        if self.kind is Kind.NIFTI and not self.deidentified:
            raise ValueError(
                "found kind nifti without deidentified: true, needed the licensor's word, because NIfTI headers and "
                "names cannot be de-identified by DICOM rules"
            )
        if self.labels and not (self.label_task and self.label_scheme):
            raise ValueError("found labels without label_task and label_scheme, needed both")
        return self
