"""Terms beside a licence: data-use agreements, consents and ethics approvals; and reading a document of any kind.

Belongs here: what these documents have of their own, and which class a document is read by.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from schemas.determination import Determination
from schemas.document import DocumentError, read_yaml
from schemas.licence import Licence
from schemas.term import Kind, Term


class Agreement(Term):
    """A data-use agreement or an ethics approval: it binds where a licence, or another agreement, requires it."""

    kind: Literal[Kind.AGREEMENT, Kind.ETHICS]
    """data-use-agreement or ethics-approval."""


class Consent(Term):
    """A consent of persons: it binds the persons it names, whether or not a licence requires it."""

    kind: Literal[Kind.CONSENT]
    """consent."""
    withdrawn: list[str] = Field(default_factory=list)
    """Subjects who took their consent back, by their pseudonyms: nothing more is done with their data."""

    @model_validator(mode="after")
    def _once(self) -> "Consent":
        if set(self.subjects) & set(self.withdrawn):
            raise ValueError("found subjects in `subjects` and in `withdrawn`, needed each in one of them")
        return self


AnyTerm = Licence | Agreement | Consent
"""Terms that say what may be done."""

AnyDocument = AnyTerm | Determination
"""Whatever `audit/licences` keeps."""

_CLASSES: Mapping[str, type[AnyDocument]] = {
    Kind.LICENCE: Licence,
    Kind.AGREEMENT: Agreement,
    Kind.ETHICS: Agreement,
    Kind.CONSENT: Consent,
    Kind.DETERMINATION: Determination,
}


def parsed(content: Any, name: str) -> AnyDocument:
    """The document with this content, of the kind that it says; without one it is a licence.

    Raises:
        DocumentError: if there is no such kind, or a field is missing or wrong.
    """
    kind = content.get("kind", Kind.LICENCE) if isinstance(content, dict) else Kind.LICENCE
    if kind not in list(Kind):
        raise DocumentError(f"{name}: found another kind of document, needed one of {', '.join(Kind)}")
    return _CLASSES[kind].parse(content, name)


def read(path: Path) -> AnyDocument:
    """The document in a YAML file.

    Raises:
        DocumentError: if there is no such file, it is not YAML, or it is no document of terms.
    """
    if not path.is_file():
        raise DocumentError(f"found no file {path.name} in {path.parent}, needed a document of terms")
    return parsed(read_yaml(path, "a document of terms"), path.name)
