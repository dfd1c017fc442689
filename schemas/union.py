"""What covers a release or a model that several documents cover at once, as its manifest carries it.

Belongs here: the fields. How documents, and the terms of parents, become one is `lineage.terms.union`.
"""

import datetime as dt

from pydantic import Field

from schemas.document import Document
from schemas.term import AtEnd, Country


class Terms(Document):
    """The most restrictive of each term; without documents nothing is allowed."""

    documents: dict[str, str] = Field(default_factory=dict)
    """Document to digest; a second wording of one stands as `<id>@<digest>` beside it."""
    purposes: list[str] = Field(default_factory=list)
    """Purposes that all of them allow."""
    users: list[list[str]] = Field(default_factory=list)
    """Shell patterns of principals; of each list one must fit. Empty: everybody who has a role."""
    territory: list[Country] | None = None
    """Countries that all of them allow; None: anywhere; empty: nowhere."""
    train_models: bool = False
    """Whether all of them allow models to be trained."""
    share_models: bool = False
    """Whether all of them allow such models to leave."""
    export: bool = False
    """Whether all of them allow export."""
    derivatives: bool = False
    """Whether all of them allow results to be derived and kept."""
    valid_from: dt.date | None = None
    """Latest first day; None without documents."""
    valid_until: dt.date | None = None
    """Earliest last day, revocations included; None: no end."""
    retain_until: dt.date | None = None
    """Earliest day until which data may be kept; None: no end."""
    at_end: list[AtEnd] = Field(default_factory=list)
    """Everything that must be done at the end: return, destroy."""
    attributions: list[str] = Field(default_factory=list)
    """How to name the licensors."""
