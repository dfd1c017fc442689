"""Answers: which documents a piece of data is bound to, and what each says to a question, as pure functions.

Belongs here: the rule. Putting all answers together is `lineage.terms.decisions`.

The rule, exactly. Data are asked about in pieces: what came under one licence, of one delivery, subject and body part.
Of each piece these documents are asked, and every one must allow the action:

1. its licence;
2. every document that one of the asked documents `requires`: one named by its id; of a kind, any one of that kind that
   covers the piece;
3. every consent that names the piece's subject, whether it was given or taken back.

A document allows an action if it is in force that day, covers the piece, admits the principal, allows the purpose and
the country, and grants the action its right. What is not known yet, such as the subjects of a delivery on arrival, is
not asked then; it is asked at the next station.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from lineage.terms.questions import Piece, Question
from lineage.terms.refusal import Refusal
from lineage.terms.terms import Known
from schemas.agreement import AnyTerm, Consent
from schemas.delivery import Delivery
from schemas.licence import Licence
from schemas.term import Kind
from schemas.union import Terms


def binding(piece: Piece, known: Known) -> Iterator[tuple[str, str, list[AnyTerm]]]:
    """Documents that bind a piece: why, which, and the alternatives of which one must allow; none: it is missing.

    The first is its licence, then come required documents, then consents that name the subject.
    """
    seen: set[str] = set()
    wanted = [("licence", piece.licence)] if piece.licence else []
    while wanted:
        why, name = wanted.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in set(Kind):
            if name == Kind.CONSENT and not piece.subject:
                continue
            yield why, name, [d for d in known.candidates(name, piece.subject) if not uncovered(d, piece)]
            continue
        found = known.term(name)
        yield why, name, [found] if found else []
        wanted += [(f"requires of {name}", other) for other in (found.requires if found else ())]
    for consent in known.consents.get(piece.subject, ()):
        if consent.id not in seen:
            yield "consent", consent.id, [consent]


def allowing(question: Question, piece: Piece, known: Known) -> Iterator[AnyTerm]:
    """Documents that allow an action on a piece; raises the refusal of the first that does not."""
    for why, wanted, alternatives in binding(piece, known):
        if not alternatives:
            raise _missing(why, wanted, known)
        refusals = []
        for document in alternatives:
            refusal = uncovered(document, piece) or _refusal(document, question)
            if refusal is None:
                yield document
                break
            refusals.append(refusal)
        else:
            raise refusals[0]


def uncovered(document: AnyTerm, piece: Piece) -> Refusal | None:
    """Why a document does not cover a piece; None: it does."""
    if piece.delivery and not document.covers(piece.delivery):
        return _no(
            document, "deliveries", f"delivery {piece.delivery}", f"a name like {', '.join(document.deliveries)}",
            "use the document that covers this delivery, or agree with the licensor on a wider one",
        )  # fmt: skip
    if isinstance(document, Consent) and piece.subject in document.withdrawn:
        return _no(
            document, "withdrawn", "a subject who took the consent back", "subjects whose consent stands",
            "leave them out, and withdraw them (larmor withdraw --subject); larmor terms --id shows whom it names",
        )  # fmt: skip
    if piece.subject and document.subjects and piece.subject not in document.subjects:
        return _no(
            document, "subjects", "a subject that it does not cover", "subjects that it names",
            "leave them out, or add the document that covers them; larmor terms --id shows whom it names",
        )  # fmt: skip
    if piece.body_part and document.body_parts and piece.body_part not in document.body_parts:
        return _no(
            document, "body_parts", f"series of another body part ({piece.body_part})",
            f"one of: {', '.join(document.body_parts)}", "leave them out of the cohort",
        )  # fmt: skip
    return None


def _refusal(document: AnyTerm, question: Question) -> Refusal | None:
    """Why a document does not allow an action on what it covers; None: it does."""
    act = question.action
    if not document.in_force(question.day):
        return _out_of_force(document, question)
    if question.purpose not in document.purposes:
        return _no(
            document, "purposes", f"a purpose that it does not allow for {act}",
            f"one of: {', '.join(document.purposes)}",
            "use the data for one of these, or agree on the purpose with the licensor",
        )  # fmt: skip
    if not document.admits(question.principal):
        return _no(
            document, "users", f"a principal that it does not admit for {act}", f"one of: {', '.join(document.users)}",
            "let one of them do it, or agree on further users with the licensor",
        )  # fmt: skip
    if document.territory and question.country not in document.territory:
        return _no(
            document, "territory", f"work in {question.country or 'a country that LARMOR_COUNTRY does not say'}",
            f"one of: {', '.join(document.territory)}", "do the work there, or agree on the country with the licensor",
        )  # fmt: skip
    if act.right and not getattr(document, act.right):
        return _no(
            document, act.right, "false", f"true for {act}",
            "leave its deliveries out, or agree with the licensor and add the new document to the licences",
        )  # fmt: skip
    return None


def _out_of_force(document: AnyTerm, question: Question) -> Refusal:
    day, renew = question.day, "agree on a renewal with the licensor and add the new document to the licences"
    if document.revoked is not None and day >= document.revoked:
        return _no(document, "revoked", f"{question.action} on {day}", f"a day before {document.revoked}", renew)
    if day < document.valid_from:
        return _no(document, "valid_from", f"{question.action} on {day}", f"a day from {document.valid_from}", renew)
    return _no(document, "valid_until", f"{question.action} on {day}", f"a day until {document.valid_until}", renew)


def check_manifest(licence: Licence, delivery: Delivery) -> None:
    """Refuse a licence that is not the one that a delivery's manifest names, of the licensor that it names.

    Raises:
        Refusal: if it is another one.
    """
    if delivery.licence != licence.id:
        raise _no(
            licence, "licence", f"delivery {delivery.name} under {delivery.licence}", f"one under {licence.id}",
            "name the licence that covers it in delivery.yaml",
        )  # fmt: skip
    if delivery.licensor != licence.licensor:
        raise _no(
            licence, "licensor", f"delivery {delivery.name} of another licensor", "one of the licence's licensor",
            "name the licensor in delivery.yaml as the licence does, or use the licence that this licensor granted",
        )  # fmt: skip


def check_carried(terms: Terms, question: Question, model: str) -> None:
    """Ask the terms that a model carries, where its documents are not known here.

    Raises:
        Refusal: if they do not allow it.
    """
    act = question.action
    right = act.right is None or bool(getattr(terms, act.right))
    ended = terms.valid_until is not None and question.day > terms.valid_until
    admitted = all(any(fnmatchcase(question.principal, p) for p in patterns) for patterns in terms.users)
    for term, allowed, needed in (
        ("valid_until", not ended, f"a day until {terms.valid_until}"),
        ("purposes", question.purpose in terms.purposes, f"one of: {', '.join(terms.purposes) or 'none'}"),
        ("users", admitted, "a principal that all of its documents admit"),
        ("territory", terms.territory is None or question.country in terms.territory, "a country that all allow"),
        (act.right or "", right, f"true for {act}"),
    ):
        if not allowed:
            remedy = "use a model whose terms allow it, or agree with the licensors and train again"
            raise Refusal(model, term, f"{act} that its terms do not allow", needed, remedy, kind="model")


def _no(document: AnyTerm, term: str, found: str, needed: str, remedy: str) -> Refusal:
    return Refusal(document.id, term, found, needed, remedy, kind=document.kind)


def _missing(why: str, wanted: str, known: Known) -> Refusal:
    if why == "licence":
        return Refusal(
            wanted, "licence", "no such licence", "one that this lake knows", "put the document of the licence there"
        )
    holder = known.term(why.removeprefix("requires of "))
    assert holder is not None, "it was asked what it requires"
    return _no(
        holder, "requires", f"no {wanted} that covers these data", f"all of: {', '.join(holder.requires)}",
        "add the document (larmor terms --add FILE)",
    )  # fmt: skip
