"""The refusal: what a person reads when the terms do not allow something.

Belongs here: the error alone. What raises it is everywhere in this folder.
"""

from schemas.term import Kind


class Refusal(PermissionError):
    """The terms do not allow it.

    Attributes:
        document: id of the document that refuses, or whose absence does.
        kind: what that document is: a kind of term, `model` or `roles`.
        term: its field that refuses; `licence`, or another kind, where there is no such document to ask.
        subjects: pseudonyms of the persons it concerns; empty: all, or not known. Never part of the message, which
            may be kept where a withdrawal cannot take it back.
    """

    def __init__(
        self,
        document: str,
        term: str,
        found: str,
        needed: str,
        remedy: str,
        *,
        kind: str = Kind.LICENCE,
        subjects: tuple[str, ...] = (),
    ) -> None:
        """Make the message that a person reads: which term, what was found, what was needed, what to do."""
        concerns = f" (persons whom it concerns: {len(subjects)})" if subjects else ""
        super().__init__(f"{kind} {document}, {term}: found {found}, needed {needed}; {remedy}{concerns}")
        self._said = (document, term, found, needed, remedy)
        self.document = document
        self.kind = kind
        self.term = term
        self.subjects = subjects

    def about(self, subjects: tuple[str, ...]) -> "Refusal":
        """The same refusal, of these persons."""
        return Refusal(*self._said, kind=self.kind, subjects=subjects)
