"""The most restrictive union: what covers a release or a model that several documents cover at once.

Belongs here: the arithmetic, as pure functions. It is associative and commutative, so that the union of a release and
of a parent model does not depend on how they came together. The fields are `schemas.union`.
"""

import datetime as dt
from collections.abc import Iterable
from functools import reduce

from schemas.agreement import AnyTerm
from schemas.licence import Licence
from schemas.term import AtEnd
from schemas.union import Terms


def union(documents: Iterable[AnyTerm]) -> Terms:
    """The most restrictive union of documents; without any, nothing is allowed."""
    return joined(of(document) for document in documents)


def joined(terms: Iterable[Terms]) -> Terms:
    """The most restrictive union of terms, for example of a release and of a parent model; of nothing, nothing."""
    given = list(terms)
    return reduce(_both, given) if given else Terms()


def of(document: AnyTerm) -> Terms:
    """The terms of one document."""
    attribution = document.attribution if isinstance(document, Licence) else ""
    return Terms(
        documents={document.id: document.digest},
        purposes=sorted(set(document.purposes)),
        users=[sorted(set(document.users))] if document.users else [],
        territory=sorted(set(document.territory)) or None,
        train_models=document.train_models,
        share_models=document.share_models,
        export=document.export,
        derivatives=document.derivatives,
        valid_from=document.valid_from,
        valid_until=document.last_day,
        retain_until=document.retain_until,
        at_end=[document.at_end] if document.at_end is not AtEnd.KEEP else [],
        attributions=[attribution] if attribution else [],
    )


def _both(one: Terms, other: Terms) -> Terms:
    return Terms(
        documents=_named(one.documents, other.documents),
        purposes=sorted(set(one.purposes) & set(other.purposes)),
        users=[list(users) for users in sorted({tuple(users) for users in (*one.users, *other.users)})],
        territory=_within(one.territory, other.territory),
        train_models=one.train_models and other.train_models,
        share_models=one.share_models and other.share_models,
        export=one.export and other.export,
        derivatives=one.derivatives and other.derivatives,
        valid_from=_latest(one.valid_from, other.valid_from),
        valid_until=_earliest(one.valid_until, other.valid_until),
        retain_until=_earliest(one.retain_until, other.retain_until),
        at_end=sorted({*one.at_end, *other.at_end}),
        attributions=sorted({*one.attributions, *other.attributions}),
    )


def _named(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """Documents of both; of a document in several wordings one has its id, each other one `<id>@<digest>`."""
    wordings: dict[str, set[str]] = {}
    for name, digest in (*one.items(), *other.items()):
        wordings.setdefault(name.split("@")[0], set()).add(digest)
    return {
        f"{name}@{digest[:12]}" if place else name: digest
        for name, digests in sorted(wordings.items())
        for place, digest in enumerate(sorted(digests))
    }


def _within(one: list[str] | None, other: list[str] | None) -> list[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return sorted(set(one) & set(other))


def _latest(one: dt.date | None, other: dt.date | None) -> dt.date | None:
    return max((day for day in (one, other) if day), default=None)


def _earliest(one: dt.date | None, other: dt.date | None) -> dt.date | None:
    return min((day for day in (one, other) if day), default=None)
