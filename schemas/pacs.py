"""How a PACS is reached by DICOMweb, and which of its studies are asked for.

Belongs here: fields and rules of the two documents. Talking to it is `stages.intake.dicomweb`.
"""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.document import Document

_FILTERED_BY = frozenset(
    {"StudyDate", "StudyTime", "ModalitiesInStudy", "StudyDescription", "ReferringPhysicianName", "PatientID",
     "PatientName", "AccessionNumber", "StudyID", "StudyInstanceUID", "InstitutionName", "BodyPartExamined"}
)  # fmt: skip
"""Keywords that studies can be searched by: PS3.18 Table 10.6.1-5, and two that archives commonly add."""


class Pacs(Document):
    """A DICOMweb service: QIDO-RS to search, WADO-RS to fetch."""

    url: str
    """Base of the service, for example `https://pacs.example.org/dicom-web`; no user and no password in it."""
    ca_file: Path | None = None
    """Certificates (PEM) that the service's own is checked against; None: those of the system."""
    token_variable: str = Field(default="LARMOR_PACS_TOKEN", pattern=r"^LARMOR_[A-Z0-9_]{1,48}$")
    """Environment variable that holds the bearer token, where the service wants one."""
    modalities: list[str] = Field(default_factory=lambda: ["MR", "SEG", "RTSTRUCT", "SR"], min_length=1)
    """Modalities of the series that are fetched; others of a study are left where they are and counted."""
    requests_per_second: float = Field(default=10.0, gt=0, le=1000)
    """Most requests a second; an archive serves a hospital first."""
    bytes_per_second: int | None = Field(default=None, ge=1024)
    """Most bytes a second, on average; None: as fast as it goes."""
    retries: int = Field(default=6, ge=0, le=20)
    """Tries after the first of a request that was answered by 429, 502, 503 or 504, or by nothing at all."""
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """Seconds without a byte after which a request counts as lost."""
    page: int | None = Field(default=None, ge=1)
    """Answers of a search asked for at once; None: as many as the service gives, which is asked for the rest then.
    Set it where a service refuses searches without a limit; Orthanc loses answers of some searches that have one."""

    @field_validator("url")
    @classmethod
    def _plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("found no http or https URL, needed the base of the DICOMweb service")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("found a user, a query or a fragment in the URL, needed none; a token goes in a variable")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("found http to another machine, needed https: images and token would go in the clear")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _checked(self) -> "Pacs":
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ValueError("found no file of certificates at ca_file, needed one in PEM")
        return self


class StudyQuery(Document):
    """Which studies of a PACS are asked for, by their attributes."""

    where: dict[str, str] = Field(min_length=1)
    """Keyword to value as QIDO-RS matches it: `StudyDate: 20250101-20250331`, `ModalitiesInStudy: MR`."""
    most: int = Field(default=10_000, ge=1)
    """Studies that are taken at most; more are refused, so that a slip does not empty an archive."""

    @field_validator("where")
    @classmethod
    def _known(cls, where: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(where) - _FILTERED_BY):
            raise ValueError(f"found keywords {unknown}, needed some of {sorted(_FILTERED_BY)}")
        if any(not value.strip("* ") for value in where.values()):
            raise ValueError("found an empty value or only wildcards, needed a value to search by")
        return where


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
