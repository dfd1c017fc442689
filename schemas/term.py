"""What documents of terms have in common: how long they hold, whom and what they cover, what they allow.

Belongs here: the fields that a licence shares with data-use agreements, consents and ethics approvals, and their
arithmetic. The kinds are `schemas.licence`, `schemas.agreement` and `schemas.determination`; what was known when, and
decisions, are `lineage.terms`.
"""

import datetime as dt
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from schemas.document import Document
from schemas.naming import Name

_LATER = frozenset(
    {
        "kind", "revoked", "subjects", "body_parts", "users", "territory", "derivatives", "retain_until", "at_end",
        "requires",
    }
)  # fmt: skip
"""Fields that documents did not have when the first were digested: one that says nothing is left out of the content,
so that old documents keep their digests."""


class Kind(StrEnum):
    """What a document of terms is."""

    LICENCE = "licence"
    AGREEMENT = "data-use-agreement"
    CONSENT = "consent"
    ETHICS = "ethics-approval"
    DETERMINATION = "expert-determination"


class AtEnd(StrEnum):
    """What becomes of the data when they may no longer be kept."""

    KEEP = "keep"
    RETURN = "return"
    DESTROY = "destroy"


def _country(code: str) -> str:
    if not (len(code) == 2 and code.isascii() and code.isupper()):
        raise ValueError("found another text, needed a country by its two capital letters (ISO 3166-1 alpha-2)")
    return code


Country = Annotated[str, AfterValidator(_country)]
"""A country, ISO 3166-1 alpha-2."""


class Dated(Document):
    """A document that holds from a day to a day."""

    kind: Kind
    """What the document is."""
    id: Name
    """Name of the document; seen by everybody, so no person's."""
    title: str
    """Its full title."""
    licensor: str = Field(min_length=1)
    """Who grants it: an organisation or a board, not a person."""
    valid_from: dt.date
    """First day in force."""
    valid_until: dt.date | None = None
    """Last day in force; None: no end."""
    revoked: dt.date | None = None
    """Day from which on it no longer holds, because it was revoked, ended or suspended; None: it was not."""
    contact: str = ""
    """Whom to ask: a role or a mailbox, not a person."""

    @model_validator(mode="after")
    def _ordered(self) -> "Dated":
        if self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("found valid_until before valid_from, needed the last day in force after the first")
        if self.id in set(Kind):
            raise ValueError("found an id that is the name of a kind of document, needed another one")
        return self

    @model_serializer(mode="wrap")
    def _stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if name not in _LATER or getattr(self, name) != fields[name].get_default(call_default_factory=True)
        }

    def in_force(self, day: dt.date) -> bool:
        """Whether the document holds on a day."""
        return self.valid_from <= day and not self.over(day)

    def over(self, day: dt.date) -> bool:
        """Whether the document no longer holds on a day."""
        return self.last_day is not None and day > self.last_day

    @property
    def last_day(self) -> dt.date | None:
        """Last day on which it holds, a revocation included; None: no end."""
        eve = self.revoked - dt.timedelta(days=1) if self.revoked else None
        return min((day for day in (self.valid_until, eve) if day), default=None)


class Term(Dated):
    """A document that says what may be done with whose data; what it does not grant is not allowed."""

    deliveries: list[str] = Field(default_factory=lambda: ["*"])
    """Deliveries it covers, as shell patterns."""
    subjects: list[str] = Field(default_factory=list)
    """Subjects it covers, by their pseudonyms; empty: all."""
    body_parts: list[str] = Field(default_factory=list)
    """Body parts it covers, as `curated/series` calls them; empty: all."""
    purposes: list[str] = Field(min_length=1)
    """Purposes it allows, for example research, model-training."""
    users: list[str] = Field(default_factory=list)
    """Principals who may act under it, as shell patterns; empty: everybody who has a role."""
    territory: list[Country] = Field(default_factory=list)
    """Countries in which data may be worked on; empty: anywhere."""
    train_models: bool = False
    """Whether models may be trained on the data."""
    share_models: bool = False
    """Whether such models may leave the organisation."""
    export: bool = False
    """Whether de-identified data may be exported."""
    derivatives: bool = True
    """Whether results may be derived from the data and kept, such as predictions on them."""
    retain_until: dt.date | None = None
    """Last day on which the data, and what is made of them, may be kept; None: no end."""
    at_end: AtEnd = AtEnd.KEEP
    """What becomes of them after that day, or when the document is over."""
    requires: list[Name] = Field(default_factory=list)
    """Documents that must allow the same beside it: an id, or a kind of which one that covers the series must."""

    def covers(self, delivery: str) -> bool:
        """Whether it covers a delivery of this name."""
        return any(fnmatchcase(delivery, pattern) for pattern in self.deliveries)

    def admits(self, principal: str) -> bool:
        """Whether a principal may act under it."""
        return not self.users or any(fnmatchcase(principal, pattern) for pattern in self.users)
