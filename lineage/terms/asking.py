"""Asking the terms of a lake: roles, documents as they are known now, and a refusal that is on the record.

Belongs here: from a lake to a decision. What is asked is `lineage.terms.questions`, by which rule
documents answer is `lineage.terms.answers`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping

from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.principal import principal
from lineage.terms import determinations, emergency, roles
from lineage.terms.answers import check_carried, check_manifest
from lineage.terms.decisions import Decision, decide
from lineage.terms.questions import Action, Piece, Question
from lineage.terms.refusal import Refusal
from lineage.terms.terms import Known
from schemas.delivery import Delivery
from schemas.licence import Licence
from schemas.roles import Needs
from schemas.term import Kind
from schemas.union import Terms


def permit(
    lake: Lake,
    action: Action,
    purpose: str,
    pieces: Iterable[Piece],
    *,
    target: str | None = None,
    manifest: tuple[Licence, Delivery] | None = None,
    policies: Iterable[str] = (),
    carried: Mapping[str, Terms] | None = None,
    day: dt.date | None = None,
    country: str | None = None,
    recorded: bool = True,
) -> Decision:
    """The decision that the lake's principal may do something today; a refusal is put on the ledger, then raised.

    Args:
        lake: the lake.
        action: what is to be done.
        purpose: what for.
        pieces: the data it is done with.
        target: delivery, release or model that it is about.
        manifest: a delivery's manifest, and its licence in the wording to be asked.
        policies: digests of policies, whose data may need an expert's determination.
        carried: terms that models carry whose documents are not known here, by the model's name.
        day: when; None: today.
        country: where; None: where the installation is.
        recorded: whether a refusal goes on the ledger; false where another process of the same work puts it there.

    Raises:
        Refusal: if a role, a document or a missing determination does not allow it.
        schemas.document.DocumentError: if the document of roles does not say what it must.
    """
    known = Known.of(lake)
    if manifest:
        known = known.having([manifest[0]])
    today = day or dt.datetime.now(dt.UTC).date()
    question = Question(action, purpose, principal(lake), today, country or lake.settings.country)
    try:
        grants = roles.admitted(lake, action.needs)
        if manifest:
            check_manifest(*manifest)
        decision = decide(question, pieces, known, target)
        for model, theirs in (carried or {}).items():
            check_carried(theirs, question, model)
        determined = determinations.needed(lake, known, policies, target or "", today)
    except Refusal as refusal:
        if recorded:
            _record(lake, refusal, known, question, target)
        raise
    return decision.resting_on(determined, grants)


def admit(lake: Lake, action: str, needs: Needs, target: str | None = None) -> tuple[str, ...]:
    """Let the lake's principal act in zones with what is no matter of terms; a refusal is put on the ledger first.

    Args:
        lake: the lake.
        action: what is to be done, a name.
        needs: zones that it reads or changes.
        target: a table, release or model that it is about.

    Returns:
        The emergency grants that stand in for roles; none were needed where it is empty.

    Raises:
        Refusal: if neither a role nor an open emergency grant gives a zone.
        schemas.document.DocumentError: if the document of roles does not say what it must.
    """
    try:
        return roles.admitted(lake, needs)
    except Refusal as refusal:
        append(lake, EventType.REFUSED, _facts(refusal, action, dt.datetime.now(dt.UTC).date()) | {"target": target})
        raise


def enter(lake: Lake, action: str, needs: Needs) -> None:
    """Let the lake's principal do what a verb or an asset declares; a use of an emergency grant goes on the ledger.

    Args:
        lake: the lake.
        action: what is to be done, a name.
        needs: zones that it reads or changes.

    Raises:
        Refusal: if neither a role nor an open emergency grant gives a zone; the refusal is on the ledger.
        schemas.document.DocumentError: if the document of roles does not say what it must.
    """
    for grant in admit(lake, action, needs):
        emergency.used(lake, grant, action)


def _facts(refusal: Refusal, action: str, day: dt.date) -> dict[str, object]:
    return {
        "action": action,
        "term": refusal.term,
        "kind": str(refusal.kind),
        "day": str(day),
        "subjects": len(refusal.subjects) or None,
    }


def _record(lake: Lake, refusal: Refusal, known: Known, question: Question, target: str | None) -> None:
    document = known.documents.get(refusal.document)
    facts = _facts(refusal, str(question.action), question.day)
    if refusal.kind in set(Kind):
        facts |= {"licence": refusal.document, "licence_sha256": document.digest if document else None}
    append(lake, EventType.REFUSED, facts | {question.action.about: target})
