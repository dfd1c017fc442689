"""What a release is: the specification a person writes, and the manifest that freezes it.

Belongs here: fields and rules. Choosing and freezing is `stages.release`, reading is `lake.releases`.
"""

from pydantic import Field, field_validator, model_validator

from schemas.document import Document
from schemas.naming import Name


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

    @field_validator("cohort")
    @classmethod
    def _one_expression(cls, cohort: str) -> str:
        if ";" in cohort:
            raise ValueError("found ';' in the predicate, needed one SQL expression")
        return cohort


class ReleaseManifest(Document):
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
