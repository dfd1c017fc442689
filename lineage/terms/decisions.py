"""Decisions, asked before the work: may this person do this, for this purpose, on this day, with these data?

Belongs here: one decision over all data, and what is recorded of it. Whoever does the work asks `lineage.terms.asking`,
which knows the lake; by which rule documents answer is `lineage.terms.answers`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lineage.ledger.events import Facts, is_phrase
from lineage.terms import emergency
from lineage.terms.answers import allowing
from lineage.terms.questions import Action, Piece, Question
from lineage.terms.refusal import Refusal
from lineage.terms.terms import Known
from schemas.agreement import AnyTerm
from schemas.document import canonical_json
from schemas.term import Kind


@dataclass(frozen=True)
class Decision:
    """That the terms allow it, as asked.

    Attributes:
        question: what was asked.
        terms: documents that were asked, by id, with their digests.
        licences: those of them that are licences.
        consents: those of them that are consents.
        target: delivery, release or model that it is about; None: none of them.
        grants: emergencies that gave zones which no role gives.
    """

    question: Question
    terms: Mapping[str, str]
    licences: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    target: str | None = None
    grants: tuple[str, ...] = ()

    @property
    def action(self) -> Action:
        """What may be done."""
        return self.question.action

    @property
    def terms_sha256(self) -> str:
        """SHA-256 of the documents that were asked, id to digest, as canonical JSON."""
        return _digest(dict(self.terms))

    @property
    def digest(self) -> str:
        """SHA-256 of the decision's canonical JSON: who, what, what for, when, where, under which documents."""
        asked = {name: None if value is None else str(value) for name, value in vars(self.question).items()}
        under = list(self.grants) if len(self.grants) > 1 else next(iter(self.grants), None)
        return _digest(asked | {"terms": dict(self.terms), "target": self.target, "grant": under})

    @property
    def facts(self) -> Facts:
        """What an event says of the decision that its work rests on; consents are in the digests alone, as persons."""
        beside = {k: v for k, v in self.terms.items() if k not in self.licences and k not in self.consents}
        one = self.licences[0] if len(self.licences) == 1 else None
        return {
            # a licence may word a purpose in more than a phrase; then it is in the digest alone
            "purpose": self.question.purpose if is_phrase(self.question.purpose) else None,
            "decision": self.digest,
            "terms_sha256": self.terms_sha256,
            "licence": one,
            "licence_sha256": self.terms[one] if one else None,
            "agreements": beside or None,
            **emergency.named(self.grants),
        }

    def resting_on(self, determinations: Mapping[str, str], grants: tuple[str, ...]) -> "Decision":
        """The decision with expert determinations among its documents, and the grants that stand behind it."""
        return replace(self, terms=dict(sorted({**self.terms, **determinations}.items())), grants=grants)

    @property
    def told(self) -> Mapping[str, str]:
        """What a catalogue shows of it."""
        return {"decision": self.digest, "terms_sha256": self.terms_sha256, "principal": self.question.principal}


def decide(question: Question, pieces: Iterable[Piece], known: Known, target: str | None = None) -> Decision:
    """Put a question to every document that covers the pieces.

    Args:
        question: who wants to do what.
        pieces: the data.
        known: documents as they are known.
        target: delivery, release or model that it is about.

    Raises:
        Refusal: if a document does not allow it, or a needed one is missing; it names the term and the remedy, and how
            many persons the same term refuses.
    """
    asked: dict[str, AnyTerm] = {}
    refused: dict[tuple[str, str], list[tuple[Refusal, Piece]]] = {}
    for piece in sorted(set(pieces), key=lambda piece: (piece.licence or "", piece)):
        try:
            asked |= {document.id: document for document in allowing(question, piece, known)}
        except Refusal as refusal:
            refused.setdefault((refusal.document, refusal.term), []).append((refusal, piece))
    if refused:
        first = next(iter(refused.values()))
        raise first[0][0].about(tuple(sorted({piece.subject for _, piece in first if piece.subject})))
    return Decision(
        question,
        {id_: asked[id_].digest for id_ in sorted(asked)},
        tuple(id_ for id_ in sorted(asked) if asked[id_].kind == Kind.LICENCE),
        tuple(id_ for id_ in sorted(asked) if asked[id_].kind == Kind.CONSENT),
        target,
    )


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
