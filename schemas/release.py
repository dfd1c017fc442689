"""What a release is: the specification a person writes, and the manifest that freezes it.

Belongs here: fields and rules. Choosing and freezing is `stages.release`, reading is `lake.releases`.
"""

from enum import StrEnum

from pydantic import Field, field_validator, model_validator

from schemas.document import Document
from schemas.formats import Kept
from schemas.naming import Name
from schemas.union import Terms

SMALLEST_CELL = 11
"""Subjects that must look alike unless a specification says otherwise: the Centers for Medicare and Medicaid Services
suppress cells below 11, and a largest risk of 1 in 11 (0.09) is what the European Medicines Agency asks of published
clinical data (policy 0070)."""


SUPERSEDED = "superseded.json"
"""Name of what stands in the place of the manifest of a release that a withdrawal took out of use."""


class SmallCells(StrEnum):
    """What a release does with subjects that fewer than k others resemble."""

    REPORT = "report"
    SUPPRESS = "suppress"
    BLOCK = "block"


class Splits(Document):
    """Fractions of subjects, not of volumes: one person is never in two splits."""

    train: float = Field(gt=0, le=1)
    """Fraction to train on."""
    validation: float = Field(default=0.0, ge=0, lt=1)
    """Fraction to choose recipes on."""
    test: float = Field(default=0.0, ge=0, lt=1)
    """Fraction sealed: opened by `larmor evaluate` only, each opening an event."""

    @model_validator(mode="after")
    def _whole(self) -> "Splits":
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError("found fractions that do not add up to 1, needed train + validation + test = 1")
        return self


class ReleaseSpec(Document):
    """A cohort and how to split it."""

    name: Name
    """Name of the release."""
    cohort: str = "true"
    """SQL predicate over the columns of `curated/volumes` and `curated/series` that chooses volumes."""
    deliveries: list[str] = Field(default_factory=list)
    """Deliveries to take; empty: all."""
    splits: Splits = Splits(train=0.7, validation=0.1, test=0.2)
    """Fractions of subjects."""
    seed: int = Field(default=0, ge=0)
    """Seed of the split; the same seed and subjects give the same split."""
    purpose: str = "model-training"
    """What the release is for; every licence in it must allow it."""
    label_task: Name | None = None
    """Labels that go with it, by their task; None: no labels."""
    k: int = Field(default=SMALLEST_CELL, ge=1)
    """Subjects that must share age band, sex, body size, site, scanner and time of study not to be a small cell."""
    risk: SmallCells = SmallCells.REPORT
    """What becomes of small cells: they are reported, their subjects are left out, or the release is refused."""

    @field_validator("cohort")
    @classmethod
    def _one_expression(cls, cohort: str) -> str:
        if ";" in cohort:
            raise ValueError("found ';' in the predicate, needed one SQL expression")
        return cohort


class ReleaseRisk(Document):
    """How many subjects of a release look alike; counts only, no value that identifies."""

    k: int
    """Subjects that a cell needs not to be small."""
    subjects: int
    """Subjects of the release."""
    cells: int
    """Groups of subjects that look alike in every quasi-identifier."""
    smallest: int
    """Subjects of the smallest cell: the release is k-anonymous for this number."""
    small_cells: int
    """Cells of fewer than k subjects."""
    subjects_in_small_cells: int
    """Subjects in them."""
    suppressed: int = 0
    """Subjects that were left out because they were in small cells."""
    by_size: dict[str, int]
    """Number of cells of each size."""
    values_below_k: dict[str, int]
    """Values of each quasi-identifier, taken alone, that fewer than k subjects have."""
    without: dict[str, int]
    """Subjects in small cells if this quasi-identifier were not known: what coarser bands would gain."""


class Residual(Document):
    """What the residual scans of the series of a release amount to."""

    series: int
    """Series of the release."""
    certified: int
    """Of these, series with a certificate; data that came as NIfTI have none."""
    values: int
    """Identifying values that were looked for and not found."""
    bytes: int
    """Bytes that were read."""
    upper_bound: float
    """Upper end of the 95 % confidence interval of the share of values that are still there (rule of three)."""


class ReleaseManifest(Kept):
    """A frozen release: which rows of which table versions, in which split, under which terms."""

    name: str
    """Name of the release."""
    spec: ReleaseSpec
    """What was asked for."""
    created: str
    """When it was frozen, UTC, RFC 3339."""
    tables: dict[str, int]
    """Table path to the Delta version the release is pinned to."""
    members_sha256: str
    """SHA-256 of `members.parquet`, which lists every volume with split and row digest."""
    counts: dict[str, dict[str, int]]
    """Subjects, series, volumes and labels of each split."""
    licences: dict[str, str]
    """Licence to the digest of the document in force when it was frozen."""
    policies: list[str]
    """De-identification policies of its rows."""
    train_models: bool
    """Whether every licence in it allows models to be trained."""
    share_models: bool
    """Whether every licence in it allows such models to leave."""
    export: bool
    """Whether every licence in it allows export."""
    terms: Terms | None = None
    """The most restrictive of all documents that cover it; None: frozen before it was carried."""
    decision: str | None = None
    """Digest of the decision that it might be frozen, as its event says; None: frozen before it was noted."""
    risk: ReleaseRisk | None = None
    """How many subjects look alike; None: frozen before this was measured."""
    residual: Residual | None = None
    """What the residual scans amount to; None: frozen before this was stated."""
