"""The terms under which data may be used: licence documents.

Belongs here: the fields of a licence and the arithmetic of what it allows. What was known when, and the record of
decisions, is `lineage.terms`.
"""

import datetime as dt
from fnmatch import fnmatchcase

from pydantic import Field, model_validator

from schemas.document import Document
from schemas.naming import Name


class Licence(Document):
    """A licence document."""

    id: Name
    """Name of the licence."""
    title: str
    """Its full title."""
    licensor: str = Field(min_length=1)
    """Who grants it; a delivery of another licensor is refused."""
    valid_from: dt.date
    """First day in force."""
    valid_until: dt.date | None = None
    """Last day in force; None: no end."""
    deliveries: list[str] = Field(default_factory=lambda: ["*"])
    """Deliveries it covers, as shell patterns."""
    purposes: list[str] = Field(min_length=1)
    """Purposes it allows, for example research, model-training."""
    train_models: bool = False
    """Whether models may be trained on the data."""
    share_models: bool = False
    """Whether such models may leave the organisation."""
    export: bool = False
    """Whether de-identified data may be exported."""
    attribution: str = ""
    """How to name the licensor."""
    contact: str = ""
    """Whom to ask: a role or a mailbox, not a person."""

    @model_validator(mode="after")
    def _ordered(self) -> "Licence":
        if self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("found valid_until before valid_from, needed the last day in force after the first")
        return self

    def in_force(self, day: dt.date) -> bool:
        """Whether the licence is in force on a day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    def covers(self, delivery: str) -> bool:
        """Whether the licence covers a delivery of this name."""
        return any(fnmatchcase(delivery, pattern) for pattern in self.deliveries)
