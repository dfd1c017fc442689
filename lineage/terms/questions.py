"""What is asked of the terms: who wants to do what, with which data, what for, when and where.

Belongs here: the question's parts. Which documents answer it is `lineage.terms.answers`.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.contract import Zone
from schemas.roles import Needs, changing, reading


class Action(StrEnum):
    """What a decision is asked for."""

    INTAKE = "intake"
    DEIDENTIFY = "deidentify"
    RELEASE = "release"
    TRAIN = "train"
    EVALUATE = "evaluate"
    PREDICT = "predict"
    EXPORT = "export"
    SHARE = "share"

    @property
    def right(self) -> str | None:
        """Field of a document that must grant it; None: none of its own."""
        return _RIGHTS.get(self)

    @property
    def about(self) -> str:
        """What it is about: a delivery, a release or a model."""
        return "delivery" if self in _DELIVERIES else "model" if self in _MODELS else "release"

    @property
    def needs(self) -> Needs:
        """Zones that it reads or changes."""
        return _NEEDS[self]


_RIGHTS: Mapping[Action, str] = {
    Action.TRAIN: "train_models",
    Action.SHARE: "share_models",
    Action.EXPORT: "export",
    Action.PREDICT: "derivatives",
}

_DELIVERIES = frozenset({Action.INTAKE, Action.DEIDENTIFY})
_MODELS = frozenset({Action.PREDICT, Action.SHARE})

_NEEDS: Mapping[Action, Needs] = {
    Action.INTAKE: changing(Zone.RESTRICTED),
    Action.DEIDENTIFY: changing(Zone.RESTRICTED, Zone.CURATED),
    Action.RELEASE: changing(Zone.CURATED),
    Action.TRAIN: changing(Zone.MODELS, reads=[Zone.CURATED]),
    Action.EVALUATE: changing(Zone.MODELS, reads=[Zone.CURATED]),
    Action.PREDICT: reading(Zone.MODELS),
    Action.EXPORT: reading(Zone.CURATED),
    Action.SHARE: reading(Zone.MODELS),
}


@dataclass(frozen=True)
class Question:
    """Who wants to do what, what for, when and where.

    Attributes:
        action: what is to be done.
        purpose: what for.
        principal: who.
        day: when.
        country: where, ISO 3166-1 alpha-2; None: the installation does not say.
    """

    action: Action
    purpose: str
    principal: str
    day: dt.date
    country: str | None = None


@dataclass(frozen=True, order=True)
class Piece:
    """Data that the same documents cover.

    Attributes:
        licence: licence they came under; None: only the consents of the subject are asked.
        delivery: delivery they came in; empty: not asked, for example of a copy in another delivery.
        subject: pseudonym; empty: not known yet, or everybody.
        body_part: as `curated/series` calls it; empty: not known yet.
    """

    licence: str | None
    delivery: str = ""
    subject: str = ""
    body_part: str = ""
